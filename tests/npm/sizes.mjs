// Prints what a browser loads, compressed with brotli, beside SQLite's and the goals; fails over the bounds. The first load
// is what a store in files needs before it answers. A KB is 1000 bytes.
import { existsSync, readFileSync } from "node:fs";
import { brotliCompressSync, constants } from "node:zlib";

/** What is aimed at, in KB and as a part of SQLite's, and what it is held to meanwhile so that it does not grow. */
const WASM = { goal: 240, bound: 400 };
const FIRST_LOAD = { goal: 280, bound: 300 };
const PAGE = { goal: 460, bound: 480 };
const OF_SQLITE = { goal: 0.75, bound: 1.15 };

const dist = new URL("../../bindings/npm/dist/", import.meta.url);
const sqliteUrl = new URL("packages/node_modules/@sqlite.org/sqlite-wasm/dist/sqlite3.wasm", import.meta.url);
for (const url of [dist, sqliteUrl]) if (!existsSync(url)) throw new Error(`${url.pathname} is missing; run tests/run packages`);

function measured(url) {
  const bytes = readFileSync(url);
  const params = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length };
  return { raw: bytes.length, brotli: brotliCompressSync(bytes, { params }).length };
}

const sum = (...parts) => ({
  raw: parts.reduce((total, { raw }) => total + raw, 0),
  brotli: parts.reduce((total, { brotli }) => total + brotli, 0),
});

const names = ["connectory.wasm", "first.wasm", "rest.wasm", "browser.js", "worker.js"];
const [wasm, first, rest, entry, worker] = names.map((name) => measured(new URL(name, dist)));
const firstLoad = sum(first, entry, worker);
const all = sum(firstLoad, rest);
const sqlite = measured(sqliteUrl);

const kb = (bytes) => (bytes / 1000).toFixed(1).padStart(8);
console.log(`${"".padEnd(28)}${"KB".padStart(8)}${"brotli".padStart(8)}`);
for (const [name, { raw, brotli }] of Object.entries({
  "connectory.wasm": wasm,
  "first.wasm": first,
  "rest.wasm": rest,
  "browser.js": entry,
  "worker.js": worker,
  "files, the first load": firstLoad,
  "files, all of it": all,
  "memory": sum(wasm, entry),
  "sqlite3.wasm": sqlite,
})) {
  console.log(`${name.padEnd(28)}${kb(raw)}${kb(brotli)}`);
}

const checked = [
  ["connectory.wasm, KB", wasm.brotli / 1000, WASM],
  ["files, the first load, KB", firstLoad.brotli / 1000, FIRST_LOAD],
  ["files, all of it, KB", all.brotli / 1000, PAGE],
  ["connectory.wasm over sqlite3.wasm", wasm.brotli / sqlite.brotli, OF_SQLITE],
];
console.log(`\n${"".padEnd(36)}${"is".padStart(8)}${"goal".padStart(8)}${"bound".padStart(8)}`);
for (const [name, is, { goal, bound }] of checked) {
  const shown = [is, goal, bound].map((number) => String(Number(number.toFixed(number < 10 ? 2 : 1))).padStart(8));
  console.log(`${name.padEnd(36)}${shown.join("")}  ${is > goal ? "the goal is missed" : "within the goal"}`);
}
for (const [name, is, { bound }] of checked) {
  if (is <= bound) continue;
  console.error(`too large: ${name} is ${is.toFixed(2)}, more than ${bound}`);
  process.exitCode = 1;
}
