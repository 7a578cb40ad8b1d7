// A project is the same over 1, 4 and 16 shards: everything is found by ID, by pair and on the lists, once; what a shard is not
// asked for it does not answer; and how many there are is settled by the first write.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { start } from "./edge.mjs";

const COUNTS = [1, 4, 16];
const projectOf = (shards) => `over-${shards}`;

const FILLED = 2000;
const LOADED = 20_000;
/** Of those one in so many is looked up by ID and by pair; every one in the long run, and on the lists always. */
const SAMPLED = process.env.CONNECTORY_LONG ? 1 : 100;
const loads = { timeout: process.env.CONNECTORY_LONG ? 600_000 : 60_000 };

let edge;
before(async () => {
  const projects = COUNTS.flatMap((shards) => ["over", "loaded", "again", "refused"].map((name) => `${name}-${shards}`));
  edge = await start({
    entry: "worker.ts",
    projects: { ...Object.fromEntries(projects.map((project) => [project, {}])), capped: { cap: 5 } },
    shards: { ...Object.fromEntries(projects.map((project) => [project, Number(project.split("-")[1])])), capped: 4 },
  });
});
after(() => edge.stop());

/** Calls `make` for every number below `count`, some at a time. */
async function each(count, make) {
  let next = 0;
  const one = async () => {
    while (next < count) {
      next += 1;
      await make(next - 1);
    }
  };
  await Promise.all(Array.from({ length: 32 }, one));
}

/** Every page of a list. */
async function walked(project, by, limit, query = "", on = edge) {
  const found = [];
  for (let place = ""; ; ) {
    const { status, text, body, headers } = await on.request("GET", `/auth/connections?limit=${limit}${query}${place}`, { project });
    assert.equal(status, 200, text);
    found.push(...body);
    const next = headers.get(by === "cursor" ? "x-next-cursor" : "x-next-offset");
    if (next === null || next === "0") return found.map(({ id }) => id);
    assert.equal(body.length, limit);
    place = `&${by}=${encodeURIComponent(next)}`;
  }
}

/** Checks that a project has these connections, by ID, wherever one can look. */
async function hasAll(project, expected, sample) {
  const newestFirst = [...expected.keys()].sort().reverse();
  for (const by of ["cursor", "offset"]) assert.deepEqual(await walked(project, by, 100), newestFirst, by);
  const ids = newestFirst.filter((_, n) => n % sample === 0);
  await each(ids.length, async (n) => {
    const { profile_name, domain } = expected.get(ids[n]);
    const { body } = await edge.request("GET", `/auth/connections/${ids[n]}`, { project });
    assert.deepEqual([body.id, body.profile_name, body.domain], [ids[n], profile_name, domain]);
    const pair = await edge.request("GET", `/auth/connections?profile_name=${profile_name}&domain=${domain}`, { project });
    assert.deepEqual(pair.body.map(({ id }) => id), [ids[n]]);
  });
  const [{ domain }] = expected.values();
  const ofDomain = newestFirst.filter((id) => expected.get(id).domain === domain);
  assert.ok(ofDomain.length > 1);
  for (const by of ["cursor", "offset"]) assert.deepEqual(await walked(project, by, 50, `&domain=${domain}`), ofDomain);
  const profiles = [];
  for (let cursor = ""; cursor !== undefined; ) {
    const { body, headers } = await edge.request("GET", `/profiles?limit=100${cursor}`, { project });
    profiles.push(...body);
    const next = headers.get("x-next-cursor");
    cursor = next === null ? undefined : `&cursor=${encodeURIComponent(next)}`;
  }
  const names = [...new Set([...expected.values()].map(({ profile_name }) => profile_name))].sort();
  assert.deepEqual(profiles.map(({ name }) => name), names);
  assert.equal(profiles.reduce((sum, { connections }) => sum + connections, 0), expected.size);
  const { text } = await edge.request("GET", "/metrics", { project });
  const counted = [...text.matchAll(/^connectory_connections\{shard="\d+"\} (\d+)$/gm)].map(([, count]) => Number(count));
  assert.equal(counted.reduce((sum, count) => sum + count), expected.size);
  return counted;
}

