// The registry on a Durable Object, beside the same registry written by hand on the object's SQL: in turns, in the same workerd.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { KEY, start } from "../../tests/edge/edge.mjs";
import { figure, median } from "../javascript/report.mjs";
import { request } from "../javascript/workload.mjs";
import { curveOf } from "./curve.mjs";

const { values: args } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    json: { type: "string" },
    document: { type: "string" },
  },
});
const BASE = args.quick ? 5_000 : 100_000;
const ROUNDS = args.quick ? 2 : 10;
const CREATES = args.quick ? 200 : 1_000;
const CONFLICTS = 3 * CREATES;
const SECONDS = args.quick ? 1 : 5;
const CLIENTS = 64;
/** Writes between checkpoints for the curve; the log has four times as many rows. */
const INTERVALS = args.quick ? [64, 4096] : [64, 256, 1024, 4096, 16_384];
const SUBJECTS = ["ours", "peer"];
const { version: miniflare } = JSON.parse(readFileSync(new URL("../../tests/node_modules/miniflare/package.json", import.meta.url), "utf8"));
const results = {
  base: BASE, cpu: cpus()[0].model, cores: cpus().length, versions: { miniflare, node: process.version }, unix_seconds: Math.floor(Date.now() / 1000),
  loops: {}, writes: {}, cold: {}, throughput: {}, curve: [],
};

const say = (text) => process.stderr.write(`${text}\n`);

/** A Worker with objects of its own, and what is asked of them. */
class Bench {
  static async start(layout = {}) {
    const bench = new Bench();
    bench.directory = mkdtempSync(join(tmpdir(), "connectory-edge-"));
    bench.layout = layout;
    await bench.restart();
    return bench;
  }

  async restart() {
    await this.edge?.stop();
    this.edge = await start({
      entry: new URL("worker.ts", import.meta.url),
      persist: this.directory,
      bindings: { LAYOUT: this.layout, CONNECTORY_LOG: "failures" },
      durableObjects: {
        SHARDS: { className: "Shard", useSQLite: true },
        PEERS: { className: "Peer", useSQLite: true },
      },
    });
  }

  /** The answer, and how long it took in microseconds. */
  async ask(path, init) {
    const begun = performance.now();
    const response = await fetch(new URL(path, this.edge.url), init);
    const text = await response.text();
    const us = (performance.now() - begun) * 1000;
    if (!response.ok) throw new Error(`${path}: ${response.status} ${text}\n${this.edge.log.slice(-1000)}`);
    return { us, body: JSON.parse(text) };
  }

  written(subject) {
    return this.ask(`/${subject}/written`).then(({ body }) => body);
  }

  async fill(subject) {
    if (subject === "ours") return this.ask(`/ours/fill?count=${BASE}`);
    for (let from = 0; from < BASE; from += 5000) await this.ask(`/peer/fill?from=${from}&count=${Math.min(5000, BASE - from)}`);
  }

  /** Microseconds for one of `count` requests inside the object; what it costs to ask it at all is taken away. */
  async loop(subject, query, count, status) {
    const { us: asking } = await this.ask(`/${subject}/loop?count=0`);
    const { us, body } = await this.ask(`/${subject}/loop?${query}&count=${count}`);
    if (body[status] !== count) throw new Error(`${subject} ${query}: ${JSON.stringify(body)} instead of ${status}`);
    return (us - asking) / count;
  }

  /** Milliseconds to the first answer of an object that was evicted. */
  async cold() {
    await this.ask("/ours/evict");
    return (await this.ask("/auth/connections?limit=1", { headers: { authorization: `Bearer ${KEY}` } })).us / 1000;
  }

  async stop() {
    await this.edge.stop();
    rmSync(this.directory, { recursive: true });
  }
}

function push(row, subject, value) {
  (row[subject] ??= []).push(value);
}

