// Any number of tabs on one store: every pair is created once, whoever owns the store, and whatever becomes of that tab.
import assert from "node:assert/strict";
import { test } from "node:test";
import { inBrowser, openTab } from "./tab.mjs";

const seed = Number(process.env.CONNECTORY_SEED ?? Math.floor(Math.random() * 2 ** 31));
const long = process.env.CONNECTORY_LONG !== undefined;
const ROUNDS = long ? 200 : 6;
console.log(`CONNECTORY_SEED=${seed}`);

/** A repeatable source of numbers below `n`. */
function numbers(state) {
  return (n) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
}
const below = numbers(seed);

const here = inBrowser();

/** A tab with the store open; `worker` in it is the worker that the store runs in. */
async function openStore(context, name, complaints) {
  const tab = await openTab(context, here.server.url, complaints);
  await tab.evaluate(async (name) => {
    window.wasm ??= await WebAssembly.compileStreaming(fetch("/dist/connectory.wasm"));
    window.begin = async () => {
      const worker = () => (window.worker = new Worker("/dist/worker.js", { type: "module" }));
      window.store = await slim.open({ name, wasm: window.wasm, worker });
    };
    await begin();
  }, name);
  return tab;
}

test("two tabs share a store, and each follows what the other does", async () => {
  const context = await here.browser.newContext();
  const complaints = [];
  const [first, second] = [await openStore(context, "two", complaints), await openStore(context, "two", complaints)];
  for (const tab of [first, second]) {
    await tab.evaluate(() => {
      window.told = [];
      void (async () => {
        for await (const { kind, id } of store.subscribe({ since: 0 })) told.push([kind, id]);
      })();
    });
  }
  const pair = { domain: "netflix.com", profile_name: "ada" };
  const created = await first.evaluate((pair) => store.create(pair), pair);
  assert.equal(created.outcome, "created");
  const conflict = await second.evaluate((pair) => store.create(pair), pair);
  assert.deepEqual([conflict.outcome, conflict.existing_id], ["conflict", created.connection.id]);
  const other = await second.evaluate((pair) => store.create({ ...pair, domain: "github.com" }), pair);
  assert.deepEqual(await first.evaluate((id) => store.get(id), other.connection.id), other.connection);
  const expected = [created, other].map(({ connection }) => ["created", connection.id]);
  for (const tab of [first, second]) {
    await tab.waitForFunction(() => told.length >= 2);
    assert.deepEqual(await tab.evaluate(() => told), expected);
  }
  // What is refused is refused the same way, and what cannot travel is refused too.
  for (const tab of [first, second]) {
    const errors = await tab.evaluate(async () => {
      const said = (error) => [error instanceof RefusedError || error.name, error.code, error.details?.map(({ code }) => code)];
      const bad = await store.create({ domain: "a b", profile_name: "x" }).catch(said);
      const unsendable = await store.create({ domain: () => "a.com" }).catch(said);
      return [bad, unsendable];
    });
    assert.deepEqual(errors.map(([, code]) => code), ["bad_request", "bad_request"]);
    assert.deepEqual(errors[0][2], ["invalid_domain"]);
  }
  // Dumps travel in pieces, copies whole.
  const dumps = await Promise.all([first, second].map((tab) => tab.evaluate(() => new Response(store.dump()).text())));
  assert.equal(dumps[0], dumps[1]);
  assert.equal(await second.evaluate(async () => (await (await open({ memory: await store.backup() })).stats()).connections), 2);

  const owners = () => Promise.all([first, second].map((tab) => tab.evaluate(() => store.isOwner())));
  assert.deepEqual(await owners(), [true, false]);

  // The owner leaves: the other one goes on, and so does who follows there.
  await first.evaluate(() => store.close());
  const third = await second.evaluate((pair) => store.create({ ...pair, domain: "third.com" }), pair);
  assert.equal(third.outcome, "created");
  assert.equal(await second.evaluate(() => store.isOwner()), true);
  await second.waitForFunction(() => told.length >= 3);
  assert.equal(await first.evaluate(() => store.stats().catch(({ reason }) => reason)), "closed");
  await first.evaluate(() => begin());
  assert.equal((await first.evaluate(() => store.stats())).connections, 3);
  assert.deepEqual(complaints, []);
  await context.close();
});

