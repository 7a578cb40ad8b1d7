// Splits the module in two for browsers: first.wasm, which is what ordinary work needs, and rest.wasm, which is loaded
// later; ARCHITECTURE.md says how they work together.
//   node split/split.mjs <folder of linked.wasm, connectory.wasm and module.wat> <dist> [features ...]
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { unreached } from "./linked.mjs";
import { namesOfUsed } from "./profile.mjs";
import { dataOf } from "./sections.mjs";
import { dataForm, formsOf, moduleOf, namesIn, numbersIn } from "./text.mjs";

/** Fewer bytes than these stay where they are: every piece of data has a head. */
const PIECE_MIN_BYTES = 64;
/** A function of fewer lines, which is about one for each instruction, is short. */
const SHORT_LINES = 40;

const [folder, dist, ...features] = process.argv.slice(2);

/** Writes a module in binary, without what nothing in it uses. */
function assemble(forms, path) {
  const text = `${path}.wat`;
  writeFileSync(text, moduleOf(forms));
  const wasmOpt = fileURLToPath(new URL("../node_modules/.bin/wasm-opt", import.meta.url));
  const options = ["--remove-unused-module-elements", "--strip-debug", "--strip-producers"];
  execFileSync(wasmOpt, [text, "-o", path, ...features, ...options], { stdio: ["ignore", "inherit", "inherit"] });
  rmSync(text);
}

const text = readFileSync(`${folder}/module.wat`, "utf8");
const forms = formsOf(text);
const of = (...kinds) => forms.filter(({ kind }) => kinds.includes(kind)).map((form) => form.text);
const functions = forms.filter(({ kind }) => kind === "func");
const isChanging = (form) => form.startsWith(" (global ") && form.includes("(mut ");

// Functions that are hardly longer than a way to the rest stay with those that may call them.
const used = await namesOfUsed(forms, assemble, dist);
const mayUse = new Set(functions.flatMap(({ name, references }) => (used.has(name) ? [...references] : [])));
const isHot = (form) => used.has(form.name) || (mayUse.has(form.name) && form.length < SHORT_LINES);
const hot = functions.filter(isHot);
const cold = functions.filter((form) => !isHot(form));

// Cold functions that hot ones or the host can reach are called through the table, where the rest puts them.
const reachable = new Set(hot.flatMap(({ references }) => [...references]));
for (const name of of("elem", "export").flatMap(namesIn)) reachable.add(name);
const through = cold.filter(({ name }) => reachable.has(name));
const tables = of("table");
const [, table, slots] = /^ \(table (\S+) (\d+) \d+ funcref\)/m.exec(tables.join("\n"));
const firstSlot = Number(slots);
const size = firstSlot + through.length;
const grownTables = tables.map((form) => form.replace(` ${slots} ${slots} funcref`, ` ${size} ${size} funcref`));

// What both parts use belongs to the first, which exports it by number.
const called = new Set(cold.flatMap(({ references }) => [...references]));
const shared = [
  ...hot.filter(({ name }) => called.has(name)).map(({ name, signature }) => `func ${name}${signature}`),
  ...[...of("memory"), ...grownTables].map((form) => form.slice(" (".length, -")".length)),
  ...of("global").filter(isChanging).map((form) => /global \S+ \(mut \w+\)/.exec(form)[0]),
];
const exported = shared.map((what, n) => ` (export "${n}" (${/^\w+/.exec(what)[0]} ${namesIn(what)[0]}))`);
const imported = shared.map((what, n) => ` (import "first" "${n}" (${what}))`);

const pinned = new Set(hot.flatMap((form) => [...numbersIn(form)]));
const names = new Set(hot.map(({ plainName }) => plainName));
const [hotData, coldData] = dividedData(unreached(readFileSync(`${folder}/linked.wasm`), names, pinned));

// The two find each other by this name alone, so those of different builds do not.
const whole = [text, ...shared, ...through.map(({ name }) => name), ...coldData].join("\n");
const build = createHash("sha256").update(whole).digest("hex").slice(0, 16);

assemble([
  ...of("type", "import"),
  ' (import "rest" "load" (func $load_rest))',
  ...of("global", "memory"),
  " (global $is_rest_here (mut i32) (i32.const 0))",
  ...hotData,
  ...grownTables,
  ...of("elem", "export"),
  ...exported,
  ` (export "${build}" (global $is_rest_here))`,
  ...hot.map((form) => form.text),
  " (func $await_rest (if (i32.eqz (global.get $is_rest_here)) (then (call $load_rest))))",
  ...through.map((form, n) => form.through(table, firstSlot + n, "(call $await_rest)")),
], `${dist}/first.wasm`);

assemble([
  ...of("type", "import"),
  ...imported,
  ` (import "first" "${build}" (global $is_rest_here (mut i32)))`,
  ...of("global").filter((form) => !isChanging(form)),
  ...coldData,
  ` (elem (table ${table}) (i32.const ${firstSlot}) func ${through.map(({ name }) => name).join(" ")})`,
  " (start $rest_is_here)",
  " (func $rest_is_here (global.set $is_rest_here (i32.const 1)))",
  ...cold.map((form) => form.text),
], `${dist}/rest.wasm`);

/** The data of the module in two: what is outside of these pieces of memory, and what is inside. */
function dividedData(pieces) {
  const divided = [[], []];
  for (const { address, bytes } of dataOf(readFileSync(`${folder}/connectory.wasm`))) {
    const put = (part, from, to) => {
      if (from < to) divided[part].push(dataForm(from, bytes.subarray(from - address, to - address)));
    };
    const end = address + bytes.length;
    let at = address;
    for (const piece of pieces) {
      if (piece.start < address || piece.end > end || piece.end - piece.start < PIECE_MIN_BYTES) continue;
      put(0, at, piece.start);
      put(1, piece.start, piece.end);
      at = piece.end;
    }
    put(0, at, end);
  }
  return divided;
}
