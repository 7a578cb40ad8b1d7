// How a project spreads over shards, as simulated: from shards.json.
import { exactly, type Row } from "../../src/charts/model.ts";
import { spaced } from "../../src/charts/units.ts";
import { read } from "./read.ts";
import type { Section } from "./section.ts";

interface Shards {
  arguments: {
    seed: number;
    connections: number;
    connection_bytes: number;
    object_gb: number;
    profiles: { cap: number; mean: number };
    writes_a_second: [number, number];
    lists: { limit: number };
  };
  balance: { sizes: string; milestones: { connections: number; fullest_over_mean: number[] }[] }[];
  capacity: { sizes: string; counts: { shards: number; connections: number }[] }[];
  lists: { shards: number; times: { p50_ms: number; p99_ms: number } }[];
  objects: { shards: number; busiest_creates_a_second: number }[];
}

const { arguments: assumed, balance, capacity, lists, objects } = read<Shards>("shards");
const COUNTS = objects.map(({ shards }) => shards);
const SMALL = 1_000_000;
const LIST = `list of ${assumed.lists.limit} over all shards`;
const WRITES = assumed.writes_a_second.join(" to ");

const even = imbalance("geometric").map(percentOver);
const uneven = imbalance("heavy tail").map(percentOver);
const busiest = objects.map((it) => it.busiest_creates_a_second);
const medians = lists.map(({ times }) => times.p50_ms);
const slowest = lists.map(({ times }) => times.p99_ms);

export const shards: Section = {
  title: "Over shards",
  about: `Simulated, not measured: ${spaced(assumed.connections)} connections are spread over objects by the engine’s own
    hash of the profile’s name. Even profiles have ${assumed.profiles.mean} connections on average; the heavy tail is
    meant as a bad case, with profiles of up to ${spaced(assumed.profiles.cap)}. Each bar is a number of shards, and the
    worst of all kinds of names.`,
  facts: [
    ["Machine", "any: the same seed gives the same figures everywhere"],
    ["Seed", String(assumed.seed)],
    [
      "Assumed",
      `${assumed.connection_bytes} bytes a connection, ${assumed.object_gb} GB an object, ${WRITES} writes a second`,
    ],
  ],
  command: "cargo run --release -p connectory-benches --features shards --bin shards",
  charts: [
    {
      title: "By the number of shards",
      rows: [
        row("fullest shard, even profiles", "percent over the mean", even),
        row("fullest shard, heavy tail", "percent over the mean", uneven),
        row(
          `fullest shard, heavy tail, ${spaced(SMALL)} connections`,
          "times the mean",
          imbalance("heavy tail", SMALL),
        ),
        row("busiest object", "creates/s", busiest),
        row(`${LIST}: median`, "ms p50", medians),
        row(`${LIST}: 99th percentile`, "ms p99", slowest),
        { ...row("most connections, even profiles", "millions", most("geometric")), better: "more" },
        { ...row("most connections, heavy tail", "millions", most("heavy tail")), better: "more" },
      ],
    },
  ],
  notes: [
    "Few large profiles spread badly, and more shards do not help: a profile is never split.",
    "A list that is not filtered by profile waits for the slowest of all shards, so it gets slower with each step.",
  ],
};

/** The fullest shard over the mean by number of shards, for the worst of all names. */
function imbalance(sizes: string, connections = assumed.connections): number[] {
  const all = balance
    .filter((it) => it.sizes === sizes)
    .map(({ milestones }) => milestones.find((it) => it.connections === connections)!.fullest_over_mean);
  return COUNTS.map((_, n) => Math.max(...all.map((figures) => figures[n] ?? 0)));
}

function percentOver(times: number): number {
  return (times - 1) * 100;
}

function most(sizes: string): number[] {
  return capacity.find((it) => it.sizes === sizes)!.counts.map(({ connections }) => connections / 1e6);
}

function row(name: string, unit: string, values: number[]): Row {
  const bars = values.map((value, n) => ({ name: String(COUNTS[n]), figure: exactly(value) }));
  return { name, unit, better: "less", bars };
}
