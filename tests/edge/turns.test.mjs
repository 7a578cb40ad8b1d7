// The rows of an event land together, nothing is answered before its row is written, and a write that fails anywhere leaves what
// was there before it.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Faulty } from "./faulty.mjs";
import { Ledger, outcomeOf } from "./ledger.mjs";

const ROW = "INSERT OR REPLACE INTO log";
const FULL = "database or disk is full: SQLITE_FULL";
const KINDS = [
  { when: "before", isSticky: true },
  { when: "after", isSticky: false },
  ...(process.env.CONNECTORY_LONG === undefined ? [] : [{ when: "before", isSticky: false }, { when: "after", isSticky: true }]),
];
/** One store for each place where a write can fail. */
const PLACES = 100;
/** The most writes of the script that go together. */
const EVENT = 4;
let edge;

before(async () => {
  const projects = KINDS.flatMap(({ isSticky, when }) => Array.from({ length: PLACES }, (_, at) => nameOf({ at, when, isSticky })));
  edge = await Faulty.start({ layout: { chunkBytes: 8192, logRows: 16 }, projects: [...projects, "full", "plans", "counted"] });
});
after(() => edge.stop());

function nameOf({ at, when, isSticky }) {
  return `${when}-${at}${isSticky ? "-sticky" : ""}`;
}

test("an answer comes after its row", async () => {
  await edge.create("ada", "first.example.com");
  await edge.arm();
  const { body } = await edge.create("ada", "second.example.com");
  await edge.request("PATCH", `/auth/connections/${body.id}`, { body: { health_checks: false } });
  await edge.request("DELETE", `/auth/connections/${body.id}`);
  const trace = (await edge.call("trace")).filter((name) => name === ROW || name.startsWith("answer"));
  assert.deepEqual(trace, [ROW, "answer 201", ROW, "answer 200", ROW, "answer 204"]);
});

test("what arrives while a commit is on its way shares the next one, and is answered after it", async () => {
  await edge.arm();
  const before = await metrics(edge);
  const answers = await Promise.all(Array.from({ length: 64 }, (_, n) => edge.create("grace", `d${n}.example.com`)));
  assert.deepEqual(answers.map(({ status }) => status), Array(64).fill(201));
  const after = await metrics(edge);
  const batches = after.batches - before.batches;
  assert.equal(after.writes - before.writes, 64);
  assert.ok(batches < 64, `${batches} batches`);
  const trace = (await edge.call("trace")).filter((name) => name === ROW || name.startsWith("answer"));
  assert.equal(trace.filter((name) => name === ROW).length, batches);
  assert.deepEqual([trace[0], trace.at(-1)], [ROW, "answer 201"]);
});

test("callers with another plan meanwhile do not write over each other's rows", async () => {
  const plans = edge.of("plans");
  for (let round = 1; round <= 10; round += 1) {
    const answers = Array.from({ length: 16 }, (_, n) => {
      const plan = ["enterprise", "enterprise", "startup"][n % 3];
      return plans.call("createAll", { plan }, `p${round}`, [`a${n}.example.com`, `b${n}.example.com`]);
    });
    assert.deepEqual((await Promise.all(answers)).flat(), Array(32).fill(201));
    await plans.evict();
    assert.deepEqual(await plans.call("problems"), []);
    assert.equal((await metrics(plans)).connections, 32 * round);
  }
});

/** Writes, one after the other and some at once; the last one is refused. */
async function script(ledger) {
  const of = (n) => ({ profile_name: "ada", domain: `d${n}.example.com` });
  await ledger.putProxy("px-1", "Berlin");
  const made = [];
  for (let n = 0; n < 6; n += 1) made.push(await ledger.create(of(n)));
  await Promise.all(Array.from({ length: EVENT }, (_, n) => 6 + n).map((n) => ledger.create({ ...of(n), proxy: { id: "px-1" } })));
  if (made[0]) await ledger.update(made[0], { health_checks: false });
  if (made[1]) await ledger.delete(made[1]);
  await ledger.list("profile_name=ada");
  await ledger.removeProxy("px-2");
}

for (const { when, isSticky } of KINDS) {
  test(`a write that throws ${when} it was done, ${isSticky ? "and all after it" : "once"}, leaves no event in between`, async () => {
    let count = 0;
    for (let at = 1, isOver = false; !isOver; at += 1) {
      assert.ok(at < PLACES, "the script has an end");
      const subject = edge.of(nameOf({ at, when, isSticky }));
      const ledger = new Ledger(subject);
      await subject.arm({ at, act: "throw", when, isSticky });
      await script(ledger);
      isOver = (await subject.call("trace")).filter((name) => !name.startsWith("answer")).length < at;
      assert.equal((await subject.request("GET", "/auth/connections")).status, 200, "it can be read meanwhile");
      const { refused, unknown } = ledger.counts;
      assert.ok(isSticky || refused + unknown <= EVENT + 2, "what is not of that event, and does not need it, is done");
      await subject.arm();
      await ledger.settle();
      await subject.create("grace", "after.example.com");
      count = at;
    }
    console.log(`${count} places`);
  });
}

test("a full database takes nothing, says so, and goes on when there is space", async () => {
  const full = edge.of("full");
  const ledger = new Ledger(full);
  const fault = { at: 1, act: "throw", when: "before", isSticky: true, message: FULL };
  await full.arm(fault);
  await refuses(full, "POST", "/auth/connections", { profile_name: "ada", domain: "a.example.com" });
  await full.arm();
  await ledger.settle();
  await ledger.create({ profile_name: "ada", domain: "a.example.com" });
  await ledger.settle();
  const [connection] = ledger.connections.values();
  await full.arm(fault);
  await refuses(full, "POST", "/auth/connections", { profile_name: "ada", domain: "b.example.com" });
  await refuses(full, "PATCH", `/auth/connections/${connection.id}`, { health_checks: false });
  await refuses(full, "PUT", "/proxies/px-1", {});
  await refuses(full, "DELETE", `/auth/connections/${connection.id}`);
  assert.equal((await full.create("ada", "a.example.com")).body.existing_id, connection.id);
  // Where the log has space and a checkpoint has not.
  for (let n = 0; n < 20; n += 1) {
    await full.arm({ ...fault, at: 2 });
    const request = full.create("ada", `c${n}.example.com`);
    const { is, status, body } = await outcomeOf(request);
    assert.ok(is === "done" || status === 507, JSON.stringify(body));
    if (is === "done") ledger.connections.set(`ada c${n}.example.com`, body);
  }
  await full.arm();
  assert.ok(ledger.connections.size > 2);
  await ledger.settle();
});

test("how many shards there are is known as soon as something is written, whatever failed before", async () => {
  const counted = edge.of("counted");
  await counted.arm({ at: 1, act: "throw", when: "before" });
  assert.equal((await outcomeOf(counted.create("ada", "a.example.com"))).is, "refused");
  assert.equal((await outcomeOf(counted.create("ada", "a.example.com"))).is, "done");
  await counted.evict();
  assert.equal(await counted.call("settled", { shards: 4 }, false), 1);
});

async function refuses(subject, method, path, body) {
  const { is, status, body: answer } = await outcomeOf(subject.request(method, path, { body }));
  assert.deepEqual([is, status, answer.code], ["refused", 507, "storage_full"]);
  assert.match(answer.message, /nothing was written/);
}

function metrics(subject) {
  return subject.call("metrics");
}
