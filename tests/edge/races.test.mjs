// Many at once: one create wins a pair, lists stay in order, a proxy is gone everywhere or nowhere, and an object that ends, or
// is told another plan, among its writers loses nothing that it acknowledged.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { start } from "./edge.mjs";

const seed = Number(process.env.CONNECTORY_SEED ?? Math.floor(Math.random() * 2 ** 32));
console.log(`CONNECTORY_SEED=${seed}`);

/** Numbers below `count`, the same for the same seed. */
function random(seed) {
  let state = seed | 0;
  return (count) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * count);
  };
}

const times = (count, make) => Promise.all(Array.from({ length: count }, (_, n) => make(n)));

let edge;
const fours = ["pairs", "removals"];
before(async () => {
  edge = await start({
    entry: "worker.ts",
    projects: Object.fromEntries([...fours, "evicted", "replanned"].map((project) => [project, {}])),
    shards: Object.fromEntries(fours.map((project) => [project, 4])),
  });
});
after(() => edge.stop());

/** Checks that of these answers one created the pair, and all others name it. Its ID. */
function oneWinner(answers) {
  const created = answers.filter(({ status }) => status === 201);
  assert.equal(created.length, 1, JSON.stringify(answers.map(({ status, text }) => [status, text]).slice(0, 3)));
  const [{ body: { id } }] = created;
  const conflicts = answers.filter(({ status }) => status === 409);
  assert.equal(conflicts.length, answers.length - 1);
  for (const { body, headers } of conflicts) {
    assert.deepEqual([body.code, body.existing_id, headers.get("x-should-retry")], ["already_exists", id, "false"]);
    assert.equal(headers.get("location"), `/auth/connections/${id}`);
  }
  return id;
}

/** Every page of a list, by cursor or by offset. */
async function walked(project, by, limit, query = "") {
  const ids = [];
  for (let place = ""; ; ) {
    const { status, text, body, headers } = await edge.request("GET", `/auth/connections?limit=${limit}${query}${place}`, { project });
    assert.equal(status, 200, text);
    ids.push(...body.map(({ id }) => id));
    const next = headers.get(by === "cursor" ? "x-next-cursor" : "x-next-offset");
    assert.equal(headers.get("x-has-more") === "true", next !== null && next !== "0");
    if (next === null || next === "0") return ids;
    place = `&${by}=${encodeURIComponent(next)}`;
  }
}

function inOrder(ids) {
  for (let n = 1; n < ids.length; n += 1) assert.ok(ids[n - 1] > ids[n], `${ids[n - 1]} before ${ids[n]}`);
}

test("of 200 creates of one pair one wins, and 199 are told who did", async () => {
  const id = oneWinner(await times(200, () => edge.create("ada", "netflix.com")));
  assert.equal((await edge.request("GET", "/auth/connections")).body[0].id, id);
  const again = await times(50, () => edge.request("POST", "/auth/connections", {
    body: { profile_name: "grace", domain: "netflix.com" }, headers: { "idempotency-key": "k-1" },
  }));
  assert.equal(new Set(again.map(({ body }) => body.id)).size, 1);
  assert.ok(again.every(({ status }) => status === 201));
  assert.equal(again.filter(({ headers }) => headers.get("idempotency-replayed") === "true").length, 49);
});

test("over four shards pairs have one winner each, while others list, page, register and remove", async () => {
  const project = "pairs";
  const draw = random(seed);
  const pairs = Array.from({ length: 24 }, (_, n) => [`profile-${n}`, `d${draw(5)}.example`]);
  const requests = pairs.flatMap((pair) => Array(25).fill(pair));
  for (let n = requests.length - 1; n > 0; n -= 1) {
    const m = draw(n + 1);
    [requests[n], requests[m]] = [requests[m], requests[n]];
  }
  // What is there before; everything that is walked meanwhile has these.
  const before = (await times(30, (n) => edge.create(`early-${n}`, "early.example", { project }))).map(({ body }) => body.id);
  let isOver = false;
  const walks = { cursor: 0, offset: 0 };
  const lister = async (by) => {
    do {
      const ids = await walked(project, by, 1 + draw(20));
      // What is new comes first, so who counts may see some twice, but never out of a page's order.
      if (by === "cursor") {
        inOrder(ids);
        assert.deepEqual(ids.filter((id) => before.includes(id)).length, before.length);
      }
      walks[by] += 1;
    } while (!isOver);
  };
  const whole = async () => {
    do {
      const { body } = await edge.request("GET", `/auth/connections?limit=100&offset=${draw(20)}`, { project });
      inOrder(body.map(({ id }) => id));
    } while (!isOver);
  };
  const proxies = async (id) => {
    do {
      assert.equal((await edge.request("PUT", `/proxies/${id}`, { project, body: { name: id } })).status, 200);
      assert.equal((await edge.request("DELETE", `/proxies/${id}`, { project })).status, 204);
    } while (!isOver);
  };
  const beside = Promise.all([lister("cursor"), lister("offset"), whole(), proxies("px-a"), proxies("px-b")]);
  const answers = new Map(pairs.map((pair) => [pair, []]));
  // No more at once than a client has connections for.
  const queue = [...requests];
  await times(40, async () => {
    for (let pair = queue.pop(); pair; pair = queue.pop()) answers.get(pair).push(await edge.create(...pair, { project }));
  });
  isOver = true;
  await beside;
  const ids = [...answers.values()].map(oneWinner);
  for (const by of ["cursor", "offset"]) {
    const all = await walked(project, by, 7);
    inOrder(all);
    assert.deepEqual(all.filter((id) => !before.includes(id)).sort(), ids.sort());
    assert.ok(walks[by] > 0);
  }
  assert.deepEqual((await edge.request("GET", "/proxies", { project })).body, []);
});

