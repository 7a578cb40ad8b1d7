// What links between files of the repository become on the site, and whether they lead anywhere.
import { existsSync, statSync } from "node:fs";
import { posix, resolve } from "node:path";
import { type Document, DOCUMENTS, REPOSITORY } from "./library.ts";

const GITHUB = "https://github.com/connectory/connectory";

/** A file of the repository, where people read it. */
export function onGitHub(file: string): string {
  const path = resolve(REPOSITORY, file);
  if (!existsSync(path)) throw new Error(`${file} is not in the repository`);
  return `${GITHUB}/${statSync(path).isDirectory() ? "tree" : "blob"}/main/${file}`;
}

/** The file of the repository that a link in `from` names, with what follows `#`; nothing where it leads elsewhere. */
export function target(href: string, from: Document): { file: string; hash: string } | undefined {
  const [address = "", anchor] = href.split("#", 2);
  const hash = anchor === undefined ? "" : `#${anchor}`;
  if (address === "") return { file: from.file, hash };
  const file = new RegExp(`^${GITHUB}/(?:blob|tree)/main/(.*?)/?$`).exec(address)?.[1];
  if (file !== undefined) return { file, hash };
  if (/^[a-z]+:/.test(address)) return undefined;
  return { file: posix.join(posix.dirname(from.file), address), hash };
}

/** A link of the document `from`, as its page says it: to another page, or to a file where people read it. */
export function link(href: string, from: Document): string {
  const to = target(href, from);
  if (!to) return href;
  if (to.file === from.file) return to.hash || "#main";
  const page = DOCUMENTS.find(({ file }) => file === to.file);
  return page ? `../../${page.path}${to.hash}` : onGitHub(to.file) + to.hash;
}

/** Fails where a link of these pages leads to a place that another of them does not have. */
export function check(pages: { path: string; html: string }[]): void {
  const anchorsOf = (html: string) => new Set([...html.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id));
  const anchors = new Map(pages.map(({ path, html }) => [path, anchorsOf(html)]));
  const wrong = pages.flatMap(({ path, html }) =>
    [...html.matchAll(/ href="([^"]+)"/g)].flatMap(([, href = ""]) => {
      const { host, pathname, hash } = new URL(href, `http://site/${path}`);
      if (host !== "site") return [];
      const id = decodeURIComponent(hash.slice(1));
      const there = anchors.get(pathname.slice(1));
      const isThere = there && (id === "" || id === "main" || there.has(id));
      return isThere ? [] : [`${path} links to ${href}, which is not there`];
    }),
  );
  if (wrong.length > 0) throw new Error(wrong.join("\n"));
}
