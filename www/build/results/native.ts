// The engine beside others in Rust, from peers.json.
import { figureOf, type Row } from "../../src/charts/model.ts";
import { kindOf, spaced } from "../../src/charts/units.ts";
import { dateOf, read, versionsOf } from "./read.ts";
import type { Section } from "./section.ts";

interface Peers {
  about: {
    machine: { cores: number; cpu: string; filesystem: string; memory: string };
    rounds: number;
    size: number;
    unix_seconds: number;
    versions: Record<string, string>;
  };
  rows: {
    name: string;
    unit: string;
    better: "less" | "more";
    best_peer: string;
    ratio_to_best: number;
    medians: Record<string, number>;
    rounds: Record<string, number[]>;
  }[];
}

const { about, rows } = read<Peers>("peers");
const { cpu, cores, filesystem, memory } = about.machine;

export const native: Section = {
  title: "Native",
  about: `The same registry on SQLite (WAL), LMDB, fjall and redb by itself, each used as its documentation advises
    and synced at every commit. First all must give the same answers, then they are measured in turns on
    ${spaced(about.size)} connections.`,
  facts: [
    ["Machine", `${cpu}, ${cores} cores, ${memoryOf(memory)}, ${filesystem}`],
    ["Versions", versionsOf(about.versions)],
    ["Date", dateOf(about.unix_seconds)],
    ["Rounds", String(about.rounds)],
  ],
  command:
    "cargo run --release -p connectory-benches --features peers --bin peers -- --json benches/results/peers.json",
  charts: [{ title: "Native", rows: rows.map(rowOf) }],
  notes: [
    "LMDB reads faster: it maps the file and hands out what lies there.",
    "After a crash the log is replayed, so opening takes as long as the log is. SQLite and LMDB have less to do then.",
  ],
};

function rowOf({ name, unit, better, medians, rounds, best_peer, ratio_to_best }: Peers["rows"][number]): Row {
  const bars = Object.entries(rounds).map(([name, figures]) => ({ name, figure: figureOf(figures, medians[name]) }));
  const isAlone = rows.filter((row) => row.name === name).length === 1;
  return {
    name: spaced(isAlone ? name : `${name}: ${kindOf(unit)}`),
    unit,
    better,
    bars,
    verdict: { peer: best_peer, ratio: ratio_to_best },
  };
}

/** "MemTotal:  24684084 kB", as the kernel says it. */
function memoryOf(line: string): string {
  return `${Math.round(Number.parseInt(line.replace(/\D+/, ""), 10) / 2 ** 20)} GiB`;
}
