// In Chromium the package answers every case, and ten thousand operations, as the native engine does: in memory, in files
// and behind createFetch. What it stored opens in Node.js.
import assert from "node:assert/strict";
import { test } from "node:test";
import { scenariosOf } from "../cases.mjs";
import { caseFiles, native, open } from "../package.mjs";
import { textOf } from "../subject.mjs";
import { inBrowser, openTab } from "./tab.mjs";

const here = inBrowser();

const scenarios = Object.values(caseFiles()).flatMap(scenariosOf);
const steps = scenarios.reduce((sum, scenario) => sum + scenario.steps.length, 0);

/** Runs the cases in a page, or in a dedicated worker of one. */
async function run(page, where, inWorker, behindFetch) {
  return page.evaluate(
    async ([where, inWorker, behindFetch]) => {
      const script = "/tests/browser/cases.page.mjs";
      let result;
      if (inWorker) {
        const worker = new Worker(script, { type: "module" });
        result = await new Promise((resolve, reject) => {
          worker.onmessage = ({ data }) => resolve(data);
          worker.onerror = ({ message }) => reject(new Error(message));
          worker.postMessage({ where, behindFetch });
        });
        worker.terminate();
      } else {
        result = await (await import(script)).run(where, behindFetch);
      }
      return { ...result, bytes: result.bytes?.toBase64() };
    },
    [where, inWorker, behindFetch],
  );
}

for (const [name, where, inWorker, behindFetch] of [
  ["in memory, in a page", "memory", false, false],
  ["in files, in a worker", "files", true, false],
  ["behind createFetch, in a page", "memory", false, true],
]) {
  test(`every case ${name}`, async () => {
    const context = await here.browser.newContext();
    const complaints = [];
    const page = await openTab(context, here.server.url, complaints);
    const { count, failures, bytes } = await run(page, where, inWorker, behindFetch);
    assert.deepEqual([...failures, ...complaints], []);
    console.log(`${name}: ${JSON.stringify(count)}, skipped none`);
    assert.equal(count.scenarios, scenarios.length);
    assert.equal(count.steps, steps);
    const store = await open({ memory: Buffer.from(bytes, "base64") });
    assert.equal(await textOf(store), native.operations.dump);
    await store.close();
    await context.close();
  });
}
