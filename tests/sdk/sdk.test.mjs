// The official JavaScript client, unmodified, against a running server.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import Kernel from "@onkernel/sdk";
import { startProxy } from "./proxy.mjs";

const { BASE_URL, KEY, READ_KEY } = process.env;
let proxy;
let client;

before(async () => {
  proxy = await startProxy(BASE_URL);
  client = new Kernel({ apiKey: KEY, baseURL: proxy.url });
});
after(() => proxy.close());

/** A pair that no other test uses. */
const pair = (name) => ({ domain: `${name}.example.com`, profile_name: `js-${name}` });

test("create, retrieve, update and delete", async () => {
  const created = await client.auth.connections.create({
    ...pair("life"),
    login_url: "https://life.example.com/login",
    credential: { provider: "my-1p", auto: true },
    allowed_domains: ["login.example.com"],
    health_check_interval: 1800,
    record_session: true,
  });
  assert.match(created.id, /^ma_[0-9a-hjkmnp-tv-z]{26}$/);
  assert.equal(created.status, "NEEDS_AUTH");
  assert.equal(created.health_check_interval, 1800);
  assert.deepEqual(created.credential, { provider: "my-1p", auto: true });
  assert.deepEqual(await client.auth.connections.retrieve(created.id), created);

  const updated = await client.auth.connections.update(created.id, {
    login_url: "",
    health_checks: false,
  });
  assert.equal(updated.health_checks, false);
  assert.equal("login_url" in updated, false);
  assert.equal(updated.health_check_interval, 1800);

  await client.auth.connections.delete(created.id);
  await assert.rejects(client.auth.connections.retrieve(created.id), Kernel.NotFoundError);
  await assert.rejects(client.auth.connections.delete(created.id), Kernel.NotFoundError);
});

test("a conflict costs one request and names the holder", async () => {
  const created = await client.auth.connections.create(pair("conflict"));
  proxy.count();
  await assert.rejects(client.auth.connections.create(pair("conflict")), (error) => {
    assert.ok(error instanceof Kernel.ConflictError);
    assert.equal(error.status, 409);
    assert.equal(error.error.existing_id, created.id);
    assert.equal(error.error.code, "already_exists");
    return true;
  });
  assert.equal(proxy.count(), 1);
});

test("a list of 250 is walked to its end, whole and filtered", async () => {
  const profile_name = "js-many";
  const ids = [];
  for (let n = 0; n < 250; n++) {
    const domain = `many-${n}.example.com`;
    ids.unshift((await client.auth.connections.create({ domain, profile_name })).id);
  }
  const walk = async (query) => {
    const found = [];
    for await (const connection of client.auth.connections.list(query)) found.push(connection.id);
    return found;
  };
  assert.deepEqual(await walk({ profile_name }), ids);
  assert.deepEqual(await walk({ profile_name, limit: 100 }), ids);
  assert.deepEqual(await walk({ query: "many-", limit: 7 }), ids);
  assert.deepEqual(await walk({ domain: "Many-3.example.com" }), [ids[246]]);
  assert.deepEqual(await walk({ query: ids[9] }), [ids[9]]);
  const all = await walk({ limit: 100 });
  assert.equal(new Set(all).size, all.length);
  assert.deepEqual(all.filter((id) => ids.includes(id)), ids);
});

test("401, 403, 404 and 400 have classes of their own, and cost one request each", async () => {
  const stranger = new Kernel({ apiKey: "nobody", baseURL: proxy.url });
  const reader = new Kernel({ apiKey: READ_KEY, baseURL: proxy.url });
  const elsewhere = { headers: { "X-Kernel-Project-Id": "nowhere" } };
  const existing = "ma_00000000000000000000000000";
  for (const [kind, act] of [
    [Kernel.AuthenticationError, () => stranger.auth.connections.retrieve(existing)],
    [Kernel.PermissionDeniedError, () => reader.auth.connections.create(pair("denied"))],
    [Kernel.NotFoundError, () => client.auth.connections.retrieve(existing)],
    [Kernel.NotFoundError, () => client.auth.connections.retrieve("nonsense")],
    [Kernel.NotFoundError, () => client.auth.connections.create(pair("denied"), elsewhere)],
    [Kernel.NotFoundError, () => client.auth.connections.login(existing)],
    [Kernel.BadRequestError, () => client.auth.connections.create({ domain: "a b", profile_name: "" })],
  ]) {
    proxy.count();
    await assert.rejects(act(), (error) => {
      assert.ok(error instanceof kind, `${error}`);
      assert.equal(typeof error.error.code, "string");
      return true;
    });
    assert.equal(proxy.count(), 1);
  }
});

test("a lost answer is found again with a key, and named by the conflict without one", async () => {
  proxy.count();
  proxy.lose();
  const headers = { "Idempotency-Key": "lost-1" };
  const created = await client.auth.connections.create(pair("lost"), { headers });
  assert.equal(proxy.count(), 2);
  assert.equal(created.domain, "lost.example.com");

  proxy.lose();
  const error = await client.auth.connections.create(pair("lost-too")).catch((error) => error);
  assert.ok(error instanceof Kernel.ConflictError);
  assert.equal(proxy.count(), 2);
  const holder = await client.auth.connections.retrieve(error.error.existing_id);
  assert.equal(holder.profile_name, "js-lost-too");
});
