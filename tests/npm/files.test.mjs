// Stores in files of Node.js: the lock that native processes share, what a killed process leaves, and storages that fail.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { after, test } from "node:test";
import { command, dist, FailedError, native, open } from "./package.mjs";
import { textOf } from "./subject.mjs";

const directory = fs.mkdtempSync(join(tmpdir(), "connectory-"));
after(() => fs.rmSync(directory, { recursive: true }));

let places = 0;
function place() {
  places += 1;
  const path = join(directory, String(places));
  fs.mkdirSync(path);
  return join(path, "default.connectory");
}

/** Runs the command line on the store in this file. */
const natively = (path, ...args) => spawnSync(command, ["--store", dirname(path), ...args], { encoding: "utf8" });

async function fails(call, reason) {
  await assert.rejects(call, (error) => {
    assert.ok(error instanceof FailedError, String(error.stack));
    assert.equal(error.reason, reason, String(error));
    return true;
  });
}

const pair = (n) => ({ domain: `d${n}.example.com`, profile_name: `p${n % 9}` });

/** Lets `patched` stand in for functions of node:fs while `run` runs. */
async function withFs(patched, run) {
  const before = Object.fromEntries(Object.keys(patched).map((name) => [name, fs[name]]));
  Object.assign(fs, patched);
  syncBuiltinESMExports();
  try {
    return await run();
  } finally {
    Object.assign(fs, before);
    syncBuiltinESMExports();
  }
}

/** A process of Node.js that opens the store, creates without end and says what it created. */
async function writer(path) {
  const program = `
    const { open } = await import(${JSON.stringify(String(new URL("node.js", dist)))});
    const store = await open({ path: process.argv[1] });
    console.log("open");
    for (let n = (await store.stats()).connections; ; n += 8) {
      const made = Array.from({ length: 8 }, (_, m) => store.create({ domain: \`w\${n + m}.example.com\`, profile_name: "w" }));
      for (const { connection } of await Promise.all(made)) process.stdout.write(connection.id + "\\n");
    }`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", program, path], { stdio: ["ignore", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout });
  const said = [];
  lines.on("line", (line) => said.push(line));
  await once(lines, "line");
  return { child, lines, said };
}

test("native and Node.js refuse each other's open store, and a second one here", async () => {
  const path = place();
  const store = await open({ path });
  await store.create(pair(1));
  const refused = natively(path, "list");
  assert.equal(refused.status, 2, refused.stderr);
  assert.match(refused.stderr, /in use by another process/);
  await fails(() => open({ path }), "in_use");
  await store.close();
  assert.equal(natively(path, "check").status, 0);

  const server = spawn(command, ["--store", dirname(path), "serve", "--listen", "127.0.0.1:0"]);
  let said = "";
  while (!/http:\/\/\S+/.test(said)) said += await Promise.race([server.stdout, server.stderr].map((stream) => once(stream, "data")));
  const [url] = /http:\/\/[\d.:]+/.exec(said);
  assert.equal((await (await fetch(`${url}/auth/connections`)).json()).length, 1);
  await fails(() => open({ path }), "in_use");
  const ended = once(server, "exit");
  server.kill("SIGKILL");
  await ended;
  await (await open({ path })).close();
});

test("a killed process frees the store at once, and what it acknowledged is there", async () => {
  const path = place();
  for (let round = 0; round < 6; round += 1) {
    const { child, lines, said } = await writer(path);
    while (said.length < 200) await once(lines, "line");
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
    const isNative = round % 2 === 0;
    const ids = said.filter((line) => line.startsWith("ma_") && line.length === 29);
    if (isNative) {
      const check = natively(path, "check");
      assert.equal(check.status, 0, check.stderr);
      assert.equal(natively(path, "get", ids.at(-1)).status, 0);
    }
    const store = await open({ path });
    for (const id of ids) assert.ok(await store.get(id), `round ${round}: ${id} is lost`);
    assert.deepEqual((await store.check()).problems, []);
    await store.close();
    assert.ok(!fs.existsSync(`${path}-log`), "a clean close removes the log");
  }
});

