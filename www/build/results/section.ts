// A part of the page: what was measured in one run, and how.
import type { Row } from "../../src/charts/model.ts";

export interface Section {
  title: string;
  /** What was done, and what is compared. */
  about: string;
  facts: [string, string][];
  /** What measures it again. */
  command: string;
  charts: { title: string; rows: Row[] }[];
  notes: string[];
}

/** Where what has this title is found on the page. */
export function idOf(title: string): string {
  return title.toLowerCase().replaceAll(/[^a-z]+/g, "-");
}
