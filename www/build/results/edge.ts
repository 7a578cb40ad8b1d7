// The Worker beside the same registry written by hand on the object's SQL, from edge.json.
import { median } from "../../../benches/javascript/report.mjs";
import { exactly, type Figure, figureOf, type Row } from "../../src/charts/model.ts";
import { spaced } from "../../src/charts/units.ts";
import { dateOf, read, versionsOf } from "./read.ts";
import type { Section } from "./section.ts";

type Subject = "ours" | "peer";
type Both = Record<Subject, number[]>;
type Written = { creates: number; rows: number; bytes: number; databaseBytes: number };

interface Edge {
  base: number;
  cpu: string;
  cores: number;
  unix_seconds?: number;
  versions?: Record<string, string>;
  loops: { create: Both; conflict: Both };
  writes: Record<Subject | "concurrent", Written>;
  cold: { evicted: number[]; process: number[]; warm: number[]; rowsRead: number };
  throughput: Both;
  curve: { interval: number; us: number; rows: number; bytes: number; cold: number }[];
}

const edge = read<Edge>("edge");
const { loops, writes, cold, throughput, curve } = edge;
const PEER = "SQL by hand";

const billed = ofWritten(({ rows }) => rows);
const size = ofWritten(({ databaseBytes, creates }) => databaseBytes / (edge.base + creates));

const rows: Row[] = [
  versus("rows written and billed a create", "rows", "less", billed),
  alone("rows written and billed a create, 64 clients", "rows", exactly(writes.concurrent.rows)),
  versus("create, durable", "us p50", "less", ofRounds(loops.create, median)),
  versus("create, durable, with checkpoints", "us mean", "less", ofRounds(loops.create, mean)),
  versus("conflict", "us p50", "less", ofRounds(loops.conflict, median)),
  versus("create, durable, 64 clients from outside", "creates/s", "more", ofRounds(throughput, median)),
  versus("size of the database", "bytes per connection", "less", size),
  alone("first answer of an object that was evicted", "ms p50", figureOf(cold.evicted)),
  alone("first answer in a new process", "ms p50", figureOf(cold.process)),
  alone("first answer of an object that is there", "ms p50", figureOf(cold.warm)),
];

export const atTheEdge: Section = {
  title: "At the edge",
  about: `Two Durable Objects with ${spaced(edge.base)} connections each: one with the engine, one with the same
    registry written by hand on the object’s SQL. Both are asked in turns in the same workerd, on this machine and not
    on the platform. Rows are what the platform bills.`,
  facts: [
    ["Machine", `${edge.cpu}, ${edge.cores} cores`],
    ["Versions", edge.versions ? versionsOf(edge.versions) : "not recorded in this run"],
    ["Date", edge.unix_seconds ? dateOf(edge.unix_seconds) : "not recorded in this run"],
    ["Rounds", `${loops.create.ours.length}; ${throughput.ours.length} of 64 clients`],
  ],
  command: "benches/edge/run",
  charts: [
    { title: "At the edge", rows },
    {
      title: "By the number of writes between checkpoints",
      rows: [
        byInterval("rows written and billed a create", "rows", ({ rows }) => rows),
        byInterval("bytes of rows a create", "KiB", ({ bytes }) => bytes / 1024),
        byInterval("create, with checkpoints", "us mean", ({ us }) => us),
        byInterval("first answer of an object that was evicted", "ms p50", ({ cold }) => cold),
      ],
    },
  ],
  notes: [
    "Between checkpoints lie 4096 writes unless told otherwise. Fewer cost more rows, more cost a longer cold start.",
  ],
};

function versus(name: string, unit: string, better: "less" | "more", { ours, peer }: Record<Subject, Figure>): Row {
  const ratio = better === "less" ? ours.median / peer.median : peer.median / ours.median;
  const bars = [
    { name: "connectory", figure: ours },
    { name: PEER, figure: peer },
  ];
  return { name, unit, better, bars, verdict: { peer: PEER, ratio } };
}

function alone(name: string, unit: string, figure: Figure): Row {
  return { name, unit, better: "less", bars: [{ name: "connectory", figure }] };
}

function byInterval(name: string, unit: string, value: (point: Edge["curve"][number]) => number): Row {
  const bars = curve.map((point) => ({ name: spaced(point.interval), figure: exactly(value(point)) }));
  return { name, unit, better: "less", bars };
}

function ofRounds({ ours, peer }: Both, middle: (rounds: number[]) => number): Record<Subject, Figure> {
  return { ours: figureOf(ours, middle(ours)), peer: figureOf(peer, middle(peer)) };
}

function ofWritten(value: (written: Written) => number): Record<Subject, Figure> {
  return { ours: exactly(value(writes.ours)), peer: exactly(value(writes.peer)) };
}

function mean(figures: number[]): number {
  return figures.reduce((sum, it) => sum + it, 0) / figures.length;
}
