// The scale of a row's bars: linear, or logarithmic where that would leave the least of them nothing to see.
import { scaleLinear, scaleLog } from "d3-scale";
import type { Figure } from "./model.ts";

const MOST_ON_LINEAR = 30;

export interface Scale {
  isLog: boolean;
  /** Percent of the width. */
  at: (value: number) => number;
  ticks: number[];
}

export function scaleOf(figures: Figure[]): Scale {
  const least = Math.min(...figures.map(({ median }) => median));
  const high = Math.max(...figures.map((it) => it.high));
  const low = Math.min(...figures.map((it) => it.low));
  if (low > 0 && high / least > MOST_ON_LINEAR) {
    // From the power of ten below the least, so that its bar is seen as well.
    const from = 10 ** Math.floor(Math.log10(low / 1.25));
    const to = 10 ** Math.ceil(Math.log10(high));
    const scale = scaleLog().domain([from, to]).range([0, 100]);
    const powers = scale.ticks().filter((tick) => /^10*$|^1e|^0\.0*1$/.test(String(tick)));
    return { isLog: true, at: scale, ticks: thinned(powers, Math.ceil((powers.length - 1) / 3)) };
  }
  const scale = scaleLinear()
    .domain([0, high || 1])
    .range([0, 100])
    .nice(3);
  const ticks = scale.ticks(3);
  return { isLog: false, at: scale, ticks: thinned(ticks, ticks.length > 4 ? 2 : 1) };
}

/** So few that their labels have room. */
function thinned(ticks: number[], every: number): number[] {
  return ticks.filter((_, n) => n % every === 0);
}