/** Creates and conflicts one after the other, inside the objects. */
async function loops(bench) {
  const rows = { create: {}, conflict: {} };
  const before = {};
  for (const subject of SUBJECTS) before[subject] = await bench.written(subject);
  let next = BASE;
  for (let round = 0; round < ROUNDS; round += 1) {
    const inTurn = round % 2 === 0 ? SUBJECTS : SUBJECTS.toReversed();
    for (const subject of inTurn) push(rows.create, subject, await bench.loop(subject, `from=${next}`, CREATES, 201));
    next += CREATES;
    for (const subject of inTurn) {
      push(rows.conflict, subject, await bench.loop(subject, `from=${round * CONFLICTS}&of=${BASE}`, CONFLICTS, 409));
    }
    say(`  round ${round + 1} of ${ROUNDS}: ${SUBJECTS.map((it) => `${it} ${figure(rows.create[it].at(-1))}, ${figure(rows.conflict[it].at(-1))}`).join("; ")} us`);
  }
  results.loops = rows;
  for (const subject of SUBJECTS) {
    const after = await bench.written(subject);
    results.writes[subject] = difference(after, before[subject], next - BASE);
  }
  return next;
}

function difference(after, before, creates) {
  return {
    creates,
    rows: (after.rowsWritten - before.rowsWritten) / creates,
    bytes: (after.bytesWritten - before.bytesWritten) / creates,
    databaseBytes: after.databaseBytes,
  };
}

/** Creates from outside, by many clients at once, in turns of a few seconds. */
async function throughput(bench, from) {
  const rates = {};
  let next = from;
  const before = await bench.written("ours");
  let created = 0;
  for (let round = 0; round < (args.quick ? 1 : 5); round += 1) {
    for (const subject of SUBJECTS) {
      const path = subject === "ours" ? "/auth/connections" : "/peer/create";
      const headers = { authorization: `Bearer ${KEY}`, "content-type": "application/json" };
      const end = performance.now() + SECONDS * 1000;
      let done = 0;
      const begun = performance.now();
      await Promise.all(
        Array.from({ length: CLIENTS }, async () => {
          while (performance.now() < end) {
            const body = JSON.stringify(request(next));
            next += 1;
            const response = await fetch(new URL(path, bench.edge.url), { method: "POST", headers, body });
            await response.text();
            if (response.status !== 201) throw new Error(`${subject}: ${response.status}`);
            done += 1;
          }
        }),
      );
      push(rates, subject, done / ((performance.now() - begun) / 1000));
      if (subject === "ours") created += done;
    }
    say(`  round ${round + 1}: ${SUBJECTS.map((it) => `${it} ${figure(rates[it].at(-1))}`).join(", ")} creates/s`);
  }
  results.throughput = rates;
  results.writes.concurrent = difference(await bench.written("ours"), before, created);
}

/** First answers of an object whose log is as long as it gets. */
async function cold(bench, next) {
  const { layout } = bench;
  const interval = (layout.logRows ?? 16_384) / 4;
  // To the next checkpoint, and then to just before the one after that.
  const step = Math.min(interval, 500);
  let at = next;
  const { checkpoints } = await bench.written("ours");
  while ((await bench.written("ours")).checkpoints === checkpoints) {
    await bench.ask(`/ours/loop?from=${at}&count=${step}`);
    at += step;
  }
  for (let left = interval - step; left > 0; left -= step) {
    await bench.ask(`/ours/loop?from=${at}&count=${Math.min(step, left)}`);
    at += step;
  }
  const evicted = [];
  for (let n = 0; n < ROUNDS; n += 1) evicted.push(await bench.cold());
  const { rowsRead } = await bench.written("ours");
  return { next: at, evicted, rowsRead };
}

say(`filling two objects with ${BASE} connections`);
const bench = await Bench.start();
for (const subject of SUBJECTS) await bench.fill(subject);
say("loops inside the objects");
let next = await loops(bench);
say("cold starts");
const starts = await cold(bench, next);
next = starts.next;
const fresh = [];
for (let n = 0; n < (args.quick ? 1 : 5); n += 1) {
  await bench.restart();
  await bench.ask("/healthz");
  fresh.push((await bench.ask("/auth/connections?limit=1", { headers: { authorization: `Bearer ${KEY}` } })).us / 1000);
}
const warm = [];
for (let n = 0; n < 20; n += 1) warm.push((await bench.ask("/auth/connections?limit=1", { headers: { authorization: `Bearer ${KEY}` } })).us / 1000);
results.cold = { evicted: starts.evicted, rowsRead: starts.rowsRead, process: fresh, warm };
say(`  evicted ${figure(median(starts.evicted))} ms, a new process ${figure(median(fresh))} ms, warm ${figure(median(warm))} ms, ${starts.rowsRead} rows read`);
say(`${CLIENTS} clients from outside`);
await throughput(bench, next + 1_000_000);
await bench.stop();

