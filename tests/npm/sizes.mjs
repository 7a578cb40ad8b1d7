// Prints what a browser loads, compressed with brotli, beside SQLite's; fails over the budgets. A KB is 1000 bytes.
import { existsSync, readFileSync } from "node:fs";
import { brotliCompressSync, constants } from "node:zlib";

/** The engine. */
const WASM_KB = 240;
/** All that a page loads, with stores in files. */
const ALL_KB = 260;
/** The engine's part of SQLite's. */
const OF_SQLITE = 0.75;

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

const [wasm, entry, worker] = ["connectory.wasm", "browser.js", "worker.js"].map((name) => measured(new URL(name, dist)));
const all = sum(wasm, entry, worker);
const sqlite = measured(sqliteUrl);

const kb = (bytes) => (bytes / 1000).toFixed(1).padStart(8);
console.log(`${"".padEnd(28)}${"KB".padStart(8)}${"brotli".padStart(8)}`);
for (const [name, { raw, brotli }] of Object.entries({
  "connectory.wasm": wasm,
  "browser.js": entry,
  "worker.js": worker,
  "a page with memory": sum(wasm, entry),
  "a page with files": all,
  "sqlite3.wasm": sqlite,
})) {
  console.log(`${name.padEnd(28)}${kb(raw)}${kb(brotli)}`);
}

const share = wasm.brotli / sqlite.brotli;
console.log(`connectory.wasm is ${share.toFixed(2)} of sqlite3.wasm`);
const over = [
  [wasm.brotli > WASM_KB * 1000, `connectory.wasm is over ${WASM_KB} KB`],
  [all.brotli > ALL_KB * 1000, `a page with files loads more than ${ALL_KB} KB`],
  [share > OF_SQLITE, `connectory.wasm is more than ${OF_SQLITE} of sqlite3.wasm`],
].filter(([isOver]) => isOver);
for (const [, message] of over) console.error(`too large: ${message}`);
if (over.length > 0) process.exitCode = 1;
