// What the cases cannot say: values that only JavaScript has, iterables, stamps of the host, bytes, the end of an
// instance.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ConnectoryError, createFetch, FailedError, open, RefusedError } from "./package.mjs";
import { stamps, textOf } from "./subject.mjs";

const pair = { domain: "netflix.com", profile_name: "ada" };

const inMemory = (options) => open({ memory: true, ...options });

/** What `call` rejects with. */
async function thrown(call) {
  try {
    await call();
  } catch (error) {
    return error;
  }
  return assert.fail("it should reject");
}

/** Checks what `call` throws: a refusal with these violations, as "code field". */
async function refuses(call, ...expected) {
  const error = await thrown(call);
  assert.ok(error instanceof RefusedError && error instanceof ConnectoryError, String(error));
  assert.equal(error.code, "bad_request");
  const field = (message) => /^[\w.]+(?=: )/.exec(message)?.[0] ?? "";
  assert.deepEqual(error.details.map(({ code, message }) => `${code} ${field(message)}`.trim()), expected);
}

test("the clock and the random numbers are the host's unless stamps are given", async () => {
  const store = await inMemory();
  const from = Date.now();
  const ids = await Promise.all(
    [..."abcdefgh"].map(async (name) => (await store.create({ ...pair, profile_name: name })).connection.id),
  );
  const digits = "0123456789abcdefghjkmnpqrstvwxyz";
  const ms = ids.map((id) => [...id.slice(3, 13)].reduce((sum, digit) => sum * 32 + digits.indexOf(digit), 0));
  assert.ok(ms.every((ms) => from <= ms && ms <= Date.now() + 1), `${from} ${ms}`);
  assert.equal(new Set(ids).size, 8);
  assert.deepEqual([...ids].sort(), ids);
  await store.close();
});

test("what is undefined was not sent, what is null was", async () => {
  const store = await inMemory({ plan: undefined, cap: undefined, stamps: undefined });
  const unset = { ...pair, login_url: undefined, proxy: undefined };
  const { connection } = await store.create(unset, { idempotency_key: undefined });
  assert.ok(!("login_url" in connection));
  assert.equal(connection.hosted_url, null);
  assert.equal((await store.list({ query: undefined })).items.length, 1);
  assert.ok(!("next_cursor" in (await store.list())));
  assert.equal(await store.get("ma_nothing"), undefined);
  assert.equal(await store.find("ada", "github.com"), undefined);
  await refuses(() => store.create({ ...pair, login_url: null }), "invalid_type login_url");
  await refuses(() => store.create(undefined), "invalid_type");
  await refuses(() => store.create(() => pair), "invalid_type");
  await store.close();
});

test("values that JSON does not have are refused", async () => {
  const store = await inMemory();
  const circle = { ...pair };
  circle.proxy = circle;
  await refuses(() => store.create(circle), "invalid_value");
  await refuses(() => store.create({ ...pair, health_check_interval: 3600n }), "invalid_value");
  await refuses(() => store.create({ ...pair, health_check_interval: NaN }), "invalid_value");
  await refuses(() => store.create({ ...pair, get login_url() { throw new Error("no"); } }), "invalid_value");
  assert.equal((await store.stats()).connections, 0);
  assert.equal(await store.isOwner(), true);
  await store.registerProxy("px-1");
  const { id } = (await store.create({ ...pair, proxy: { id: "px-1" } })).connection;
  await refuses(() => store.update(id, { proxy: -Infinity }), "invalid_value");
  assert.equal((await store.get(id)).proxy_id, "px-1");
  assert.ok(!("proxy_id" in (await store.update(id, { proxy: null }))));
  await store.close();
});

test("half of a surrogate pair is refused wherever a text is taken", async () => {
  const store = await inMemory();
  const { id } = (await store.create(pair)).connection;
  const half = "x\ud800";
  await refuses(() => store.create({ ...pair, credential: { name: half } }), "invalid_value");
  await refuses(() => store.create(`{"domain": "netflix.com", "profile_name": "${half}"}`), "invalid_value");
  await refuses(() => store.create(pair, { idempotency_key: half }), "invalid_value idempotency_key");
  await refuses(() => store.update(id, { credential: { name: half } }), "invalid_value");
  await refuses(() => store.registerProxy("px-1", half), "invalid_value name");
  await refuses(() => store.find("ada", half), "invalid_value domain");
  await refuses(() => store.list({ query: half }), "invalid_value");
  await refuses(() => store.allows(id, half), "invalid_value host");
  assert.equal((await store.registerProxy("px-1", "x\ud83d\ude00")).name, "x\ud83d\ude00");
  await store.close();
});