for (const interval of INTERVALS) {
  say(`a checkpoint every ${interval} writes`);
  const bench = await Bench.start({ logRows: 4 * interval });
  await bench.fill("ours");
  const creates = Math.max(args.quick ? 500 : 10_000, 2 * interval);
  const before = await bench.written("ours");
  const perCreate = [];
  for (let from = 0; from < creates; from += CREATES) {
    perCreate.push(await bench.loop("ours", `from=${BASE + from}`, Math.min(CREATES, creates - from), 201));
  }
  const written = difference(await bench.written("ours"), before, creates);
  const { evicted, rowsRead } = await cold(bench, BASE + creates);
  const us = perCreate.reduce((sum, it) => sum + it, 0) / perCreate.length;
  results.curve.push({ interval, us, ...written, cold: median(evicted), rowsRead });
  say(`  ${figure(us)} us, ${written.rows.toFixed(3)} rows, ${figure(written.bytes)} bytes a create; cold ${figure(median(evicted))} ms`);
  await bench.stop();
}

const text = report(results);
process.stdout.write(text);
if (args.json) {
  writeFileSync(args.json, `${JSON.stringify(results, undefined, 2)}\n`);
  writeFileSync(args.json.replace(/json$/, "svg"), curveOf(results.curve, 4096));
}
if (args.document) {
  const document = readFileSync(args.document, "utf8");
  const [begin, end] = ["<!-- measured -->", "<!-- end -->"];
  const [head, rest] = document.split(begin);
  writeFileSync(args.document, `${head}${begin}\n\n${text}\n${end}${rest.split(end)[1]}`);
}
// Connections that are kept alive would hold this up.
process.exit();

function table(head, rows) {
  const line = (cells) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map((_, n) => (n === 0 ? "---" : "---:"))), ...rows.map(line)].join("\n");
}

function mean(figures) {
  return figures.reduce((sum, it) => sum + it, 0) / figures.length;
}

function report({ loops, writes, cold, throughput, curve }) {
  const versus = (name, { ours, peer }, of, isRate = false) => {
    const [one, other] = [of(ours), of(peer)];
    const ratio = one / other;
    const isLost = isRate ? ratio < 1 : ratio > 1;
    return [name, figure(one), figure(other), isLost ? `**${ratio.toFixed(2)}**` : ratio.toFixed(2)];
  };
  const first = table(
    ["", "Connectory", "SQL by hand", "ratio"],
    [
      versus("create, each durable, median of rounds, us", loops.create, median),
      versus("create, each durable, mean with checkpoints, us", loops.create, mean),
      versus("conflict, median of rounds, us", loops.conflict, median),
      versus(`creates a second, ${CLIENTS} clients from outside`, throughput, median, true),
      ["rows written a create, one after the other", writes.ours.rows.toFixed(3), writes.peer.rows.toFixed(3), (writes.ours.rows / writes.peer.rows).toFixed(2)],
      [`rows written a create, ${CLIENTS} clients`, writes.concurrent.rows.toFixed(3), "", ""],
      ["bytes of rows a create, KiB", figure(writes.ours.bytes / 1024), "", ""],
      ["bytes of the database a connection", figure(writes.ours.databaseBytes / (BASE + writes.ours.creates)), figure(writes.peer.databaseBytes / (BASE + writes.peer.creates)), ""],
    ],
  );
  const second = table(
    ["first answer of a cold object", "ms"],
    [
      [`evicted, ${cold.rowsRead} rows read`, figure(median(cold.evicted))],
      ["in a new process", figure(median(cold.process))],
      ["warm", figure(median(cold.warm))],
    ],
  );
  const third = table(
    ["writes between checkpoints", "create, us", "rows a create", "KiB a create", "cold start, ms", "rows read"],
    curve.map(({ interval, us, rows, bytes, cold, rowsRead }) => [interval, figure(us), rows.toFixed(3), figure(bytes / 1024), figure(cold), rowsRead]),
  );
  return `${first}\n\n${second}\n\n${third}\n`;
}
