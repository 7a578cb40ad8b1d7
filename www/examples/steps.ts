// The steps of the site's page "Code" in TypeScript: a program that asserts what each of them answers. The page shows
// what stands between `step` and `end`.
import assert from "node:assert/strict";

// step: open
import { open } from "connectory";

// In a browser: open({ name: "accounts" }).
const store = await open({ path: "accounts.connectory" });
// end

// step: create
const request = {
  domain: "netflix.com",
  profile_name: "user-123",
  login_url: "https://netflix.com/login",
};

const first = await store.create(request);
assert(first.outcome === "created");
assert.match(first.connection.id, /^ma_/);
// end

// step: conflict
const second = await store.create(request);
assert(second.outcome === "conflict");
assert.equal(second.existing_id, first.connection.id);
// end

// step: ensure
const ensured = await store.ensure(request);
assert.equal(ensured.outcome, "existing");
assert.deepEqual(ensured.connection, first.connection);
// end

// step: retry
const signup = { domain: "github.com", profile_name: "user-123" };

const made = await store.create(signup, { idempotency_key: "signup-42" });
// As if the answer had been lost:
const again = await store.create(signup, { idempotency_key: "signup-42" });
assert(made.outcome === "created" && again.outcome === "replayed");
assert.equal(again.connection.id, made.connection.id);
// end

// step: many
const requests = Array.from({ length: 250 }, (_, n) => {
  return { domain: `shop-${n}.example.com`, profile_name: "bulk" };
});

const answers = await store.createMany(requests);
assert(answers.every(({ outcome }) => outcome === "created"));
// end

// step: get
assert.deepEqual(await store.get(first.connection.id), first.connection);

const found = await store.find("user-123", "netflix.com");
assert.equal(found?.id, first.connection.id);
// end

// step: list
const pages: number[] = [];
for await (const page of store.list({ profile_name: "bulk", limit: 100 }).pages()) {
  pages.push(page.items.length);
}
assert.deepEqual(pages, [100, 100, 50]);

for await (const connection of store.list({ profile_name: "bulk" })) {
  assert.equal(connection.profile_name, "bulk");
}
// end

// step: update
const updated = await store.update(first.connection.id, { login_url: "", record_session: true });
assert(!("login_url" in updated) && updated.record_session);
// What is not named stays:
assert.equal(updated.health_check_interval, first.connection.health_check_interval);
// end

// step: delete
await store.delete(first.connection.id);
assert.equal(await store.get(first.connection.id), undefined);
// end

// step: changes
const { last_change } = await store.stats();

const kinds: string[] = [];
// Without since: from now on.
for await (const change of store.subscribe({ since: last_change - 2 })) {
  kinds.push(change.kind);
  if (change.seq === last_change) break;
}
assert.deepEqual(kinds, ["updated", "deleted"]);
// end

// step: dump
const lines = await new Response(store.dump()).text();

const copy = await open({ memory: true });
assert.equal(await copy.load(lines), 251);
assert.equal(await new Response(copy.dump()).text(), lines); // to the byte
// end

await copy.close();
await store.close();
