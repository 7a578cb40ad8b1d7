// The module comes in two parts: a store opens and works with the first, and the rest is loaded in the background, or
// when it is needed; without it, or with one of another build, what needs it fails with a typed error; all else works.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { dist } from "../package.mjs";
import { inBrowser, openTab } from "./tab.mjs";

const rest = readFileSync(new URL("rest.wasm", dist));

/** What is served as the rest; nothing is when there is no network. */
let served;
let timesAsked;
let onAsked;
const here = inBrowser({
  texts: async () => ({
    "/dist/rest.wasm": (response) => {
      const headers = { "content-type": "application/wasm", "cache-control": "no-store" };
      if (served) response.writeHead(200, headers).end(served);
      else response.writeHead(503).end();
      timesAsked += 1;
      onAsked();
    },
  }),
});

/** A tab without stores, where `said(call)` is what becomes of a call; `asked` is when the rest is asked for. */
async function tabWith(bytes) {
  served = bytes;
  timesAsked = 0;
  const asked = new Promise((resolve) => (onAsked = resolve));
  const tab = await openTab(await here.browser.newContext(), here.server.url);
  await tab.evaluate(() => {
    window.said = async (call) => {
      try {
        return await call();
      } catch (error) {
        return [error.name, error.reason, error.message];
      }
    };
    window.begin = async () => {
      window.store = await open({ name: "parts" });
      return (await store.create({ domain: "netflix.com", profile_name: "ada" })).outcome;
    };
  });
  return { tab, asked };
}

/** Asserts that a call failed because of the rest, and why. */
function assertFailed(answer, why) {
  assert.deepEqual(answer.slice?.(0, 2), ["FailedError", "internal"], JSON.stringify(answer));
  assert.match(answer[2], why);
}

const IN_TIME = { timeout: 60_000 };

test("the rest is loaded once a store is open, without being needed", IN_TIME, async () => {
  const { tab, asked } = await tabWith(rest);
  assert.equal(await tab.evaluate(() => begin()), "created");
  await asked;
  assert.deepEqual(await tab.evaluate(async () => (await store.check()).problems), []);
  await tab.context().close();
});

test("what needs the rest before it is here waits for it", IN_TIME, async () => {
  const { tab, asked } = await tabWith(undefined);
  assert.equal(await tab.evaluate(() => begin()), "created");
  await asked;
  served = rest;
  const dumped = await tab.evaluate(async () => {
    const text = await new Response(store.dump()).text();
    const { problems } = await store.check();
    const copy = await store.backup();
    const international = await store.create({ domain: "bücher.example", profile_name: "ada" });
    return { text, problems, bytes: copy.length > 0, domain: international.connection.domain };
  });
  assert.match(dumped.text, /netflix\.com/);
  assert.deepEqual({ ...dumped, text: "" }, { text: "", problems: [], bytes: true, domain: "xn--bcher-kva.example" });
  assert.equal(timesAsked, 2);
  await tab.context().close();
});

test("offline, ordinary work goes on, what needs the rest fails, and the store works again", IN_TIME, async () => {
  const { tab, asked } = await tabWith(undefined);
  assert.equal(await tab.evaluate(() => begin()), "created");
  await asked;
  const ordinary = await tab.evaluate(async () => {
    const ada = { domain: "github.com", profile_name: "ada" };
    const rows = Array.from({ length: 500 }, (_, n) => ({ domain: `d${n}.example.com`, profile_name: `p${n % 9}` }));
    await store.createMany(rows);
    const { connection } = await store.create(ada, { idempotency_key: "one" });
    const outcomes = [];
    for (const options of [{}, { ensure: true }, { idempotency_key: "one" }]) {
      outcomes.push((await store.create({ ...ada, domain: "GitHub.com" }, options).catch((error) => error)).outcome);
    }
    const [name, , message] = await said(() => store.create({ domain: "https://github.com/login" }));
    await store.update(connection.id, { login_url: "https://github.com/login" });
    const found = await store.find("ada", "github.com");
    let listed = 0;
    for await (const _ of store.list({ limit: 100 })) listed += 1;
    const fetched = await createFetch(store)(`http://offline/auth/connections/${connection.id}`);
    await store.delete(connection.id);
    const events = [];
    for await (const { kind } of store.subscribe({ since: (await store.stats()).last_change - 1 })) {
      events.push(kind);
      break;
    }
    await store.checkpoint();
    await store.close();
    window.store = await open({ name: "parts" });
    return { outcomes, name, message, login: found.login_url, listed, status: fetched.status, events };
  });
  assert.match(ordinary.message, /has a scheme/);
  delete ordinary.message;
  assert.deepEqual(ordinary, {
    outcomes: ["conflict", "existing", "replayed"],
    name: "RefusedError",
    login: "https://github.com/login",
    listed: 502,
    status: 200,
    events: ["deleted"],
  });

  const acknowledged = await tab.evaluate(async () => {
    const { connection } = await store.create({ domain: "last.com", profile_name: "ada" });
    return connection.id;
  });
  const failed = await tab.evaluate(() => said(() => store.check()));
  assertFailed(failed, /^the rest of the engine could not be loaded: .*answered 503; try again when online$/);
  // In memory the engine comes as a whole.
  const dumped = await tab.evaluate(async () => new Response((await open({ memory: true })).dump()).text());
  assert.match(dumped, /^\{"format"/);
  // The tab stands for election again, and opens the store anew.
  const got = await tab.evaluate(async (id) => (await store.get(id)).domain, acknowledged);
  assert.equal(got, "last.com");
  served = rest;
  assert.deepEqual(await tab.evaluate(async () => (await store.check()).problems), []);
  await tab.context().close();
});

test("a rest of another build is refused", IN_TIME, async () => {
  const imports = WebAssembly.Module.imports(new WebAssembly.Module(rest));
  const { name } = imports.find(({ kind, name }) => kind === "global" && /^[0-9a-f]{16}$/.test(name));
  const other = Buffer.from(rest);
  other.write("0".repeat(16), other.indexOf(name), "latin1");
  const { tab, asked } = await tabWith(other);
  assert.equal(await tab.evaluate(() => begin()), "created");
  await asked;
  const why = /^the two parts of the engine are of different builds, first\.wasm and rest\.wasm; load the page again$/;
  assertFailed(await tab.evaluate(() => said(() => store.check())), why);
  assert.equal(await tab.evaluate(async () => (await store.stats()).connections), 1);
  await tab.context().close();
});