test("a store whose worker is ended says so, and opens again", async () => {
  const context = await here.browser.newContext();
  const tab = await openStore(context, "ended");
  const said = await tab.evaluate(async () => {
    const reason = (error) => error.reason;
    const kept = await store.create({ domain: "netflix.com", profile_name: "ada" });
    const under_way = [store.create({ domain: "github.com", profile_name: "ada" }).catch(reason), store.stats().catch(reason)];
    worker.terminate();
    const reasons = await Promise.all(under_way);
    reasons.push(await store.stats().catch(reason));
    await begin();
    return { reasons, kept: (await store.get(kept.connection.id))?.domain };
  });
  assert.deepEqual(said, { reasons: ["outcome_unknown", "internal", "internal"], kept: "netflix.com" });
  await context.close();
});

/** Has a tab create pairs, eight at a time, and keep what it was told; its worker ends after so many answers. */
async function work(tab, pairs, keyed, endsAfter) {
  await tab.evaluate(
    ([pairs, keyed, endsAfter]) => {
      window.answers = [];
      window.working = (async () => {
        const left = [...pairs];
        const one = async () => {
          for (let pair = left.shift(); pair; pair = left.shift()) {
            const options = keyed ? { idempotency_key: `key-${pair.domain}-${pair.profile_name}` } : undefined;
            const answer = await store.create(pair, options).catch(({ reason, message }) => ({ reason, message }));
            // The worker has ended: nothing more was asked.
            if (answer.reason === "internal") return;
            answers.push([`${pair.profile_name} ${pair.domain}`, answer]);
            if (answers.length === endsAfter) worker.terminate();
          }
        };
        await Promise.all(Array.from({ length: 8 }, one));
      })();
    },
    [pairs, keyed, endsAfter],
  );
}

test("four tabs, two thousand creates on overlapping pairs, the owner killed twice", async () => {
  const context = await here.browser.newContext();
  let tabs = [];
  for (let n = 0; n < 4; n += 1) tabs.push(await openStore(context, "four"));
  const pairs = Array.from({ length: 500 }, (_, n) => ({ domain: `d${n % 60}.example.com`, profile_name: `p${n % 7}` }));
  const distinct = new Set(pairs.map(({ domain, profile_name }) => `${profile_name} ${domain}`));
  // They own the store in the order in which they were opened: the second one after the first has ended.
  const ends = [60, 260];
  for (const [n, tab] of tabs.entries()) {
    const order = pairs.map((pair) => [below(1 << 30), pair]).sort(([a], [b]) => a - b);
    await work(tab, order.map(([, pair]) => pair), n % 2 === 1, ends[n]);
  }
  const dead = [];
  const takeovers = [];
  for (const end of ends) {
    const [owner, ...others] = tabs;
    tabs = others;
    await owner.waitForFunction((end) => answers.length >= end, end);
    const began = performance.now();
    await tabs.at(-1).evaluate(() => store.stats());
    takeovers.push(performance.now() - began);
    dead.push(...(await owner.evaluate(() => answers)));
    await owner.close();
  }
  assert.ok(dead.length < 2 * pairs.length, "they ended in the middle of their work");
  for (const tab of tabs) await tab.evaluate(() => working);
  const answers = (await Promise.all(tabs.map((tab) => tab.evaluate(() => answers)))).flat();
  assert.equal(answers.length, 2 * pairs.length, "everybody who lives was answered");
  const stored = new Map();
  const listed = await tabs[0].evaluate(async () => {
    const all = [];
    for await (const { id, domain, profile_name } of store.list({ limit: 100 })) all.push([`${profile_name} ${domain}`, id]);
    return all;
  });
  for (const [pair, id] of listed) {
    assert.ok(!stored.has(pair), `${pair} is there twice`);
    stored.set(pair, id);
  }
  assert.deepEqual(new Set(stored.keys()), distinct);
  const outcomes = {};
  const created = new Set();
  for (const [pair, answer] of [...dead, ...answers]) {
    const kind = answer.outcome ?? answer.reason;
    outcomes[kind] = (outcomes[kind] ?? 0) + 1;
    if (kind === "conflict") assert.equal(answer.existing_id, stored.get(pair), pair);
    else if (kind === "created" || kind === "replayed") {
      assert.equal(answer.connection.id, stored.get(pair), pair);
      if (kind === "replayed") continue;
      assert.ok(!created.has(pair), `${pair} was created twice`);
      created.add(pair);
    } else assert.equal(kind, "outcome_unknown", JSON.stringify(answer));
  }
  assert.deepEqual((await tabs[0].evaluate(() => store.check())).problems, []);
  console.log(`${JSON.stringify(outcomes)}, taken over in ${takeovers.map((ms) => Math.round(ms))} ms`);
  await context.close();
});

