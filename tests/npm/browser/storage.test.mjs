// What goes wrong with files of a browser is a typed error, and loses nothing: no space, a file that is held, none at all,
// or one of something else.
import assert from "node:assert/strict";
import { test } from "node:test";
import { native } from "../package.mjs";
import { inBrowser, openTab } from "./tab.mjs";

const here = inBrowser({ args: ["--host-resolver-rules=MAP insecure.example 127.0.0.1"] });

/** A tab in which `failing(call)` is the reason and the code that a call fails with. */
async function tabOf(context, url = here.server.url) {
  const tab = await openTab(context, url);
  await tab.evaluate(() => {
    window.failing = async (call) => {
      try {
        return ["done", await call()];
      } catch (error) {
        if (!(error instanceof FailedError)) throw error;
        return [error.reason, error.code];
      }
    };
    /** Runs in a worker, where files can be opened. */
    window.inWorker = (code, ...args) => {
      const run = `onmessage = async ({ data }) => { try { postMessage(await (${code})(...data)); } catch (e) { postMessage(String(e)); } }`;
      window.helper = new Worker(URL.createObjectURL(new Blob([run])));
      helper.postMessage(args);
      return new Promise((resolve) => (helper.onmessage = ({ data }) => resolve(data)));
    };
    window.write = (name, bytes) => inWorker(async (name, bytes) => {
      const root = await navigator.storage.getDirectory();
      const directory = await root.getDirectoryHandle("connectory", { create: true });
      const handle = await (await directory.getFileHandle(name, { create: true })).createSyncAccessHandle();
      handle.truncate(0);
      handle.write(new Uint8Array(bytes), { at: 0 });
      handle.close();
    }, name, bytes);
    window.read = (name) => inWorker(async (name) => {
      const root = await navigator.storage.getDirectory();
      const directory = await root.getDirectoryHandle("connectory");
      return [...new Uint8Array(await (await (await directory.getFileHandle(name)).getFile()).arrayBuffer())];
    }, name);
  });
  return tab;
}

test("a full quota refuses what does not fit and loses nothing; with space again the store works", async () => {
  const context = await here.browser.newContext();
  const tab = await tabOf(context);
  await tab.evaluate(async () => {
    window.store = await open({ name: "full", logBytes: 1 << 20 });
    window.one = (await store.create({ domain: "netflix.com", profile_name: "ada" })).connection;
  });
  const session = await context.newCDPSession(tab);
  const { usage } = await tab.evaluate(() => navigator.storage.estimate());
  const origin = new URL(here.server.url).origin;
  await session.send("Storage.overrideQuotaForOrigin", { origin, quotaSize: usage + (1 << 20) });
  const { created, refused, conflict } = await tab.evaluate(async () => {
    const created = [];
    const refused = [];
    for (let n = 0; refused.length < 3 && n < 20_000; n += 64) {
      const rows = Array.from({ length: 64 }, (_, m) => ({ domain: `d${n + m}.example.com`, profile_name: `p${m}` }));
      for (const answer of await Promise.all(rows.map((row) => failing(() => store.create(row))))) {
        if (answer[0] === "done") created.push(answer[1].connection.id);
        else refused.push(answer.join(" "));
      }
    }
    const conflict = await failing(() => store.create({ domain: "netflix.com", profile_name: "ada" }));
    return { created, refused, conflict };
  });
  assert.ok(refused.length > 0, `the quota was never full: ${created.length} created`);
  assert.deepEqual([...new Set(refused)], ["storage_full storage_full"]);
  assert.equal(conflict[1].outcome, "conflict");
  await session.send("Storage.overrideQuotaForOrigin", { origin });
  const after = await tab.evaluate(async (created) => {
    const [, answer] = await failing(() => store.create({ domain: "with.space", profile_name: "ada" }));
    const { problems } = await store.check();
    await store.close();
    window.store = await open({ name: "full" });
    let lost = 0;
    for (const id of created) if (!(await store.get(id))) lost += 1;
    return { outcome: answer.outcome, problems, lost, connections: (await store.stats()).connections };
  }, created);
  assert.deepEqual(after, { outcome: "created", problems: [], lost: 0, connections: created.length + 2 });
  await context.close();
});

