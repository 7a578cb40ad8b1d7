// The npm package beside what else there is in Node.js and in Chromium, from javascript.json.
import type { JavaScriptRow } from "../../../benches/javascript/report.mjs";
import { rowOf } from "../../src/charts/model.ts";
import { spaced } from "../../src/charts/units.ts";
import { dateOf, read, versionsOf } from "./read.ts";
import type { Section } from "./section.ts";

interface Run {
  about: {
    machine: { cpu: string; cores: number; memory_mib: number };
    versions: Record<string, string>;
    plan: { size: number; rounds: number; imports: number; starts: number };
    unix_seconds: number;
  };
  sections: { host: string; place: string; rows: JavaScriptRow[] }[];
}

const { about, sections } = read<Run>("javascript");
const { machine, plan } = about;

export const javascript: Section = {
  title: "In JavaScript",
  about: `The npm package beside SQLite in four forms, PGlite and IndexedDB. All keep the API’s object in full, have
    the same indexes, and must give the same answers first; then they are measured in turns on ${spaced(plan.size)}
    connections. Durable means synced before it is answered. Map and one write are floors: they cannot be beaten and
    are no peers.`,
  facts: [
    ["Machine", `${machine.cpu}, ${machine.cores} cores, ${Math.round(machine.memory_mib / 1024)} GiB`],
    ["Versions", versionsOf(about.versions)],
    ["Date", dateOf(about.unix_seconds)],
    ["Rounds", `${plan.rounds}; ${plan.imports} of imports, ${plan.starts} of cold starts`],
  ],
  command: "benches/javascript/run",
  // What this page can measure as well comes first.
  charts: [...sections].reverse().map(({ host, place, rows }) => ({
    title: `${host}, ${place === "durable" ? "durable" : "in memory"}`,
    rows: rows.map(rowOf).map((row) => ({ ...row, name: spaced(row.name) })),
  })),
  notes: [
    "From a page every call passes two threads; peers are asked in a thread of their own. The verdict is a worker’s.",
    "In memory the border costs more than the engine: requests cross it as text, and are checked as the API does.",
  ],
};
