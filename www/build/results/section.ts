// A part of the page: what was measured in one run, and how.
import type { Row } from "../../src/charts/model.ts";

export interface Section {
  id: string;
  title: string;
  /** What was done, and what is compared. */
  about: string;
  facts: [string, string][];
  /** What measures it again. */
  command: string;
  charts: { title: string; rows: Row[] }[];
  notes: string[];
}