test("what is no store, or is damaged, or of another format, is an error and stays as it is", async () => {
  const store = place();
  const made = await open({ path: store });
  await made.load(native.operations.dump);
  await made.close();
  const whole = fs.readFileSync(store);
  const damaged = Buffer.from(whole);
  damaged.fill(0xa5, 64, 4096);
  for (const [bytes, reasons] of [
    [Buffer.alloc(0), ["not_a_store"]],
    [Buffer.from("SQLite format 3\0"), ["not_a_store"]],
    [Buffer.from(native.other_format, "base64"), ["other_format"]],
    [damaged, ["damaged", "not_a_store"]],
    [whole.subarray(0, 8192), ["damaged", "not_a_store"]],
  ]) {
    const path = place();
    fs.writeFileSync(path, bytes);
    await assert.rejects(() => open({ path }), (error) => reasons.includes(error.reason) || assert.fail(String(error)));
    assert.ok(fs.readFileSync(path).equals(bytes), "it stays as it was");
  }
  await fails(() => open({ path: join(directory, "no", "such", "directory") }), "io");
  await fails(() => open({ path: directory }), "io");
});

test("a log that is needed and gone is an error", async () => {
  const path = place();
  const { child, lines, said } = await writer(path);
  while (said.length < 9) await once(lines, "line");
  const ended = once(child, "exit");
  child.kill("SIGKILL");
  await ended;
  fs.rmSync(`${path}-log`);
  await fails(() => open({ path }), "damaged");
});

test("a batch is one sync, however many wait for it", async () => {
  const path = place();
  const store = await open({ path });
  await store.create(pair(0));
  let syncs = 0;
  const { fdatasyncSync } = fs;
  const counting = { fdatasyncSync: (file) => ((syncs += 1), fdatasyncSync(file)) };
  await withFs(counting, async () => {
    await Promise.all(Array.from({ length: 64 }, (_, n) => store.create(pair(n + 1))));
    assert.equal(syncs, 1);
    await store.create(pair(100));
    assert.equal(syncs, 2);
    await Promise.all([store.get("ma_x"), store.create(pair(100)), store.list()]);
    assert.equal(syncs, 2, "reading and conflicts sync nothing");
  });
  await store.close();
});

test("a full disk refuses what does not fit and loses nothing; with space again the store works", async () => {
  const path = place();
  const store = await open({ path, logBytes: 65_536 });
  const before = await store.create(pair(0));
  const full = () => {
    throw Object.assign(new Error("no space left on device"), { code: "ENOSPC" });
  };
  const { writeSync } = fs;
  /** What has its place on the disk can be written. */
  const whereThereIsRoom = (file, bytes, from, length, at) =>
    at + length > fs.fstatSync(file).blocks * 512 ? full() : writeSync(file, bytes, from, length, at);
  const created = [];
  await withFs({ writeSync: whereThereIsRoom, ftruncateSync: full }, async () => {
    for (let n = 1, refused = 0; refused < 3; n += 1) {
      assert.ok(n < 10_000, "the disk is never full");
      const answer = await store.create(pair(n)).catch((error) => error);
      if (answer.outcome === "created") created.push(answer.connection.id);
      else refused += 1;
      if (answer.outcome !== "created") assert.equal(answer.reason, "storage_full", String(answer));
    }
    assert.equal((await store.create(pair(0))).existing_id, before.connection.id);
  });
  assert.equal((await store.create({ ...pair(0), domain: "with.space" })).outcome, "created");
  assert.deepEqual((await store.check()).problems, []);
  await store.close();
  const again = await open({ path });
  for (const id of created) assert.ok(await again.get(id));
  assert.equal((await again.stats()).connections, created.length + 2);
  await again.close();
});

test("a sync that fails leaves the outcome unknown or certain, and the store comes back", async () => {
  const path = place();
  const store = await open({ path });
  await store.create(pair(0));
  const failing = () => {
    throw Object.assign(new Error("input/output error"), { code: "EIO" });
  };
  const error = await withFs({ fdatasyncSync: failing }, () => store.create(pair(1)).catch((error) => error));
  assert.ok(["outcome_unknown", "io"].includes(error.reason), String(error));
  const outcome = (await store.create(pair(1))).outcome;
  assert.ok(outcome === "created" || (outcome === "conflict" && error.reason === "outcome_unknown"), outcome);
  await store.close();
  const again = await open({ path });
  assert.equal((await again.stats()).connections, 2);
  await again.close();
});

test("without a way to lock the store is not opened, unless that is asked for", async () => {
  const path = place();
  const { PATH } = process.env;
  process.env.PATH = directory;
  try {
    await fails(() => open({ path }), "lock_unavailable");
    const store = await open({ path, lock: "none" });
    assert.equal((await store.create(pair(1))).outcome, "created");
    await store.close();
  } finally {
    process.env.PATH = PATH;
  }
  const store = await open({ path });
  assert.notEqual(await textOf(store), "");
  await store.close();
});
