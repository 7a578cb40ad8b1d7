// Replays the cases where this runs, a page or a dedicated worker, and says what came of it.
import { createFetch } from "/dist/fetch.js";
import { open } from "/dist/browser.js";
import { perform, replay } from "/tests/replay.mjs";
import { OverFetch, Subject, textOf } from "/tests/subject.mjs";

OverFetch.createFetch = createFetch;

let places = 0;
const PLACES = {
  memory: (options) => open({ memory: true, ...options }),
  files: (options) => open({ name: `cases-${(places += 1)}`, ...options }),
};

/** Replays every case, and the ten thousand operations, on stores kept `where`. */
export async function run(where, behindFetch) {
  const { files, native } = await (await fetch("/cases.json")).json();
  const subject = behindFetch ? OverFetch : Subject;
  const make = (opening) => subject.of(PLACES[where], opening);
  const exact = behindFetch ? (step) => step.is !== "bad_request" : undefined;
  const { count, failures } = await replay(files, native.cases, make, { exact });
  const operations = await Subject.of(PLACES[where]);
  failures.push(...(await perform(operations, native.operations)));
  const bytes = await operations.store.backup();
  const again = await open({ memory: bytes });
  if ((await textOf(again)) !== native.operations.dump) failures.push("the copy dumps otherwise");
  await again.close();
  await operations.store.close();
  return { count, failures, bytes };
}

if (typeof DedicatedWorkerGlobalScope === "function") {
  self.onmessage = async ({ data }) => {
    try {
      self.postMessage(await run(data.where, data.behindFetch));
    } catch (error) {
      self.postMessage({ failures: [String(error.stack ?? error)] });
    }
  };
}
