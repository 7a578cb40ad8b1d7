// The runner of the cases notices what is not as expected.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Run } from "./cases.mjs";
import { open } from "./package.mjs";
import { Subject } from "./subject.mjs";

const inMemory = (options) => open({ memory: true, ...options });

/** What a step says on a store that has a connection, `$one`. */
async function faultsOf(step, subject) {
  const run = new Run(subject ?? (await Subject.of(inMemory)));
  const before = { create: { domain: "netflix.com", profile_name: "ada" }, is: "created", as: "one" };
  assert.deepEqual(await run.step(before), []);
  try {
    return await run.step(step);
  } catch (error) {
    return [error.message];
  }
}

test("a step that is not as expected is reported", async () => {
  const get = { get: "$one", is: "found" };
  const list = { list: {}, is: "listed" };
  const bad = { create: {}, is: "bad_request" };
  assert.deepEqual(await faultsOf(get), []);
  for (const [step, fault] of [
    [{ ...get, is: "not_found" }, "it should be not_found, not found"],
    [{ ...get, with: { domain: "a.com" } }, "domain should be"],
    [{ ...get, with: { login_url: null } }, 'not "absent"'],
    [{ ...get, without: ["domain"] }, "domain should be absent"],
    [{ ...get, whole: { id: "$one" } }, "the answer should be"],
    [{ ...get, says: "hello" }, "the message should say"],
    [{ ...get, sais: "hello" }, "sais is not a key of a case"],
    [{ get: "$one" }, "is is missing"],
    [{ ...get, list: {} }, "a step has one operation"],
    [{ seek: "one", is: "found" }, "a step has one operation"],
    [{ get: "$two", is: "found" }, "nothing is named two"],
    [{ ...get, as: "one" }, "one is named twice"],
    [{ ...list, as: "two" }, "nothing to name two"],
    [{ ...list, next: "page_2" }, "nothing to name page_2"],
    [{ ...list, more: true }, "more should be true"],
    [{ ...list, ids: [] }, "ids should be []"],
    [{ ...list, each: [] }, "there should be 0 items"],
    [{ ...list, each: [{ is: "created" }] }, "item 0: it should be"],
    [{ profiles: {}, is: "listed", items: [] }, "items should be []"],
    [{ ...bad, details: [] }, "should not be among"],
    [{ ...bad, details: ["missing_field id"] }, "should be among"],
    [{ allows: ["$one", "netflix.com"], is: false }, "it should be false, not true"],
  ]) {
    const faults = (await faultsOf(step)).join("\n");
    assert.ok(faults.includes(fault), `${JSON.stringify(step)}: ${faults}`);
  }
});

test("a refusal that leaves something behind is reported", async () => {
  const step = { create: {}, is: "bad_request" };
  const leaky = await Subject.of(inMemory);
  const { perform } = leaky;
  leaky.perform = async (operation) => {
    const answer = await perform.call(leaky, operation);
    if (answer.is === "bad_request") await perform.call(leaky, { name: "register_proxy", value: ["px-leak", null] });
    return answer;
  };
  assert.deepEqual(await faultsOf(step), []);
  assert.ok((await faultsOf(step, leaky)).includes("it should have left the store as it was"));
});
