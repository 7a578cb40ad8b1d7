// What a page of the site is, before it is HTML.
import type { VNode } from "preact";

export interface Page {
  /** Where it is, from the root of the site: "" or "code/". */
  path: string;
  /** In the tab, and in lists of pages. */
  title: string;
  /** One sentence, for search engines. */
  description: string;
  /** The part of the site that it belongs to, as the navigation names it. */
  section: Section;
  /** What stands between header and footer. Addresses within the site begin with `root`. */
  body: (root: string) => VNode;
  /** Style sheets beside that of all pages, from the root of the sources. */
  styles?: string[];
  /** The module that brings it to life, from the root of the sources. */
  script?: string;
}

export const SECTIONS = [
  { path: "", name: "Playground" },
  { path: "code/", name: "Code" },
  { path: "benchmarks/", name: "Benchmarks" },
  { path: "documents/", name: "Documents" },
] as const;

export type Section = (typeof SECTIONS)[number]["name"];

/** From a page to the root of the site: "./" or "../". */
export function rootOf(path: string): string {
  return "../".repeat(path.split("/").length - 1) || "./";
}