test("arguments of the wrong type are refused and not taken for others", async () => {
  const store = await inMemory();
  await refuses(() => store.get(7), "invalid_type id");
  await refuses(() => store.delete(undefined), "invalid_type id");
  await refuses(() => store.create(pair, { idempotencyKey: "k" }), "unknown_field idempotencyKey");
  await refuses(() => store.create(pair, { ensure: 1 }), "invalid_type ensure");
  await refuses(() => store.changes(0.5, 10), "invalid_type since");
  await refuses(() => store.changes(0, -1), "invalid_type limit");
  await refuses(() => inMemory({ cap: NaN }), "invalid_type cap");
  await refuses(() => inMemory({ plan: "free" }), "invalid_value plan");
  await refuses(() => inMemory({ cachebytes: 1 }), "unknown_field cachebytes");
  await refuses(() => inMemory({ stamps: 7 }), "invalid_type stamps");
  await store.close();
});

test("a row of many that is refused is an answer among the others", async () => {
  const store = await inMemory({ cap: 1 });
  const rows = await store.createMany([pair, {}, pair, { ...pair, domain: "github.com" }]);
  assert.deepEqual(rows.map(({ outcome }) => outcome), ["created", "refused", "conflict", "refused"]);
  assert.equal(rows[1].error.details.length, 2);
  assert.equal(rows[2].existing_id, rows[0].connection.id);
  assert.equal(rows[3].error.code, "insufficient_plan");
  await store.close();
});

test("what a source of a load throws is thrown, and nothing of it is there", async () => {
  const full = await inMemory();
  await full.createMany([pair, { ...pair, domain: "github.com" }]);
  const text = await textOf(full);
  const store = await inMemory();
  const broken = new Error("the network went away");
  async function* half() {
    yield text.slice(0, 300);
    throw broken;
  }
  assert.equal(await thrown(() => store.load(half())), broken);
  await refuses(() => store.load(text.slice(0, -20)), "invalid_value");
  assert.equal((await store.stats()).connections, 0);
  assert.deepEqual((await store.check()).problems, []);
  for (const source of [
    text, new TextEncoder().encode(text), [text.slice(0, 9), text.slice(9)], full.dump(), text.replaceAll("\n", "\r\n"),
  ]) {
    const loaded = await inMemory();
    assert.equal(await loaded.load(source), 2);
    assert.equal(await textOf(loaded), text);
    await loaded.close();
  }
  assert.equal((await thrown(() => full.load(text))).code, "resource_in_use");
  await full.close();
  await store.close();
});

test("a copy is bytes that open again; a closed store says so", async () => {
  const store = await inMemory({ stamps: stamps(), logBytes: 8192, cacheBytes: 65536 });
  const rows = Array.from({ length: 2000 }, (_, n) => ({ domain: `d${n}.example.com`, profile_name: `p${n % 50}` }));
  await store.createMany(rows);
  const before = await textOf(store);
  const bytes = await store.backup();
  await store.checkpoint();
  await store.close();
  await store.close();
  for (const call of [() => store.list(), () => store.create(pair), () => store.backup(), () => textOf(store)]) {
    const error = await thrown(call);
    assert.ok(error instanceof FailedError);
    assert.deepEqual([error.code, error.reason, error.message], ["unavailable", "closed", "the store is closed"]);
  }
  const again = await open({ memory: bytes });
  assert.equal(await textOf(again), before);
  assert.equal((await again.create(rows[0])).outcome, "conflict");
  assert.equal((await again.create(pair)).outcome, "created");
  assert.deepEqual((await again.check()).problems, []);
  await again.close();
  const broken = bytes.slice();
  broken.fill(7, 0, 64);
  const error = await thrown(() => open({ memory: broken }));
  assert.deepEqual([error.code, error.reason], ["internal_error", "not_a_store"]);
});

test("writes of one macrotask share a commit, whoever waits for what", async () => {
  const store = await inMemory();
  const order = [];
  const done = (name) => () => order.push(name);
  const creates = [1, 2, 3].map((n) => store.create({ ...pair, domain: `d${n}.example` }).then(done(n)));
  const conflict = store.create({ ...pair, domain: "d1.example" });
  await Promise.all([...creates, store.stats().then(({ connections }) => assert.equal(connections, 0))]);
  assert.deepEqual(order, [1, 2, 3]);
  assert.equal((await conflict).outcome, "conflict");
  // A write that is under way when the store is closed is done.
  const last = store.create({ ...pair, domain: "last.example" });
  await Promise.all([last, store.close()]);
  assert.equal((await last).outcome, "created");
});

