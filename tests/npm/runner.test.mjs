// The runner of the cases notices what is not as expected.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Run } from "./cases.mjs";
import { Subject } from "./subject.mjs";

/** What a step says on a store that has a connection, `$one`. */
function faultsOf(step, subject = new Subject()) {
  const run = new Run(subject);
  const before = { create: { domain: "netflix.com", profile_name: "ada" }, is: "created", as: "one" };
  assert.deepEqual(run.step(before), []);
  try {
    return run.step(step);
  } catch (error) {
    return [error.message];
  }
}

test("a step that is not as expected is reported", () => {
  const get = { get: "$one", is: "found" };
  const list = { list: {}, is: "listed" };
  const bad = { create: {}, is: "bad_request" };
  assert.deepEqual(faultsOf(get), []);
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
    const faults = faultsOf(step).join("\n");
    assert.ok(faults.includes(fault), `${JSON.stringify(step)}: ${faults}`);
  }
});

test("a refusal that leaves something behind is reported", () => {
  const step = { create: {}, is: "bad_request" };
  const leaky = new Subject();
  const { perform } = leaky;
  leaky.perform = (operation) => {
    const answer = perform.call(leaky, operation);
    if (answer.is === "bad_request") perform.call(leaky, { name: "register_proxy", value: ["px-leak", null] });
    return answer;
  };
  assert.deepEqual(faultsOf(step), []);
  assert.ok(faultsOf(step, leaky).includes("it should have left the store as it was"));
});
