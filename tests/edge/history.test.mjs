// Going back in time: an operator is given a bookmark for each shard, and each shard gets its own back. Where the platform keeps no
// history it is said so, and nothing has happened.
import assert from "node:assert/strict";
import { test } from "node:test";
import { start } from "./edge.mjs";

const AT = "2026-01-31T01:55:00Z";

async function inHistory(bindings, run) {
  const edge = await start({ entry: "worker.ts", shards: { default: 4 }, bindings });
  try {
    for (let n = 0; n < 8; n += 1) assert.equal((await edge.create(`user-${n}`, "a.example")).status, 201);
    await run(edge);
    assert.equal((await edge.request("GET", "/auth/connections")).body.length, 8);
  } finally {
    await edge.stop();
  }
}

test("every shard has a bookmark of its own, and gets it back", () =>
  inHistory({ HISTORY: true }, async (edge) => {
    const then = await edge.request("GET", `/bookmarks?at=${AT}`);
    assert.equal(then.status, 200);
    const { bookmarks } = then.body;
    assert.equal(new Set(bookmarks).size, 4);
    for (const bookmark of bookmarks) assert.ok(bookmark.endsWith(`@${Date.parse(AT)}`), bookmark);

    const restored = await edge.request("POST", "/restore", { body: then.body });
    assert.equal(restored.status, 200);
    assert.deepEqual(restored.body.undo, bookmarks.map((bookmark) => bookmark.replace(/@.*/, "@undone")));

    const inAnotherOrder = await edge.request("POST", "/restore", { body: { bookmarks: bookmarks.toReversed() } });
    assert.equal(inAnotherOrder.status, 500);
    assert.ok(!inAnotherOrder.text.includes("another object"));
    for (const wrong of [{}, { bookmarks: bookmarks.slice(1) }, { bookmarks: [1, 2, 3, 4] }, "nonsense"]) {
      assert.equal((await edge.request("POST", "/restore", { body: wrong })).status, 400);
    }
    assert.equal((await edge.request("GET", "/bookmarks?at=yesterday")).status, 400);
  }));

test("where there is no history it is said so", () =>
  inHistory({}, async (edge) => {
    const now = await edge.request("GET", "/bookmarks");
    assert.equal(now.status, 200);
    for (const answer of [await edge.request("GET", `/bookmarks?at=${AT}`), await edge.request("POST", "/restore", { body: now.body })]) {
      assert.equal(answer.status, 404);
      assert.equal(answer.body.code, "not_supported");
    }
  }));