test("a list is its first page, every page, and every item", async () => {
  const store = await inMemory();
  const rows = Array.from({ length: 45 }, (_, n) => ({ domain: `d${n}.example.com`, profile_name: `p${n % 2}` }));
  const ids = (await store.createMany(rows)).map(({ connection }) => connection.id).reverse();
  const first = await store.list({ limit: 7 });
  assert.deepEqual(first.items.map(({ id }) => id), ids.slice(0, 7));
  const items = [];
  for await (const { id } of store.list({ limit: 7 })) items.push(id);
  assert.deepEqual(items, ids);
  const pages = [];
  for await (const page of store.list({ profile_name: "p1", limit: 10 }).pages()) pages.push(page.items.length);
  assert.deepEqual(pages, [10, 10, 2]);
  for await (const { id } of store.list()) {
    assert.equal(id, ids[0]);
    break;
  }
  const profiles = [];
  for await (const profile of store.profiles({ limit: 1 })) profiles.push(profile);
  assert.deepEqual(profiles, [{ name: "p0", connections: 23 }, { name: "p1", connections: 22 }]);
  await refuses(() => store.list({ limit: 0 }), "invalid_value limit");
  await store.close();
});

test("a subscriber is told every change once, in order, and reset where some are gone", async () => {
  const store = await inMemory();
  await store.create(pair);
  const stop = new AbortController();
  const told = [];
  const following = (async () => {
    for await (const event of store.subscribe({ since: 0, signal: stop.signal })) {
      told.push([event.seq, event.kind]);
      if (event.kind === "deleted") stop.abort();
    }
  })();
  const { connection } = await store.create({ ...pair, domain: "github.com" });
  await store.update(connection.id, { record_session: true });
  await store.delete(connection.id);
  await following;
  assert.deepEqual(told, [[1, "created"], [2, "created"], [3, "updated"], [4, "deleted"]]);

  const churn = Array.from({ length: 12_000 }, (_, n) => ({ domain: `d${n}.example`, profile_name: "churn" }));
  await store.createMany(churn);
  const events = store.subscribe({ since: 1 });
  assert.deepEqual((await events.next()).value, { seq: 12_004, kind: "reset" });
  const next = events.next();
  await store.create({ ...pair, domain: "one.more" });
  assert.equal((await next).value.connection.domain, "one.more");
  const end = events.next();
  await store.close();
  assert.deepEqual(await end, { done: true, value: undefined });
});

test("a store is closed at the end of its scope", async () => {
  const store = await inMemory();
  assert.equal(typeof store[Symbol.asyncDispose], "function");
  await store[Symbol.asyncDispose]();
  assert.equal((await thrown(() => store.stats())).reason, "closed");
});

test("the place of a store is one, and one of this runtime", async () => {
  await refuses(() => open(), "invalid_value");
  await refuses(() => open({}), "invalid_value");
  await refuses(() => open({ memory: true, path: "x" }), "invalid_value");
  await refuses(() => open({ name: "tabs" }), "invalid_value");
  await refuses(() => open({ path: 7 }), "invalid_value path");
  await refuses(() => open({ path: "x", lock: "shared" }), "invalid_value lock");
});

test("a function that a store calls cannot call the store", async () => {
  let inner;
  const next = stamps();
  const store = await inMemory({
    stamps() {
      inner ??= thrown(() => store.get("ma_x"));
      return next();
    },
  });
  assert.equal((await store.create(pair)).outcome, "created");
  assert.equal((await inner).code, "unavailable");
  assert.equal((await store.stats()).connections, 1);
  await store.close();
});

test("over HTTP a write whose outcome is unknown may be sent again under a key alone", async () => {
  for (const key of [undefined, "key-1"]) {
    const store = await inMemory({
      stamps() {
        throw new Error("no clock");
      },
    });
    const headers = { "content-type": "application/json", ...(key && { "idempotency-key": key }) };
    const request = { method: "POST", headers, body: JSON.stringify(pair) };
    const answer = await createFetch(store)("http://offline/auth/connections", request);
    assert.deepEqual([answer.status, (await answer.json()).code], [500, "outcome_unknown"]);
    assert.equal(answer.headers.get("x-should-retry"), key ? null : "false");
    await store.close();
  }
});

test("a panic ends its store, which says so, and no other", async () => {
  const bystander = await inMemory();
  let broken = false;
  const next = stamps();
  const store = await inMemory({
    stamps() {
      if (broken) throw new Error("no clock");
      return next();
    },
  });
  await store.create(pair);
  const dump = store.dump().getReader();
  broken = true;
  const creating = ["github.com", "gitlab.com"].map((domain) => thrown(() => store.create({ ...pair, domain })));
  for (const error of await Promise.all(creating)) {
    assert.deepEqual([error.code, error.reason], ["outcome_unknown", "outcome_unknown"]);
    assert.match(error.message, /the source of stamps threw: no clock/);
  }
  for (const call of [() => store.get("ma_x"), () => store.create(pair), () => store.backup(), () => dump.read()]) {
    const later = await thrown(call);
    assert.ok(later instanceof FailedError);
    assert.equal(later.code, "internal_error");
    assert.match(later.message, /open the store again; it said: .*no clock/s);
  }
  await store.close();
  assert.equal((await bystander.create(pair)).outcome, "created");
  await bystander.close();
});