test("a proxy that is removed while it comes to be used is gone on every shard or on none", async () => {
  const project = "removals";
  const draw = random(seed + 1);
  const rounds = 40;
  const outcomes = { removed: 0, kept: 0 };
  for (let round = 0; round < rounds; round += 1) {
    const id = `px-${round}`;
    assert.equal((await edge.request("PUT", `/proxies/${id}`, { project, body: { name: "Berlin" } })).status, 200);
    const use = (profile_name) => edge.request("POST", "/auth/connections", {
      project, body: { profile_name, domain: `r${round}.example`, proxy: { id } },
    });
    // From no user to many, before the removal and after it.
    const early = times(draw(3), (n) => use(`early-${draw(1000)}-${n}`));
    if (draw(3) === 0) await early;
    const removing = edge.request("DELETE", `/proxies/${id}`, { project });
    const late = times(draw(4), (n) => use(`late-${draw(1000)}-${n}`));
    const removal = await removing;
    const used = [...(await early), ...(await late)];
    for (const { status, body } of used) {
      if (status !== 201) assert.deepEqual([status, body.code, body.details[0].code], [400, "bad_request", "unknown_proxy"]);
    }
    const created = used.filter(({ status }) => status === 201);
    // 32 profiles are on every shard, but once in ten thousand.
    const now = await times(32, (n) => use(`now-${n}`));
    const listed = (await edge.request("GET", "/proxies?limit=100", { project })).body.find((proxy) => proxy.id === id);
    if (removal.status === 204) {
      outcomes.removed += 1;
      assert.equal(created.length, 0, "nobody uses what is gone");
      for (const { status, body } of now) assert.deepEqual([status, body.details[0].code], [400, "unknown_proxy"]);
      assert.equal(listed, undefined);
    } else {
      outcomes.kept += 1;
      assert.deepEqual([removal.status, removal.body.code], [400, "resource_in_use"]);
      assert.ok(created.length > 0, "somebody uses it");
      assert.deepEqual(now.map(({ status }) => status), Array(32).fill(201));
      assert.deepEqual(listed, { id, name: "Berlin", connections: created.length + now.length });
    }
  }
  console.log(JSON.stringify(outcomes));
  assert.ok(outcomes.removed > 0 && outcomes.kept > 0, "both happen");
});

test("an object that ends among its writers keeps what it acknowledged, and denies nothing that it wrote", async () => {
  const project = "evicted";
  const place = { project, shard: 0, shards: 1, plan: "enterprise" };
  const counts = {};
  const outcomes = new Map();
  for (let round = 0; round < 15; round += 1) {
    const creating = times(20, async (n) => {
      const name = `r${round}-${n}`;
      const { status, body } = await edge.create(name, "a.example", { project });
      outcomes.set(name, status === 201 ? body.id : body.code);
    });
    await Promise.all([creating, edge.object("evict", place)]);
  }
  const listed = new Map();
  for (const id of await walked(project, "cursor", 100)) {
    listed.set((await edge.request("GET", `/auth/connections/${id}`, { project })).body.profile_name, id);
  }
  for (const [name, outcome] of outcomes) {
    const word = outcome.startsWith("ma_") ? "created" : outcome;
    counts[word] = (counts[word] ?? 0) + 1;
    if (word === "created") assert.equal(listed.get(name), outcome, name);
    else if (word === "outcome_unknown") listed.delete(name);
    else assert.ok(word === "unavailable" && !listed.has(name), `${name}: ${word}, and it is ${listed.get(name) ?? "not there"}`);
  }
  console.log(JSON.stringify(counts));
  assert.ok(counts.created > 0 && counts.outcome_unknown > 0, JSON.stringify(counts));
  assert.deepEqual(await edge.object("problems", place), []);
});

test("rules that change among writers lose nothing", async () => {
  const place = { project: "replanned", shard: 0, shards: 1 };
  const plans = ["enterprise", "startup", "hobbyist"];
  const headers = [["content-type", "application/json"]];
  const requests = Array.from({ length: 120 }, (_, n) => {
    const body = JSON.stringify({ profile_name: `p${n}`, domain: "a.example", health_check_interval: 86_400 });
    return [{ ...place, plan: plans[n % 3] }, "POST", "/auth/connections", headers, body];
  });
  const answers = (await times(4, (n) => edge.object("together", place, ...requests.slice(30 * n, 30 * (n + 1))))).flat();
  assert.deepEqual(answers.map(({ status }) => status), Array(120).fill(201), JSON.stringify(answers[0]));
  const ids = answers.map(({ body }) => JSON.parse(body).id);
  assert.equal(new Set(ids).size, 120);
  assert.deepEqual((await walked("replanned", "cursor", 100)).sort(), ids.sort());
  await edge.object("evict", { ...place, plan: "enterprise" });
  assert.deepEqual((await walked("replanned", "cursor", 100)).sort(), ids.sort(), "after the object's end too");
});
