// Rows are what an object's storage costs: a create writes one, creates at the same time share it, and reading writes none.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Faulty, numbers } from "./faulty.mjs";

/** A checkpoint after 16 rows. */
const LOG_ROWS = 64;
const SEED = 1;

async function withStore(layout, run) {
  const edge = await Faulty.start({ layout, projects: ["absent"] });
  try {
    await edge.request("PUT", "/proxies/px-1", { body: {} });
    for (let n = 0; n < 5; n += 1) assert.equal((await edge.create("ada", `d${n}.example.com`)).status, 201);
    await run(edge);
  } finally {
    await edge.stop();
  }
}

/** What the object has written while this ran. */
async function cost(edge, run) {
  await edge.arm();
  const before = await edge.call("metrics");
  await run();
  const after = await edge.call("metrics");
  const trace = (await edge.call("trace")).filter((name) => !name.startsWith("answer"));
  const of = (name) => after[name] - before[name];
  return { rows: of("rowsWritten"), bytes: of("bytesWritten"), checkpoints: of("checkpoints"), batches: of("batches"), trace };
}

const ROW = ["INSERT OR REPLACE INTO log", "sync"];

test("a create, a change and a delete cost one row beside checkpoints, wherever the log is in its ring", () =>
  withStore({ chunkBytes: 4096, logRows: LOG_ROWS }, async (edge) => {
    let checkpoints = 0;
    let chunks;
    let last;
    for (let n = 0; n < 3 * LOG_ROWS; n += 1) {
      const spent = await cost(edge, async () => {
        const { status, body } = n % 3 === 0
          ? await edge.create("grace", `d${n}.example.com`)
          : n % 3 === 1
            ? await edge.request("PATCH", `/auth/connections/${last.id}`, { body: { health_check_interval: 300 + n } })
            : await edge.request("DELETE", `/auth/connections/${last.id}`);
        assert.ok(status < 300);
        last = body;
      });
      checkpoints += spent.checkpoints;
      // The first checkpoints still find how long the store has to be.
      if (n === LOG_ROWS) chunks = (await edge.call("rows")).chunks;
      if (n > LOG_ROWS) assert.ok(spent.trace.every((name) => name.startsWith("INSERT") || name === "sync"), `${spent.trace}`);
      if (spent.checkpoints > 0) continue;
      assert.deepEqual(spent.trace, ROW);
      assert.equal(spent.rows, 1);
    }
    assert.equal(checkpoints, 12, "one after each quarter");
    assert.deepEqual(await edge.call("rows"), { log: LOG_ROWS, chunks });
  }));

test("creates at the same time share rows", () =>
  withStore(null, async (edge) => {
    const spent = await cost(edge, async () => {
      const creates = Array.from({ length: 64 }, (_, n) => edge.create("grace", `d${n}.example.com`));
      assert.deepEqual((await Promise.all(creates)).map(({ status }) => status), Array(64).fill(201));
    });
    assert.deepEqual([spent.checkpoints, spent.rows], [0, spent.batches]);
    assert.ok(spent.rows < 64, `${spent.rows} rows`);
    console.log(`64 creates at the same time: ${spent.rows} rows`);
  }));

test("reading, conflicts, refusals, cold starts and projects that are not there cost nothing", () =>
  withStore(null, async (edge) => {
    const { body: connections } = await edge.request("GET", "/auth/connections");
    const reading = async () => {
      for (const path of ["/auth/connections", `/auth/connections/${connections[0].id}`, "/profiles", "/proxies", "/dump", "/metrics"]) {
        assert.equal((await edge.request("GET", path)).status, 200);
      }
      assert.equal((await edge.request("GET", "/auth/connections/none")).status, 404);
      assert.equal((await edge.create("ada", "d1.example.com")).status, 409);
      assert.equal((await edge.create("", "d1.example.com")).status, 400);
      assert.equal((await edge.request("DELETE", "/auth/connections/none")).status, 404);
    };
    const spent = await cost(edge, reading);
    assert.deepEqual([spent.rows, spent.trace], [0, []]);
    await edge.evict();
    await reading();
    assert.deepEqual((await edge.call("trace")).filter((name) => !name.startsWith("answer")), []);
    assert.equal((await edge.call("metrics")).rowsWritten, 0);
    const absent = edge.of("absent");
    for (const path of ["/auth/connections", "/profiles", "/proxies", "/dump", "/metrics"]) {
      assert.equal((await absent.request("GET", path)).status, 200);
    }
    assert.equal((await absent.request("GET", `/auth/connections/${connections[0].id}`)).status, 404);
    assert.deepEqual((await absent.call("trace")).filter((name) => !name.startsWith("answer")), []);
    assert.deepEqual(await absent.call("rows"), {});
  }));

test("the first create after a cold start costs one row", () =>
  withStore(null, async (edge) => {
    for (let n = 0; n < 5; n += 1) {
      await edge.evict();
      assert.equal((await edge.create("grace", `d${n}.example.com`)).status, 201);
      assert.deepEqual((await edge.call("trace")).filter((name) => !name.startsWith("answer")), ROW);
      const { rowsWritten, checkpoints } = await edge.call("metrics");
      assert.deepEqual([rowsWritten, checkpoints], [1, 0]);
    }
  }));

test("with checkpoints a create costs at most 1.25 rows", () =>
  withStore(null, async (edge) => {
    const below = numbers(SEED);
    const names = Array.from({ length: 9500 }, (_, n) => [`p${below(1500)}`, `d${n}-${below(1000)}.example.com`]);
    while (names.length > 4500) {
      const statuses = await edge.call("createAll", {}, `p${below(1500)}`, names.splice(0, 10).map(([, domain]) => domain));
      assert.deepEqual(statuses, Array(10).fill(201));
    }
    const count = names.length;
    const spent = await cost(edge, async () => {
      for (const [profile, domain] of names) assert.equal((await edge.create(profile, domain)).status, 201);
    });
    const { connections, databaseBytes } = await edge.call("metrics");
    const each = spent.rows / count;
    const bytes = Math.round(spent.bytes / count);
    console.log(JSON.stringify({ count, connections, rows: each, bytes, checkpoints: spent.checkpoints, databaseBytes }));
    assert.ok(spent.checkpoints >= 1, "a checkpoint is among them");
    assert.ok(each <= 1.25, `${each} rows`);
  }));