test("a file that somebody holds is an error, not a store in memory; once it is free the store opens", async () => {
  const context = await here.browser.newContext();
  const tab = await tabOf(context);
  const said = await tab.evaluate(async () => {
    const store = await open({ name: "held" });
    await store.create({ domain: "netflix.com", profile_name: "ada" });
    await store.close();
    await inWorker(async () => {
      const directory = await (await navigator.storage.getDirectory()).getDirectoryHandle("connectory");
      self.held = await (await directory.getFileHandle("held.connectory")).createSyncAccessHandle();
    });
    const began = performance.now();
    const answer = await failing(() => open({ name: "held" }));
    const waited = performance.now() - began;
    helper.terminate();
    const again = await open({ name: "held" });
    return { answer, waited, connections: (await again.stats()).connections };
  });
  assert.deepEqual(said.answer, ["in_use", "unavailable"]);
  assert.ok(said.waited < 5500, `${said.waited} ms`);
  assert.equal(said.connections, 1);
  await context.close();
});

test("a page without files of its own is told so", async () => {
  const context = await here.browser.newContext();
  const tab = await tabOf(context, here.server.url.replace("127.0.0.1", "insecure.example"));
  const said = await tab.evaluate(async () => {
    const answer = await failing(() => open({ name: "none" }));
    const memory = await open({ memory: true });
    return [answer, (await memory.create({ domain: "netflix.com", profile_name: "ada" })).outcome];
  });
  assert.deepEqual(said, [["no_storage", "unavailable"], "created"]);
  await context.close();
});

test("what is no store, or is damaged, is an error and stays as it is; what was never finished is made anew", async () => {
  const context = await here.browser.newContext();
  const tab = await tabOf(context);
  const whole = [...Buffer.from(native.cases.create.at(-1).bytes, "base64")];
  const damaged = whole.map((byte, at) => (at >= 64 && at < 4096 ? 0xa5 : byte));
  const other = [...Buffer.from("SQLite format 3\\0 and so on")];
  const format = [...Buffer.from(native.other_format, "base64")];
  const unfinished = whole.slice(0, 8192).fill(0, 0, 9);
  for (const [name, bytes, expected] of [
    ["damaged", damaged, ["damaged", "internal_error"]],
    ["other", other, ["not_a_store", "internal_error"]],
    ["format", format, ["other_format", "internal_error"]],
    ["unfinished", unfinished, ["done", 0]],
    ["empty", [], ["done", 0]],
    ["whole", whole, ["done", undefined]],
  ]) {
    const [answer, left] = await tab.evaluate(async ([name, bytes]) => {
      await write(`${name}.connectory`, bytes);
      const answer = await failing(async () => {
        const store = await open({ name });
        const { connections } = await store.stats();
        await store.close();
        return connections;
      });
      return [answer, await read(`${name}.connectory`)];
    }, [name, bytes]);
    assert.equal(answer[0], expected[0], `${name}: ${answer}`);
    if (expected[1] !== undefined) assert.equal(answer[1], expected[1], name);
    if (expected[0] !== "done") assert.deepEqual(left, bytes, `${name} stays as it was`);
  }
  await context.close();
});

test("a batch is one flush, however many wait for it", async () => {
  const context = await here.browser.newContext();
  const tab = await tabOf(context);
  const flushes = await tab.evaluate(
    (source) =>
      inWorker(async (source) => {
        let flushes = 0;
        const { flush } = FileSystemSyncAccessHandle.prototype;
        FileSystemSyncAccessHandle.prototype.flush = function () {
          flushes += 1;
          return flush.call(this);
        };
        const { open } = await import(source);
        const store = await open({ name: "flushes" });
        const create = (n) => store.create({ domain: `d${n}.example.com`, profile_name: "ada" });
        await create(0);
        const counted = [];
        const count = async (calls) => {
          flushes = 0;
          await Promise.all(calls());
          counted.push(flushes);
        };
        await count(() => [create(1)]);
        await count(() => Array.from({ length: 64 }, (_, n) => create(n + 2)));
        await count(() => [create(1), store.list(), store.get("ma_x")]);
        await store.close();
        return counted;
      }, source),
    new URL("/dist/browser.js", here.server.url).href,
  );
  assert.deepEqual(flushes, [1, 1, 0]);
  await context.close();
});
