// Over HTTP the Worker answers every case that the API can do as the native engine does: to the letter in one object, and but
// for the IDs in four. Reopening is the end of the objects, and new rules if it has others.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { scenariosOf } from "../npm/cases.mjs";
import { replay } from "../npm/replay.mjs";
import { caseFiles, root, start } from "./edge.mjs";
import { OverWorker } from "./subject.mjs";

const files = caseFiles();
const scenarios = Object.values(files).flatMap(scenariosOf);
const native = JSON.parse(
  readFileSync(process.env.CONNECTORY_NATIVE ?? new URL("target/javascript/native.json", root), "utf8"),
);

/** What the API cannot be told, and what it cannot be asked. */
const TOLD = ["record"];
const ASKED = ["allows", "changes"];
const has = (names) => (step) => names.some((name) => name in step);

const canBeTold = ({ steps }) => !steps.some(has(TOLD));
const isHeard = (step) => !has(ASKED)(step);
const hasCap = (opening) => opening?.cap !== undefined;
const isCapped = ({ store, steps }) => hasCap(store) || steps.some(({ reopen }) => hasCap(reopen));

/** What project a scenario has for itself. */
const projectOf = (n) => `p${n}`;

/** IDs as the numbers in which they first appear. */
function numbered() {
  const known = new Map();
  const number = (id) => {
    if (!known.has(id)) known.set(id, `ma_${known.size}`);
    return known.get(id);
  };
  return (text) => text.replace(/ma_[0-9a-hjkmnp-tv-z]{26}/g, number);
}

/** A store that a dump was loaded into does not know the ID of what was deleted before; an object does. */
const forgets = ({ steps }) => steps.some(has(["reopen"])) && steps.some(has(["delete"]));

for (const { shards, stamps, can, names, leastScenarios } of [
  { shards: 1, stamps: "same", can: canBeTold, names: (scenario) => (forgets(scenario) ? numbered() : String), leastScenarios: 75 },
  // What caps a project counts in one place. Of two objects each has stamps of its own, and so other IDs.
  { shards: 4, stamps: "rising", can: (scenario) => canBeTold(scenario) && !isCapped(scenario), names: numbered, leastScenarios: 65 },
]) {
  test(`every case that the API can do, over ${shards} shards`, async () => {
    const possible = scenarios.filter(can);
    const projects = Object.fromEntries(possible.map(({ store }, n) => [projectOf(n), store ?? {}]));
    const edge = await start({
      entry: "worker.ts",
      projects,
      shards: Object.fromEntries(Object.keys(projects).map((project) => [project, shards])),
      bindings: { STAMPS: stamps },
    });
    try {
      let made = 0;
      const make = () => {
        const project = projectOf(made);
        made += 1;
        return OverWorker.at(edge, project, shards, async (opening) => {
          projects[project] = opening;
          await edge.restart({ projects });
        });
      };
      const { count, failures } = await replay(files, native.cases, make, {
        has: can,
        does: isHeard,
        names,
        // A query is text here, and a key is a header: the same is wrong with them, but not in the same words.
        exact: (step) => step.is !== "bad_request",
      });
      assert.equal(failures.join("\n"), "");
      const steps = possible.flatMap(({ steps }) => steps);
      const skipped = {
        scenarios: scenarios.length - possible.length,
        steps: scenarios.flatMap(({ steps }) => steps).length - steps.filter(isHeard).length,
      };
      console.log(`${shards} shards: ${JSON.stringify(count)}, skipped ${JSON.stringify(skipped)}`);
      assert.deepEqual(
        { ...count, answers: 0 },
        { files: Object.keys(files).length, scenarios: possible.length, steps: steps.filter(isHeard).length, answers: 0, dumps: possible.length },
      );
      assert.ok(possible.length >= leastScenarios, `${possible.length} scenarios`);
      assert.ok(count.answers > count.steps / 2);
      assert.equal(made, possible.length);
    } finally {
      await edge.stop();
    }
  });
}