test(`workers and pages are killed at random, ${ROUNDS} rounds: nothing acknowledged is lost`, async () => {
  const context = await here.browser.newContext();
  const acknowledged = new Map();
  const times = [];
  let tab = await openStore(context, "kills");
  for (let round = 0; round < ROUNDS; round += 1) {
    const least = below(120);
    const how = ["worker", "page", "crash"][below(3)];
    await tab.evaluate((round) => {
      window.kept = [];
      window.after = (async () => {
        for (let n = 0; ; n += 1) {
          const rows = Array.from({ length: 1 + (n % 5) }, (_, m) => ({ domain: `r${round}-${n}-${m}.example`, profile_name: `p${n % 9}` }));
          const answers = await Promise.all(rows.map((row) => store.create(row).catch(() => undefined)));
          for (const answer of answers) if (answer?.outcome === "created") kept.push([answer.connection.id, answer.connection.domain]);
          if (answers.some((answer) => answer === undefined)) return;
        }
      })();
    }, round);
    await tab.waitForFunction((least) => kept.length >= least, least);
    // What the page knows of was acknowledged: it is read at the same moment as the worker ends.
    const kept = await tab.evaluate((how) => {
      if (how === "worker") worker.terminate();
      return kept;
    }, how);
    for (const [id, domain] of kept) acknowledged.set(id, domain);
    if (how === "crash") {
      const session = await context.newCDPSession(tab);
      void session.send("Page.crash").catch(() => {});
      await tab.waitForEvent("crash");
    }
    const began = performance.now();
    if (how !== "worker") {
      await tab.close();
      tab = await openStore(context, "kills");
    } else {
      await tab.evaluate(() => begin());
    }
    times.push(performance.now() - began);
    const lost = await tab.evaluate(async (kept) => {
      const lost = [];
      for (const [id, domain] of kept) if ((await store.get(id))?.domain !== domain) lost.push(id);
      return lost;
    }, kept);
    assert.deepEqual(lost, [], `round ${round}, ${how}`);
  }
  const all = await tab.evaluate(async () => {
    const ids = [];
    for await (const { id } of store.list({ limit: 100 })) ids.push(id);
    return [ids, await store.check()];
  });
  const [ids, report] = all;
  assert.deepEqual(report.problems, []);
  assert.deepEqual([...acknowledged.keys()].filter((id) => !ids.includes(id)), []);
  times.sort((a, b) => a - b);
  console.log(
    `${ROUNDS} rounds, ${acknowledged.size} acknowledged, ${ids.length} there; open again in ` +
      `${Math.round(times[times.length >> 1])} ms (median), ${Math.round(times.at(-1))} ms at most`,
  );
  await context.close();
});