for (const shards of COUNTS) {
  const project = projectOf(shards);
  const place = { project, shards, plan: "enterprise" };
  let ids;

  test(`${FILLED} connections over ${shards} shards are found by ID, by pair and on the lists, once`, async () => {
    const made = new Map();
    await each(FILLED, async (n) => {
      const pair = { profile_name: `profile-${n % 500}`, domain: `d${Math.floor(n / 50)}.example` };
      const { status, text, body } = await edge.create(pair.profile_name, pair.domain, { project });
      assert.equal(status, 201, text);
      made.set(body.id, pair);
    });
    const counted = await hasAll(project, made, 8);
    assert.equal(counted.length, shards);
    assert.ok(counted.every((count) => count > FILLED / shards / 3), `${counted}`);
    ids = made;
  });

  test(`each line of the dump of ${shards} shards is there once and in its place`, async () => {
    await edge.request("PUT", "/proxies/px-1", { project });
    const { text } = await edge.request("GET", "/dump", { project });
    const lines = text.trimEnd().split("\n").map((line) => JSON.parse(line));
    assert.deepEqual(lines[0], { format: "connectory-dump", version: 1 });
    assert.deepEqual(lines.flatMap(({ proxy }) => (proxy ? [proxy.id] : [])), ["px-1"]);
    const profiles = lines.flatMap(({ profile }) => (profile ? [profile.name] : []));
    assert.deepEqual(profiles, [...new Set([...ids.values()].map(({ profile_name }) => profile_name))].sort());
    assert.deepEqual(lines.flatMap(({ connection }) => (connection ? [connection.id] : [])), [...ids.keys()].sort());
    const kinds = lines.map((line) => ["format", "proxy", "profile", "connection"].findIndex((kind) => kind in line));
    assert.deepEqual(kinds, [...kinds].sort());
  });

  test(`one of ${shards} shards, asked for what belongs to another, says so`, async () => {
    const some = [...ids].slice(0, 40);
    const json = [["content-type", "application/json"]];
    for (const [id, { profile_name, domain }] of some) {
      for (const [method, target, body] of [
        ["GET", `/auth/connections/${id}`, ""],
        ["PATCH", `/auth/connections/${id}`, "{}"],
        ["DELETE", `/profiles/${profile_name}`, ""],
        ["GET", `/auth/connections?profile_name=${profile_name}`, ""],
        ["POST", "/auth/connections", JSON.stringify({ profile_name, domain })],
      ]) {
        const asked = Array.from({ length: shards }, async (_, shard) => {
          const [answer] = await edge.object("together", { ...place, shard }, [{ ...place, shard }, method, target, json, body]);
          return answer;
        });
        const answers = await Promise.all(asked);
        const misdirected = answers.filter(({ status }) => status === 421);
        assert.equal(misdirected.length, shards - 1, `${method} ${target}`);
        for (const answer of misdirected) assert.equal(JSON.parse(answer.body).code, "misdirected");
      }
    }
    assert.deepEqual(await walked(project, "cursor", 100), [...ids.keys()].sort().reverse(), "nothing was done");
  });

  test(`an object that is not the one of ${shards} that was meant does not answer`, async () => {
    const at = { ...place, shard: shards - 1 };
    const request = (asked) => [asked, "GET", "/proxies", [], ""];
    for (const other of [{ ...at, project: "over-2" }, { ...at, shard: 3 * shards }]) {
      const [answer] = await edge.object("together", at, request(other));
      assert.equal(answer.status, 500);
      assert.match(answer.cause, /this is shard/);
    }
    const [moved] = await edge.object("together", at, request({ ...at, shards: 2 * shards }));
    assert.deepEqual(moved, { shards });
  });
}

