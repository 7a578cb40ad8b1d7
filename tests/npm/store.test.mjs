// What the cases cannot say: values that only JavaScript has, iterables, stamps of the host, bytes, the end of an
// instance.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Store, instance } from "./engine.mjs";
import { linesOf, stamps } from "./subject.mjs";

const pair = { domain: "netflix.com", profile_name: "ada" };

/** What `call` throws. */
function thrown(call) {
  try {
    call();
  } catch (error) {
    return error;
  }
  return assert.fail("it should throw");
}

/** Checks what `call` throws: a refusal with these violations, as "code field". */
function refuses(call, ...expected) {
  const error = thrown(call);
  assert.ok(error instanceof Error, String(error));
  assert.equal(error.code, "bad_request");
  const field = (message) => /^[\w.]+(?=: )/.exec(message)?.[0] ?? "";
  assert.deepEqual(error.details.map(({ code, message }) => `${code} ${field(message)}`.trim()), expected);
}

test("the clock and the random numbers are the host's unless stamps are given", () => {
  const store = Store.open();
  const from = Date.now();
  const ids = [..."abcdefgh"].map((name) => store.create({ ...pair, profile_name: name }).connection.id);
  const digits = "0123456789abcdefghjkmnpqrstvwxyz";
  const ms = ids.map((id) => [...id.slice(3, 13)].reduce((sum, digit) => sum * 32 + digits.indexOf(digit), 0));
  assert.ok(ms.every((ms) => from <= ms && ms <= Date.now() + 1), `${from} ${ms}`);
  assert.equal(new Set(ids).size, 8);
  assert.deepEqual([...ids].sort(), ids);
  store.free();
});

test("what is undefined was not sent, what is null was", () => {
  const store = Store.open({ plan: undefined, cap: undefined, stamps: undefined });
  const unset = { ...pair, login_url: undefined, proxy: undefined };
  const { connection } = store.create(unset, { idempotency_key: undefined });
  assert.ok(!("login_url" in connection));
  assert.equal(connection.hosted_url, null);
  assert.equal(store.list({ query: undefined }).items.length, 1);
  assert.ok(!("next_cursor" in store.list()));
  assert.equal(store.get("ma_nothing"), undefined);
  assert.equal(store.find("ada", "github.com"), undefined);
  refuses(() => store.create({ ...pair, login_url: null }), "invalid_type login_url");
  refuses(() => store.create(undefined), "invalid_type");
  refuses(() => store.create(() => pair), "invalid_type");
  store.free();
});

test("values that JSON does not have are refused", () => {
  const store = Store.open();
  const circle = { ...pair };
  circle.proxy = circle;
  refuses(() => store.create(circle), "invalid_value");
  refuses(() => store.create({ ...pair, health_check_interval: 3600n }), "invalid_value");
  refuses(() => store.create({ ...pair, health_check_interval: NaN }), "invalid_value");
  refuses(() => store.create({ ...pair, get login_url() { throw new Error("no"); } }), "invalid_value");
  assert.equal(store.stats().connections, 0);
  store.registerProxy("px-1");
  const { id } = store.create({ ...pair, proxy: { id: "px-1" } }).connection;
  refuses(() => store.update(id, { proxy: -Infinity }), "invalid_value");
  assert.equal(store.get(id).proxy_id, "px-1");
  assert.ok(!("proxy_id" in store.update(id, { proxy: null })));
  store.free();
});

test("half of a surrogate pair is refused wherever a text is taken", () => {
  const store = Store.open();
  const { id } = store.create(pair).connection;
  const half = "x\ud800";
  refuses(() => store.create({ ...pair, credential: { name: half } }), "invalid_value");
  refuses(() => store.create(`{"domain": "netflix.com", "profile_name": "${half}"}`), "invalid_value");
  refuses(() => store.create(pair, { idempotency_key: half }), "invalid_value idempotency_key");
  refuses(() => store.update(id, { credential: { name: half } }), "invalid_value");
  refuses(() => store.registerProxy("px-1", half), "invalid_value name");
  refuses(() => store.find("ada", half), "invalid_value domain");
  refuses(() => store.list({ query: half }), "invalid_value");
  refuses(() => store.allows(id, half), "invalid_value host");
  refuses(() => Store.open().load([half]), "invalid_value line");
  assert.equal(store.registerProxy("px-1", "x\ud83d\ude00").name, "x\ud83d\ude00");
  store.free();
});

