// What a chart shows: rows of work, and a bar for each contender that did it.
import { type JavaScriptRow, median } from "../../../benches/javascript/report.mjs";

/** A median, and how far the rounds behind it are apart. */
export interface Figure {
  median: number;
  low: number;
  high: number;
}

export interface Bar {
  /** Who did it, as the results name it. */
  name: string;
  /** Nothing while it is not measured. */
  figure?: Figure;
}

export interface Row {
  name: string;
  /** As the results have it: "us p50". */
  unit: string;
  better: "less" | "more" | "neither";
  bars: Bar[];
  verdict?: Verdict;
}

/** What ours costs where the best peer costs 1; above that we lose. */
export interface Verdict {
  peer: string;
  ratio: number;
}

export function isLost({ verdict }: Row): boolean {
  return verdict !== undefined && verdict.ratio > 1;
}

export function figureOf(rounds: number[], middle = median(rounds)): Figure {
  return { median: middle, low: Math.min(...rounds), high: Math.max(...rounds) };
}

/** What was counted or computed, once. */
export function exactly(value: number): Figure {
  return { median: value, low: value, high: value };
}

/** A row that the benchmarks in JavaScript have written. */
export function rowOf({ name, unit, medians, rounds, best }: JavaScriptRow): Row {
  const bars = Object.entries(rounds).map(([name, figures]) => ({ name, figure: figureOf(figures, medians[name]) }));
  // Flushes are counted to show that all are as durable, and won by nobody.
  if (unit === "flushes") return { name, unit, better: "neither", bars };
  return { name, unit, better: "less", bars, ...(best && { verdict: best }) };
}
