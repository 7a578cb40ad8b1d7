// The index in which the site is searched, by section.
import MiniSearch from "minisearch";
import { texts } from "../pages/documents.tsx";
import { type Found, OPTIONS } from "../src/search/options.ts";

/** The index as JSON. */
export function searchIndex(): string {
  const index = new MiniSearch<Found>(OPTIONS);
  const found = texts.flatMap(({ path, name, sections }) =>
    sections.map(({ id, title, level, text }) => {
      return { url: level === 1 ? path : `${path}#${id}`, page: name, title, text };
    }),
  );
  index.addAll(found.map((section, id) => ({ id, ...section })));
  return JSON.stringify(index);
}
