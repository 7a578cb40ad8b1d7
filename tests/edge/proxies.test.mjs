// A change of a proxy is done on every shard or on none: cut anywhere, it is ended by the next change or by the alarm.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Faulty } from "./faulty.mjs";
import { Ledger } from "./ledger.mjs";

const SHARDS = 4;
const USED = "px-used";
let edge;
let ledger;

before(async () => {
  edge = await Faulty.start({ shards: SHARDS, layout: { chunkBytes: 8192, logRows: 64 } });
  ledger = new Ledger(edge);
  await ledger.putProxy(USED, "used");
  for (let n = 0; n < 20; n += 1) await ledger.create({ profile_name: `p${n}`, domain: "a.example.com" });
  await ledger.create({ profile_name: "ada", domain: "a.example.com", proxy: { id: USED } });
  await ledger.settle();
});
after(() => edge.stop());

/** Changes, each from and to something else. */
const CHANGES = {
  "one is registered": () => ledger.putProxy("px-new", "new"),
  "one gets another name": () => ledger.putProxy("px-new", "newer"),
  "one is removed": () => ledger.removeProxy("px-new"),
  "one that is used is not removed": () => ledger.removeProxy(USED),
};

const FAULTS = ["throw", "abort"].flatMap((act) => ["before", "after"].map((when) => ({ act, when })));

for (const { act, when } of FAULTS) {
  test(`shards agree after ${act} ${when} any write of any change, on the first shard or another`, async () => {
    for (const [shard, calls] of [[0, 9], [2, 3]]) {
      for (let at = 1; at <= calls; at += 1) {
        for (const change of Object.values(CHANGES)) {
          await edge.arm({ at, act, when }, shard);
          await change();
          await edge.arm(undefined, shard);
          await ledger.settle();
        }
      }
    }
  });
}

test("where there is no space to begin with nothing is written, and it is said so", async () => {
  await edge.arm({ at: 1, act: "throw", when: "before", isSticky: true, message: "database or disk is full: SQLITE_FULL" });
  for (const [method, id] of [["PUT", "px-2"], ["DELETE", USED]]) {
    const { status, body } = await edge.request(method, `/proxies/${id}`, method === "PUT" ? { body: {} } : {});
    assert.deepEqual([status, body.code], [507, "storage_full"]);
  }
  await edge.arm();
  await ledger.settle();
});

test("the alarm ends what nobody goes on with", async () => {
  await ledger.putProxy("px-left", "left");
  await ledger.settle();
  await edge.arm({ at: 1, act: "abort", when: "before" }, 2);
  await ledger.removeProxy("px-left");
  assert.equal(ledger.counts.unknown > 0, true);
  const has = async (shard) => (await edge.call("proxies", { shard })).some(({ id }) => id === "px-left");
  const all = () => Promise.all(Array.from({ length: SHARDS }, (_, shard) => has(shard)));
  assert.ok((await all()).includes(true), "it was cut");
  const until = Date.now() + 30_000;
  while ((await all()).includes(true)) assert.ok(Date.now() < until, "the alarm comes");
  await ledger.settle();
});
