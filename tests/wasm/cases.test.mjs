// The engine in WebAssembly answers every case in tests/cases as it is written there, and dumps what the native one
// dumps; each opens the other's stores.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { Run, files } from "./cases.mjs";
import { Store } from "./engine.mjs";
import { Subject, linesOf } from "./subject.mjs";

/** What the native engine dumped at the end of every scenario, and its stores as files, by the file of cases. */
const native = JSON.parse(readFileSync(process.env.CONNECTORY_NATIVE ?? "target/javascript/native.json", "utf8"));
const command = process.env.CONNECTORY ?? "target/debug/connectory";
const directory = mkdtempSync(join(tmpdir(), "connectory-"));
const count = { files: 0, scenarios: 0, steps: 0, dumps: 0, stores: 0, files_opened_natively: 0 };

for (const file of files()) {
  test(`${file.name}: ${file.about}`, () => {
    count.files += 1;
    assert.equal(native[file.name].length, file.scenarios.length);
    for (const [n, { about, store, steps, ...rest }] of file.scenarios.entries()) {
      assert.deepEqual(rest, {}, "a scenario has no other keys");
      const run = new Run(new Subject(store));
      const failures = [];
      for (const [n, step] of steps.entries()) {
        const faults = run.step(step);
        if (faults.length > 0) failures.push([`step ${n + 1}: ${JSON.stringify(step)}`, ...faults].join("\n  - "));
        count.steps += 1;
      }
      failures.push(...run.subject.problems());
      assert.equal(failures.join("\n"), "", about);
      count.scenarios += 1;

      const { dump, bytes } = native[file.name][n];
      assert.equal(run.subject.dump(), dump, `${about}: the dump is the native one's`);
      count.dumps += 1;
      const ours = run.subject.bytes();
      for (const store of [Buffer.from(bytes, "base64"), ours]) {
        const opened = Store.fromBytes(store);
        assert.equal([...linesOf(opened)].join("\n"), dump, `${about}: the store opens again`);
        assert.deepEqual(opened.check().problems, []);
        opened.free();
        count.stores += 1;
      }
      const path = join(directory, String(count.scenarios));
      mkdirSync(path);
      writeFileSync(join(path, "default.connectory"), ours);
      const dumped = execFileSync(command, ["--store", path, "dump"], { encoding: "utf8" });
      assert.equal(dumped, `${dump}\n`, `${about}: the store opens natively`);
      count.files_opened_natively += 1;
    }
  });
}

after(() => {
  rmSync(directory, { recursive: true });
  const cases = files();
  const scenarios = cases.flatMap((file) => file.scenarios);
  const steps = scenarios.reduce((sum, scenario) => sum + scenario.steps.length, 0);
  console.log(`ran ${JSON.stringify(count)}, skipped none`);
  assert.deepEqual(count, {
    files: Object.keys(native).length,
    scenarios: scenarios.length,
    steps,
    dumps: scenarios.length,
    stores: 2 * scenarios.length,
    files_opened_natively: scenarios.length,
  });
});
