// What was measured: tables to read, what was to be reached, and every figure as JSON.
import { CONTENDERS } from "./contenders.mjs";

const FLOORS = new Set(["native", "native json", ...CONTENDERS.filter(({ role }) => role === "floor").map(({ name }) => name)]);
const OURS = new Set(CONTENDERS.filter(({ role }) => role === "ours").map(({ name }) => name));

export function median(figures) {
  const sorted = [...figures].sort((one, other) => one - other);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** How far the rounds are apart, as a part of their median. */
function spread(figures) {
  return (Math.max(...figures) - Math.min(...figures)) / median(figures);
}

function medianOf(row, contender) {
  const figures = row?.figures[contender];
  return figures === undefined ? undefined : median(figures);
}

/** The peer that does best, and what ours costs when it costs 1. */
function best(row) {
  const ours = medianOf(row, "connectory");
  const peers = Object.keys(row.figures).filter((name) => !FLOORS.has(name) && !OURS.has(name));
  if (ours === undefined || peers.length === 0) return undefined;
  const [name, figure] = peers.map((it) => [it, medianOf(row, it)]).sort(([, one], [, other]) => one - other)[0];
  return { peer: name, ratio: ours / figure };
}

/** A figure with about three digits, thousands apart. */
export function figure(value) {
  if (value === undefined) return "";
  if (value < 9.995) return value.toFixed(2);
  if (value < 999.5) return value.toFixed(1);
  return value.toFixed(0).replaceAll(/\B(?=(\d{3})+$)/g, " ");
}

function ratio(value, bound = 1) {
  return value > bound ? `**${value.toFixed(2)}**` : value.toFixed(2);
}

function table(head, rows) {
  const line = (cells) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map((_, n) => (n === 0 ? "---" : "---:"))), ...rows.map(line)].join("\n");
}

/** A section's rows as Markdown. */
export function tableOf({ rows }) {
  const names = [...new Set(rows.flatMap((row) => Object.keys(row.figures)))];
  const group = (name) => (OURS.has(name) ? 0 : FLOORS.has(name) ? 2 : 1);
  const listed = (name) => CONTENDERS.findIndex((it) => it.name === name);
  names.sort((one, other) => group(one) - group(other) || listed(one) - listed(other));
  return table(
    ["", ...names, "ours / best peer"],
    rows.map((row) => {
      const against = row.unit === "flushes" ? undefined : best(row);
      const last = against ? `${ratio(against.ratio)} (${against.peer})` : "";
      return [`${row.name}, ${row.unit}`, ...names.map((name) => figure(medianOf(row, name))), last];
    }),
  );
}

/** What was to be reached: a figure of ours over one of `over`, or alone, and the most it may be. */
function targets() {
  const all = [];
  const add = (host, place, row, over, most) => all.push({ host, place, row, over, most });
  const cold = "cold start to the first answered create";
  for (const host of ["Node.js", "Chromium"]) {
    add(host, "memory", cold, undefined, 15);
    for (const peer of ["sqlite-wasm", "sql.js"]) add(host, "memory", cold, peer, 0.33);
    for (const row of ["create, memory", "conflict", "get"]) {
      add(host, "memory", row, "native", 2);
      add(host, "memory", row, "native json", undefined);
      for (const peer of ["sqlite-wasm", "sql.js"]) add(host, "memory", row, peer, 0.33);
      if (host === "Node.js") add(host, "memory", row, "better-sqlite3", 1);
    }
  }
  for (const row of ["create, durable", "create, durable, 64 in flight"]) {
    for (const form of [row, `${row}, with the checkpoint after it`]) {
      add("Node.js", "durable", form, "better-sqlite3", 1);
      add("Chromium", "durable", form, "sahpool, WAL", 0.7);
      add("Chromium", "durable", form, "IndexedDB", 0.25);
    }
  }
  add("Chromium", "durable", "flushes for 64 creates", undefined, 1);
  return all;
}

export function goals(sections) {
  return targets().flatMap(({ host, place, row, over, most }) => {
    const section = sections.find((it) => it.host === host && it.place === place);
    const found = section?.rows.find(({ name }) => name === row);
    const ours = medianOf(found, "connectory");
    // An engine that has nothing to do afterwards was measured whole.
    const plain = section?.rows.find(({ name }) => name === row.split(", with the checkpoint")[0]);
    const theirs = over === undefined ? 1 : (medianOf(found, over) ?? medianOf(plain, over));
    if (ours === undefined || theirs === undefined) return [];
    return [{ host, row, over, most, is: ours / theirs, unit: found.unit }];
  });
}

export function goalsTable(reached) {
  return table(
    ["", "", "over", "ours", "at most"],
    reached.map(({ host, row, over, most, is, unit }) => {
      const shown = over === undefined ? figure(is) : is.toFixed(2);
      const unitOfAlone = over === undefined ? ` ${unit}` : "";
      return [host, row, over ?? "", (most !== undefined && is > most ? `**${shown}**` : shown) + unitOfAlone, most ?? ""];
    }),
  );
}

export function asJson(about, sections) {
  const rounded = (value) => Number(value.toPrecision(6));
  const each = (row, value) =>
    Object.fromEntries(Object.entries(row.figures).map(([name, figures]) => [name, value(figures)]));
  return {
    about,
    sections: sections.map(({ host, place, rows }) => ({
      host,
      place,
      rows: rows.map((row) => ({
        name: row.name,
        unit: row.unit,
        medians: each(row, (figures) => rounded(median(figures))),
        spreads: each(row, (figures) => rounded(spread(figures))),
        best: best(row),
        rounds: each(row, (figures) => figures.map(rounded)),
      })),
    })),
    goals: goals(sections),
  };
}
