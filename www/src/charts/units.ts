// Units as the results write them, and as people read them.
import { figure } from "../../../benches/javascript/report.mjs";

const SYMBOLS: Record<string, string> = {
  us: "µs",
  "bytes per connection": "B",
  millions: "M",
  times: "×",
  "times the mean": "×",
  "percent over the mean": "%",
  flushes: "",
  rows: "",
};

/** "us p50" is µs, the median: what is beside the number, and what is said once. */
function partsOf(unit: string): { symbol: string; rest: string } {
  if (unit in SYMBOLS) return { symbol: SYMBOLS[unit] ?? "", rest: unit === "us" ? "" : unit };
  const [first = "", ...others] = unit.split(" ");
  if (first.endsWith("/s")) return { symbol: "/s", rest: first.replace("/s", " a second") };
  return {
    symbol: SYMBOLS[first] ?? first,
    rest: others.join(" ").replace("p50", "median").replace("p99", "99th percentile"),
  };
}

/** A number with its unit; numbers of four digits and more have thin spaces. */
export function valueOf(value: number, unit: string): string {
  const { symbol } = partsOf(unit);
  const number = Number.isInteger(value) && value < 1000 ? String(value) : figure(value).replaceAll(" ", "\u202f");
  return symbol === "" || symbol === "/s" ? number + symbol : `${number}\u00a0${symbol}`;
}

/** What is measured in this unit, where there is more than the unit to say: "median". */
export function kindOf(unit: string): string {
  return partsOf(unit).rest;
}

/** What the axis measures. */
export function axisOf(unit: string): string {
  const { symbol, rest } = partsOf(unit);
  if (rest === "") return symbol;
  // It says the unit in full.
  if (unit in SYMBOLS || symbol === "/s") return rest;
  return rest.startsWith("per ") ? `${symbol} ${rest}` : `${symbol}, ${rest}`;
}

/** A number of five digits and more within a text, with thin spaces. */
export function spaced(text: string | number): string {
  return String(text).replaceAll(/\d{5,}/g, (digits) => digits.replaceAll(/\B(?=(\d{3})+$)/g, "\u202f"));
}
