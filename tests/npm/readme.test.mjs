// The examples of the package's README run as they stand, and print what they say.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { root } from "./package.mjs";

const directory = mkdtempSync(join(tmpdir(), "connectory-"));
after(() => rmSync(directory, { recursive: true }));
const modules = join(directory, "node_modules");
mkdirSync(join(modules, "@onkernel"), { recursive: true });
symlinkSync(new URL("bindings/npm", root), join(modules, "connectory"));
symlinkSync(new URL("tests/node_modules/@onkernel/sdk", root), join(modules, "@onkernel/sdk"));

const read = (path) => readFileSync(new URL(path, root), "utf8");
const text = read("bindings/npm/README.md");
/** Those in the text itself; what is in a list is for tools that have tests of their own. */
const examples = [...text.matchAll(/^```js\n(.*?)^```$/gms)].map(([, code]) => code);

/** What an example takes for granted: a store in which a pair is taken. */
const GIVEN = `
const { open } = await import("connectory");
const store = await open({ memory: true });
await store.create({ domain: "github.com", profile_name: "user-123" });
`;

/** Runs an example as a program; what it prints, line by line. */
function run(code, cwd = directory) {
  const path = join(directory, "example.mjs");
  writeFileSync(path, code.includes("await open(") ? code : GIVEN + code);
  return execFileSync(process.execPath, [path], { cwd, encoding: "utf8" }).trim().split("\n");
}

test("the examples do what they say", () => {
  assert.equal(examples.length, 3);
  const [first, refused, offline] = examples;
  const [created, held] = run(first);
  assert.match(created, /^created ma_[0-9a-z]{26}$/);
  assert.equal(held, created.replace("created", "held by"));
  assert.deepEqual(run(first), [held], "it was kept");
  const lines = run(refused);
  assert.match(lines[0], /^invalid_domain domain: .* has a scheme; send the bare host name "netflix\.com"$/);
  assert.match(lines[1], /^missing_field profile_name: is required; send it$/);
  assert.deepEqual(run(offline), [""]);
  const twice = offline + offline.split("\n").filter((line) => line.startsWith("await")).join("\n");
  assert.throws(() => run(twice), /ConflictError/);
});

test("the example of the project's README does what it says", () => {
  const [, example] = /^```js\n(import \{ open \} .*?)^```$/ms.exec(read("README.md"));
  const cwd = mkdtempSync(join(directory, "example-"));
  assert.deepEqual(run(`${example}\nconsole.log(outcome);`, cwd), ["created"]);
});
