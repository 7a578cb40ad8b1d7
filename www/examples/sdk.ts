// The steps of the site's page "Code" with the official SDK, on a store behind `createFetch`: a program that asserts
// what each of them answers. The page shows what stands between `step` and `end`.
import assert from "node:assert/strict";

// step: open
import Kernel from "@onkernel/sdk";
import { open } from "connectory";
import { createFetch } from "connectory/fetch";

const store = await open({ memory: true });
// A server instead: leave fetch out, and give its address and a key.
const offline = createFetch(store);
const client = new Kernel({ apiKey: "any", baseURL: "http://offline", fetch: offline });
const { connections } = client.auth;
// end

// step: create
const request = {
  domain: "netflix.com",
  profile_name: "user-123",
  login_url: "https://netflix.com/login",
};

const first = await connections.create(request);
assert.match(first.id, /^ma_/);
// end

// step: conflict
const error = await connections.create(request).catch((error: unknown) => error);
assert(error instanceof Kernel.ConflictError);
assert.deepEqual(error.error, {
  code: "already_exists",
  message: "this profile already has an auth connection for this domain",
  existing_id: first.id,
});
// end

// step: ensure
const headers = { Prefer: "resolution=ignore-duplicates" };
const ensured = await connections.create(request, { headers });
assert.deepEqual(ensured, first);
// end

// step: retry
let sent = 0;
const unreliable: typeof fetch = async (...request) => {
  const answer = await offline(...request);
  sent += 1;
  if (sent === 1) throw new TypeError("the answer is lost");
  return answer;
};

const signup = { domain: "github.com", profile_name: "user-123" };
const made = await client
  .withOptions({ fetch: unreliable })
  .auth.connections.create(signup, { headers: { "Idempotency-Key": "signup-42" } });
assert.equal(sent, 2); // the SDK has sent it again by itself
assert.equal(made.domain, "github.com");
// end

// step: many
const requests = Array.from({ length: 250 }, (_, n) => {
  return { domain: `shop-${n}.example.com`, profile_name: "bulk" };
});

const created = await Promise.all(requests.map((request) => connections.create(request)));
assert.equal(created.length, 250); // they share commits
// end

// step: get
assert.deepEqual(await connections.retrieve(first.id), first);

const pair = { profile_name: "user-123", domain: "netflix.com" };
const { items: [found] } = await connections.list(pair);
assert.equal(found?.id, first.id);
// end

// step: list
const pages: number[] = [];
const list = await connections.list({ profile_name: "bulk", limit: 100 });
for await (const page of list.iterPages()) pages.push(page.items.length);
assert.deepEqual(pages, [100, 100, 50]);

const listed = connections.list({ profile_name: "bulk" });
for await (const connection of listed) assert.equal(connection.profile_name, "bulk");
// end

// step: update
const updated = await connections.update(first.id, { login_url: "", record_session: true });
assert(!("login_url" in updated) && updated.record_session);
// What is not named stays:
assert.equal(updated.health_check_interval, first.health_check_interval);
// end

// step: delete
await connections.delete(first.id);
await assert.rejects(connections.retrieve(first.id), Kernel.NotFoundError);
// end

await store.close();