test("a capped project has one shard, whatever is set", async () => {
  const statuses = [];
  for (let n = 0; n < 8; n += 1) statuses.push((await edge.create(`p${n}`, "a.example", { project: "capped" })).status);
  assert.deepEqual(statuses, [...Array(5).fill(201), ...Array(3).fill(403)]);
  const { text } = await edge.request("GET", "/metrics", { project: "capped" });
  assert.deepEqual(text.match(/^connectory_connections\{.*$/gm), ['connectory_connections{shard="0"} 5']);
});

test("a project keeps the shards that it began with", async () => {
  const persist = mkdtempSync(join(tmpdir(), "connectory-"));
  const project = "default";
  let expected;
  try {
    const first = await start({ persist, shards: { [project]: 4 } });
    try {
      assert.deepEqual((await first.request("GET", "/auth/connections")).body, [], "reading settles nothing");
      for (let n = 0; n < 60; n += 1) assert.equal((await first.create(`p${n}`, "a.example")).status, 201);
      expected = await walked(project, "cursor", 100, "", first);
    } finally {
      await first.stop();
    }
    // What is asked first must find out, so each is asked of a Worker of its own.
    for (const shards of [{}, { [project]: 2 }, { [project]: 16 }]) {
      for (const ask of [
        async (again) => assert.deepEqual(await walked(project, "cursor", 7, "", again), expected),
        async (again) => {
          const { body } = await again.request("GET", "/auth/connections?offset=25&limit=20");
          assert.deepEqual(body.map(({ id }) => id), expected.slice(25, 45));
        },
        async (again) => {
          for (const id of expected.slice(0, 20)) assert.equal((await again.request("GET", `/auth/connections/${id}`)).status, 200);
        },
        async (again) => assert.equal((await again.request("GET", "/dump")).text.match(/"connection":/g).length, 60),
        async (again) => {
          const { text } = await again.request("GET", "/metrics");
          assert.equal(text.match(/^connectory_connections\{/gm).length, 4);
        },
        async (again) => assert.equal((await again.request("GET", "/bookmarks")).body.bookmarks.length, 4),
        async (again) => {
          assert.equal((await again.request("PUT", "/proxies/px-1")).status, 200);
          assert.equal((await again.request("DELETE", "/proxies/px-1")).status, 204);
          const conflicts = [];
          for (let n = 0; n < 60; n += 1) conflicts.push((await again.create(`p${n}`, "a.example")).status);
          assert.deepEqual(conflicts, Array(60).fill(409));
        },
      ]) {
        const again = await start({ persist, shards });
        try {
          await ask(again);
        } finally {
          await again.stop();
        }
      }
    }
  } finally {
    rmSync(persist, { recursive: true });
  }
});

/** The route of a profile, as the engine makes it: FNV-1a, folded. */
function routeOf(name) {
  let hash = 0xcbf2_9ce4_8422_2325n;
  for (const byte of Buffer.from(name)) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100_0000_01b3n);
  return BigInt.asUintN(16, (hash >> 48n) ^ (hash >> 32n) ^ (hash >> 16n) ^ hash);
}

/** An ID of these parts. */
function idOf(ms, order, route) {
  const digits = "0123456789abcdefghjkmnpqrstvwxyz";
  const bits = (BigInt(ms) << 80n) | (BigInt(order) << 16n) | route;
  return `ma_${Array.from({ length: 26 }, (_, n) => digits[Number((bits >> BigInt(5 * (25 - n))) & 31n)]).join("")}`;
}

/** A dump of the test's own, and the pairs of its connections by ID. */
function dumpOf(count) {
  const lines = [{ format: "connectory-dump", version: 1 }, { proxy: { id: "px-1", name: "Berlin" } }];
  const profiles = Array.from({ length: count / 10 }, (_, n) => `profile-${String(n).padStart(6, "0")}`);
  for (const name of profiles) lines.push({ profile: { name } });
  const routes = profiles.map(routeOf);
  const expected = new Map();
  for (let n = 0; n < count; n += 1) {
    const at = n % profiles.length;
    const pair = { domain: `d${Math.floor(n / profiles.length)}-${n % 40}.example`, profile_name: profiles[at] };
    const id = idOf(1_700_000_000_000 + Math.floor(n / 7), n, routes[at]);
    expected.set(id, pair);
    const proxy = n % 1000 === 0 ? { proxy: { id: "px-1" } } : {};
    lines.push({
      connection: {
        id, ...pair, ...proxy, health_check_interval: 3600, health_checks: true, auto_reauth: true, save_credentials: true,
        record_session: false,
      },
    });
  }
  return { text: lines.map((line) => `${JSON.stringify(line)}\n`).join(""), expected };
}

const loadInto = (project, body) => edge.request("POST", "/load", { project, body, headers: { "content-type": "application/jsonl" } });
const dumpFrom = async (project) => (await edge.request("GET", "/dump", { project })).text;

/** The same text in pieces that end anywhere. */
function streamed(text) {
  const bytes = Buffer.from(text);
  let at = 0;
  return new ReadableStream({
    pull(controller) {
      controller.enqueue(bytes.subarray(at, at + 70_001));
      at += 70_001;
      if (at >= bytes.length) controller.close();
    },
  });
}

for (const shards of COUNTS) {
  test(`${LOADED} connections loaded over ${shards} shards are all there, and dump to the same bytes`, loads, async () => {
    const { text, expected } = dumpOf(LOADED);
    const { status, body, text: said } = await loadInto(`loaded-${shards}`, streamed(text));
    assert.deepEqual([status, body], [200, { connections: LOADED }], said);
    const counted = await hasAll(`loaded-${shards}`, expected, SAMPLED);
    assert.ok(counted.every((count) => count > LOADED / shards / 2), `${counted}`);
    assert.ok((await dumpFrom(`loaded-${shards}`)) === text, "the dump is not what was loaded");
    const [proxy] = (await edge.request("GET", "/proxies", { project: `loaded-${shards}` })).body;
    assert.deepEqual(proxy, { id: "px-1", name: "Berlin", connections: LOADED / 1000 });
  });

  test(`a load over ${shards} shards is wholly there or not at all`, loads, async () => {
    const project = `refused-${shards}`;
    const { text, expected } = dumpOf(500);
    const lines = text.split("\n");
    for (const [number, line] of [[1, "{}"], [400, "nonsense"], [500, lines[299]], [53, lines[52].replace("px-1", "px-2")]]) {
      const bad = [...lines.slice(0, number - 1), line, ...lines.slice(number)].join("\n");
      const { status, body, text: said } = await loadInto(project, bad);
      assert.deepEqual([status, body.code], [400, "bad_request"], said);
      assert.match(said, new RegExp(`line ${number}\\b`));
      assert.equal(await dumpFrom(project), `${lines[0]}\n`, "nothing of it is there");
    }
    assert.deepEqual((await loadInto(project, text)).body, { connections: expected.size });
    const again = await loadInto(project, text);
    assert.deepEqual([again.status, again.body.code], [400, "resource_in_use"]);
    assert.ok((await dumpFrom(project)) === text);
    const created = await edge.create("ada", "a.example", { project });
    assert.ok(created.status === 201 && created.body.id > [...expected.keys()].at(-1), "and life goes on");
  });
}

test("what was dumped from some shards is loaded into others, with every ID", loads, async () => {
  for (const [from, to] of [[1, 4], [4, 16], [16, 1]]) {
    const dump = await dumpFrom(`over-${from}`);
    assert.deepEqual((await loadInto(`again-${to}`, dump)).body, { connections: FILLED });
    assert.ok((await dumpFrom(`again-${to}`)) === dump, `from ${from} to ${to}`);
  }
});
