// The run: all contenders in Node.js and in Chromium, tables to standard output, every figure to the file of --json.
import { execFileSync } from "node:child_process";
import { rmSync } from "node:fs";
import { mkdtemp, readFile, writeFile } from "node:fs/promises";
import { cpus, tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { chromiumContenders, coldInChromium, findChromium, launch } from "./chromium.mjs";
import { coldInNode, Native, nodeContenders } from "./node.mjs";
import { asJson, goals, goalsTable, tableOf } from "./report.mjs";
import { agree, coldStarts, imports, measure } from "./rounds.mjs";
import { serve } from "./server.mjs";

const FULL = {
  size: 10_000, rounds: 5, memory: 2000, durable: 500, together: 64 * 30, reads: 1000, ms: 4000, imported: 100_000, imports: 3, starts: 9,
};
const QUICK = {
  size: 1000, rounds: 1, memory: 200, durable: 50, together: 64 * 3, reads: 100, ms: 1000, imported: 2000, imports: 1, starts: 1,
};

const { values: options } = parseArgs({
  options: {
    json: { type: "string" },
    /** A file that has the tables between two marks, to be replaced. */
    readme: { type: "string" },
    quick: { type: "boolean", default: false },
    /** node, chromium. */
    only: { type: "string" },
    /** Where the stores are made, and removed again. */
    directory: { type: "string", default: tmpdir() },
  },
});
const plan = options.quick ? QUICK : FULL;
const begun = Date.now();
const sections = [];
const missing = new Set();
const say = (text) => process.stderr.write(`${((Date.now() - begun) / 1000).toFixed(0)} s  ${text}\n`);
const directory = await mkdtemp(join(options.directory, "connectory-benches-"));
// However the run ends; browsers and processes end with it.
process.on("exit", () => rmSync(directory, { recursive: true, force: true, maxRetries: 10 }));
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(signal, () => process.exit(1));

const about = { machine: machine(), versions: await versions(), plan };
if (!Native.isThere()) missing.add("the native engine: build it first");
if (options.only !== "chromium") await inNode();
if (options.only !== "node") await inChromium();
about.unix_seconds = Math.floor(begun / 1000);
about.seconds = Math.round((Date.now() - begun) / 1000);
about.missing = [...missing];
if (options.json) await writeFile(options.json, `${JSON.stringify(asJson(about, sections), undefined, 2)}\n`);
const tables = sections.map((it) => `${it.host}, ${it.place}:\n\n${tableOf(it)}\n`).join("\n");
if (options.readme) await intoReadme(options.readme);
console.log(tables);
console.log(`What was to be reached; **bold** where it is not\n\n${goalsTable(goals(sections))}\n`);
for (const it of missing) console.log(`Missing: ${it}`);

/** All rows of one host and one kind of store. */
async function section(host, isDurable, contenders, start) {
  const progress = (text) => say(`${host}: ${text}`);
  await agree(contenders, 1, progress);
  const rows = start ? await coldStarts(contenders, start, plan, progress) : [];
  const native = !isDurable && Native.isThere() ? [new Native()] : [];
  try {
    rows.push(...(await measure([...contenders, ...native], isDurable, plan, progress)));
  } finally {
    for (const it of native) it.end();
  }
  rows.push(...(await imports(contenders, isDurable, plan, progress)));
  sections.push({ host, place: isDurable ? "durable" : "memory", rows });
}

async function inNode() {
  for (const isDurable of [false, true]) {
    const contenders = await nodeContenders(isDurable, directory, missing);
    try {
      await section("Node.js", isDurable, contenders, isDurable ? undefined : coldInNode);
    } finally {
      for (const contender of contenders) contender.end();
    }
  }
}

async function inChromium() {
  if (!findChromium()) return void missing.add("Chromium: install it, or name it in CONNECTORY_CHROMIUM");
  const { origin, close } = await serve();
  const browser = await launch(join(directory, "chromium"));
  about.versions.chromium = await browser.browser()?.version() ?? execFileSync(findChromium(), ["--version"], { encoding: "utf8" }).trim();
  try {
    for (const isDurable of [false, true]) {
      const { all, end } = await chromiumContenders(browser, origin, isDurable);
      const start = (contender) => coldInChromium(browser, origin, contender);
      await section("Chromium", isDurable, all, isDurable ? undefined : start);
      await end();
    }
  } finally {
    await browser.close();
    await close();
  }
}

async function intoReadme(path) {
  const [BEGIN, END] = ["<!-- benches/javascript/run -->\n", "<!-- until here -->\n"];
  const text = await readFile(path, "utf8");
  const [before, after] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (before < 0 || after < before) throw new Error(`${path} has no place for the tables`);
  await writeFile(path, `${text.slice(0, before)}${BEGIN}\n${tables}\n${text.slice(after)}`);
}

function machine() {
  const [{ model }] = cpus();
  return { cpu: model, cores: cpus().length, memory_mib: Math.round(totalmem() / 2 ** 20) };
}

async function versions() {
  const read = async (path) => JSON.parse(await readFile(new URL(path, import.meta.url), "utf8"));
  const { dependencies, optionalDependencies } = await read("package.json");
  const { version } = await read("../../bindings/npm/package.json");
  return { connectory: version, ...dependencies, ...optionalDependencies, node: process.version };
}
