// How documents are searched: the same where the index is built and where it is read.
import type { Options } from "minisearch";

/** A section of a document. */
export interface Found {
  id: number;
  /** Where it is, from the root of the site. */
  url: string;
  page: string;
  title: string;
  text: string;
}

export const OPTIONS: Options<Found> = {
  fields: ["title", "page", "text"],
  storeFields: ["url", "page", "title", "text"],
  searchOptions: {
    boost: { title: 4, page: 2 },
    prefix: true,
    fuzzy: (term) => (term.length > 4 ? 0.2 : false),
    combineWith: "AND",
  },
};
