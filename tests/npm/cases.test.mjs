// In Node.js the package answers every case, and ten thousand operations, as the native engine does, to the letter; in
// memory, in files and behind createFetch. Each opens the other's stores.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { scenariosOf } from "./cases.mjs";
import { caseFiles, command, createFetch, native, open } from "./package.mjs";
import { perform, replay } from "./replay.mjs";
import { OverFetch, Subject, textOf } from "./subject.mjs";

OverFetch.createFetch = createFetch;
const directory = mkdtempSync(join(tmpdir(), "connectory-"));
after(() => rmSync(directory, { recursive: true }));

const files = caseFiles();
const scenarios = Object.values(files).flatMap(scenariosOf);
const steps = scenarios.reduce((sum, scenario) => sum + scenario.steps.length, 0);

/** A new place for a store. */
let places = 0;
function place() {
  places += 1;
  const path = join(directory, String(places));
  mkdirSync(path);
  return join(path, "default.connectory");
}

const inMemory = (options) => open({ memory: true, ...options });
const inFile = (options) => open({ path: place(), ...options });

/** What the native command line dumps of the store in this file. */
function dumpedNatively(path) {
  return execFileSync(command, ["--store", join(path, ".."), "dump"], { encoding: "utf8", maxBuffer: 1 << 28 });
}

/** Has each open the other's store. */
async function exchange(store, { dump, bytes }) {
  const ours = await store.backup();
  for (const memory of [Buffer.from(bytes, "base64"), ours]) {
    const opened = await open({ memory });
    assert.equal(await textOf(opened), dump);
    assert.deepEqual((await opened.check()).problems, []);
    await opened.close();
  }
  const path = place();
  writeFileSync(path, ours);
  assert.equal(dumpedNatively(path), dump);
}

for (const [name, subject, make, options] of [
  ["in memory", Subject, inMemory, { ended: ({ store }, expected) => exchange(store, expected) }],
  ["in a file", Subject, inFile, {}],
  // A query is text there, and a key is a header: the same is wrong with them, but not in the same words.
  ["behind createFetch", OverFetch, inMemory, { exact: (step) => step.is !== "bad_request" }],
]) {
  test(`every case ${name}`, async () => {
    const { count, failures } = await replay(files, native.cases, (opening) => subject.of(make, opening), options);
    assert.equal(failures.join("\n"), "");
    console.log(`${name}: ${JSON.stringify(count)}, skipped none`);
    assert.deepEqual(
      { ...count, answers: 0 },
      { files: Object.keys(files).length, scenarios: scenarios.length, steps, answers: 0, dumps: scenarios.length },
    );
    assert.ok(count.answers > steps / 2);
  });
}

test("ten thousand operations end as they do natively, in memory and in a file", async () => {
  const { operations } = native;
  assert.equal(operations.operations.length, 10_000);
  for (const make of [inMemory, inFile]) {
    const subject = await Subject.of(make);
    assert.equal((await perform(subject, operations)).join("\n"), "");
    await exchange(subject.store, operations);
    await subject.store.close();
  }
});

test("a store in a file opens natively, and a native one here", async () => {
  const path = place();
  const store = await open({ path });
  await store.load(native.operations.dump);
  await store.close();
  assert.equal(dumpedNatively(path), native.operations.dump);

  const made = place();
  execFileSync(command, ["--store", join(made, ".."), "load", "-"], { input: native.operations.dump });
  const opened = await open({ path: made });
  assert.equal(await textOf(opened), native.operations.dump);
  assert.deepEqual((await opened.check()).problems, []);
  await opened.close();
});