test("arguments of the wrong type are refused and not taken for others", () => {
  const store = Store.open();
  refuses(() => store.get(7), "invalid_type id");
  refuses(() => store.delete(undefined), "invalid_type id");
  refuses(() => store.createMany(pair), "invalid_type");
  refuses(() => store.create(pair, { idempotencyKey: "k" }), "unknown_field idempotencyKey");
  refuses(() => store.create(pair, { ensure: 1 }), "invalid_type ensure");
  refuses(() => store.changesSince(0.5, 10), "invalid_type since");
  refuses(() => store.changesSince(0, -1), "invalid_type limit");
  refuses(() => store.load(7), "invalid_type");
  refuses(() => Store.open({ cap: NaN }), "invalid_type cap");
  refuses(() => Store.open({ plan: "free" }), "invalid_value plan");
  refuses(() => Store.open({ cachebytes: 1 }), "unknown_field cachebytes");
  refuses(() => Store.open({ stamps: 7 }), "invalid_type stamps");
  store.free();
});

test("a row of many that is refused is an answer among the others", () => {
  const store = Store.open({ cap: 1 });
  const rows = store.createMany([pair, {}, pair, { ...pair, domain: "github.com" }]);
  assert.deepEqual(rows.map(({ outcome }) => outcome), ["created", "refused", "conflict", "refused"]);
  assert.equal(rows[1].error.details.length, 2);
  assert.equal(rows[2].existing_id, rows[0].connection.id);
  assert.equal(rows[3].error.code, "insufficient_plan");
  store.free();
});

test("what an iterable of lines throws is thrown, and nothing of it is there", () => {
  const full = Store.open();
  full.createMany([pair, { ...pair, domain: "github.com" }]);
  const lines = [...linesOf(full)];
  const store = Store.open();
  const broken = new Error("the network went away");
  function* half() {
    yield* lines.slice(0, 3);
    throw broken;
  }
  assert.equal(thrown(() => store.load(half())), broken);
  assert.equal(store.stats().connections, 0);
  assert.deepEqual(store.check().problems, []);
  assert.equal(store.load(new Set(lines)), 2);
  assert.equal(thrown(() => store.load(lines)).code, "resource_in_use");
  full.free();
  store.free();
});

test("a closed store says so, and is bytes that open again", () => {
  const store = Store.open({ stamps: stamps(), logBytes: 8192, cacheBytes: 65536 });
  const rows = Array.from({ length: 2000 }, (_, n) => ({ domain: `d${n}.example.com`, profile_name: `p${n % 50}` }));
  store.createMany(rows);
  const before = [...linesOf(store)];
  const open = store.toBytes();
  store.checkpoint();
  store.close();
  const error = thrown(() => store.list());
  assert.deepEqual([error.code, error.message], ["unavailable", "the store is closed"]);
  for (const bytes of [open, store.toBytes()]) {
    const again = Store.fromBytes(bytes);
    assert.deepEqual([...linesOf(again)], before);
    assert.equal(again.create(rows[0]).outcome, "conflict");
    assert.equal(again.create(pair).outcome, "created");
    assert.deepEqual(again.check().problems, []);
    again.free();
  }
  const broken = open.slice();
  broken.fill(7, 0, 64);
  assert.equal(thrown(() => Store.fromBytes(broken)).code, "internal_error");
  store.free();
});

test("a function that a store calls cannot call the store", () => {
  let inner;
  const next = stamps();
  const store = Store.open({
    stamps() {
      inner ??= thrown(() => store.get("ma_x"));
      return next();
    },
  });
  assert.equal(store.create(pair).outcome, "created");
  assert.equal(inner.code, "unavailable");
  assert.equal(store.stats().connections, 1);
  store.free();
});

test("a panic is thrown as an error and ends its instance, not others", async () => {
  const engine = await instance();
  const bystander = engine.Store.open();
  let broken = false;
  const next = stamps();
  const store = engine.Store.open({
    stamps() {
      if (broken) throw new Error("no clock");
      return next();
    },
  });
  store.create(pair);
  const dump = store.dump();
  broken = true;
  const error = thrown(() => store.create({ ...pair, domain: "github.com" }));
  assert.equal(error.code, "internal_error");
  assert.match(error.message, /the source of stamps threw: no clock/);
  for (const call of [
    () => store.get("ma_x"),
    () => store.close(),
    () => store.toBytes(),
    () => dump.next(),
    () => bystander.stats(),
    () => engine.Store.open(),
  ]) {
    const later = thrown(call);
    assert.equal(later.code, "internal_error");
    assert.match(later.message, /load another one; it ended with: .*no clock/s);
  }
  dump.free();
  bystander.free();
  const other = (await instance()).Store.open();
  assert.equal(other.create(pair).outcome, "created");
  other.free();
});
