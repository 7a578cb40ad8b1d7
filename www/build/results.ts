// The committed results of every benchmark, as the page shows them.
import { isLost, type Row } from "../src/charts/model.ts";
import { atTheEdge } from "./results/edge.ts";
import { javascript } from "./results/javascript.ts";
import { native } from "./results/native.ts";
import type { Section } from "./results/section.ts";
import { shards } from "./results/shards.ts";

export const sections: Section[] = [native, javascript, atTheEdge, shards];

/** Every row that is lost, with where it stands; the worst first. */
export const lost: { chart: string; row: Row }[] = sections
  .flatMap(({ charts }) => charts)
  .flatMap(({ title, rows }) => rows.filter(isLost).map((row) => ({ chart: title, row })))
  .sort((one, other) => other.row.verdict!.ratio - one.row.verdict!.ratio);
