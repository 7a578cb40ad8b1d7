// The packed package, installed and used where its users are: runtimes, bundlers, browsers, and by those who check types.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { cpSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer as createNetServer } from "node:net";
import { delimiter, join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { build as bundle } from "esbuild";
import { Miniflare } from "miniflare";
import { build, createServer } from "vite";
import { launch } from "../chromium.mjs";
import { serve, visits } from "./page.mjs";
import { program, Projects, run, tool } from "./projects.mjs";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const USE = "programs/use.js";

/** What `programs/use.js` returns of a store that was empty, and of one that it had used before. */
const first = {
  before: [],
  outcomes: ["created", "conflict"],
  holder: true,
  got: "netflix.com",
  listed: 1,
  refused: ["invalid_domain"],
  fetched: true,
  closed: "closed",
};
const second = { ...first, before: ["netflix.com"], outcomes: ["conflict", "conflict"] };
/** What a page reports when it is opened, and when it is reloaded: memory is empty again, files are not. */
const reports = [{ memory: first, files: first }, { memory: first, files: second }];

let projects;
let browser;
before(async () => {
  projects = await Projects.create();
  browser = await launch();
});
after(async () => {
  await browser?.close();
  projects?.remove();
});

test("the tarball has what it needs, and nothing else", () => {
  const isCode = (path) => /^dist\/([a-z]+|entries\/[a-z]+)\.(js|js\.map|d\.ts)$/.test(path);
  const others = projects.files.filter((path) => !isCode(path));
  const modules = ["connectory", "first", "rest"].map((name) => `dist/${name}.wasm`);
  assert.deepEqual(others.sort(), ["LICENSE-APACHE", "LICENSE-MIT", "README.md", ...modules, "package.json"]);
});

test("a fresh project has this version, with its licences and its README, and nothing beside it", async () => {
  const folder = await projects.add("fresh", []);
  const root = here("../../../");
  const installed = (name) => readFileSync(join(folder, "node_modules/connectory", name), "utf8");
  const [, version] = /^version = "(.*)"$/m.exec(readFileSync(join(root, "Cargo.toml"), "utf8"));
  assert.equal(JSON.parse(installed("package.json")).version, version);
  for (const name of ["LICENSE-APACHE", "LICENSE-MIT", "bindings/npm/README.md"]) {
    assert.equal(installed(name.split("/").at(-1)), readFileSync(join(root, name), "utf8"), name);
  }
  const { packages } = JSON.parse(readFileSync(join(folder, "package-lock.json"), "utf8"));
  assert.deepEqual(Object.keys(packages), ["", "node_modules/connectory"]);
});

test("publint finds nothing", async () => {
  const said = await run(tool("publint"), ["run", projects.tarball, "--strict"]);
  assert.match(said, /All good!/);
});

test("attw finds nothing", async () => {
  // There is no CommonJS in it, and what an import of a .wasm means is up to the bundler.
  const options = ["--profile", "esm-only", "--exclude-entrypoints", "./connectory.wasm"];
  await run(tool("attw"), [projects.tarball, ...options]);
});

const node = [process.execPath];
const RUNTIMES = {
  "Node.js": { command: () => node, flock: true },
  Deno: { command: () => [program("@deno", "deno"), "run", "--no-remote", "--allow-read=.", "--allow-write=."], flock: false },
  Bun: { command: () => [program("@oven", "bin/bun")], flock: true },
};

for (const [name, { command, flock }] of Object.entries(RUNTIMES)) {
  test(`${name}: in memory, in a file, locked`, async () => {
    const folder = await projects.add(name, [USE, "programs/memory.js", "programs/file.js", "programs/holder.js"]);
    const environment = { ...process.env, DENO_DIR: join(folder, "cache"), DENO_NO_UPDATE_CHECK: "1", DO_NOT_TRACK: "1" };
    const own = command();
    const use = async (script, options = {}, env = environment, [executable, ...args] = own) =>
      JSON.parse(await run(executable, [...args, script, JSON.stringify(options)], { cwd: folder, env }));
    assert.deepEqual(await use("memory.js"), first);

    const path = "app.connectory";
    assert.deepEqual(await use("file.js", { path }), first);
    assert.deepEqual(await use("file.js", { path }), second);
    for (const [holder, other] of [[node, own], [own, node], [own, own]]) {
      await whileHeld(holder, { path }, { cwd: folder, env: environment }, async () => {
        const inUse = { code: "unavailable", reason: "in_use" };
        assert.deepEqual(await use("file.js", { path }, environment, other), inUse);
      });
    }
    assert.deepEqual(await use("file.js", { path, lock: "none" }), second);

    // Only Deno has a lock of its own.
    const bare = { ...environment, PATH: folder };
    const expected = flock && process.platform === "linux" ? { code: "lock_unavailable", reason: "lock_unavailable" } : second;
    assert.deepEqual(await use("file.js", { path }, bare), expected);
    assert.deepEqual(await use("file.js", { path, lock: "none" }, bare), second);
    const left = readdirSync(folder).filter((file) => file.includes(".connectory"));
    assert.deepEqual(left, [path]);
  });
}

/** Runs `work` while another process has the store open. */
async function whileHeld([executable, ...args], options, settings, work) {
  const stdio = ["pipe", "pipe", "inherit"];
  const holder = spawn(executable, [...args, "holder.js", JSON.stringify(options)], { ...settings, stdio });
  const ended = new Promise((resolve) => holder.once("exit", resolve));
  try {
    const opened = await Promise.race([new Promise((resolve) => holder.stdout.once("data", resolve)), ended]);
    assert.equal(String(opened), "open\n");
    await work();
  } finally {
    holder.stdin.end();
    assert.equal(await ended, 0);
  }
}

const html = (script, head = "") => `<!doctype html><title>connectory</title><link rel="icon" href="data:,">
${head}<script type="module" src="${script}"></script>`;

/** Serves a folder while Chromium opens its page twice. */
async function reported(folder, mediaTypes) {
  const server = await serve(folder, mediaTypes);
  try {
    return await visits(browser, server.url);
  } finally {
    await server.close();
  }
}

test("a page without a bundler, from servers that know the type of .wasm and that do not", async () => {
  const imports = { connectory: "/node_modules/connectory/dist/browser.js", "connectory/fetch": "/node_modules/connectory/dist/fetch.js" };
  const head = `<script type="importmap">${JSON.stringify({ imports })}</script>`;
  const folder = await projects.add("plain", [USE, "programs/page.js"], { "index.html": html("page.js", head) });
  assert.deepEqual(await reported(folder), reports);
  assert.deepEqual(await reported(folder, { ".wasm": "application/octet-stream" }), reports);
});

test("Vite, built and while developing, without settings", async () => {
  const root = await projects.add("vite", [USE, "programs/page.js"], { "index.html": html("/page.js") });
  const settings = { root, configFile: false, logLevel: "error" };
  const { output } = await build(settings);
  const assets = output.map(({ fileName }) => fileName.replace(/-[\w-]{8}\./, ".")).sort();
  assert.deepEqual(assets, ["connectory.wasm", "first.wasm", "index.js", "rest.wasm", "worker.js"].map((name) => `assets/${name}`).concat("index.html"));
  assert.deepEqual(await reported(join(root, "dist")), reports);

  // Its pages ask for updates at the port that is in the settings.
  const server = await createServer({ ...settings, server: { host: "127.0.0.1", port: await freePort(), strictPort: true } });
  try {
    await server.listen();
    assert.deepEqual(await visits(browser, server.resolvedUrls.local[0]), reports);
  } finally {
    await server.close();
  }
});

async function freePort() {
  const server = createNetServer();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

test("esbuild, with the slim entry and the worker as an entry of its own", async () => {
  const folder = await projects.add("slim", [USE, "programs/slim.js"]);
  const options = ["--bundle", "--format=esm", "--minify", "--loader:.wasm=file", "--outdir=out", "--log-level=warning"];
  await run(tool("esbuild"), ["slim.js", "worker=connectory/worker", ...options], { cwd: folder });
  writeFileSync(join(folder, "out/index.html"), html("slim.js"));
  assert.deepEqual(await reported(join(folder, "out")), reports);

  writeFileSync(join(folder, "own.js"), 'import "connectory/worker";');
  assert.match(await run(tool("esbuild"), ["own.js", "--bundle"], { cwd: folder }), /onmessage/);
});

test("esbuild, with the files that the package looks for copied beside what it makes", async () => {
  const folder = await projects.add("esbuild", [USE, "programs/page.js"], { "index.html": html("out/page.js") });
  await run(tool("esbuild"), ["page.js", "--bundle", "--format=esm", "--outdir=out", "--log-level=warning"], { cwd: folder });
  for (const name of ["connectory.wasm", "first.wasm", "rest.wasm", "worker.js"]) {
    cpSync(join(folder, "node_modules/connectory/dist", name), join(folder, "out", name));
  }
  assert.deepEqual(await reported(folder), reports);
});

test("workerd, where the .wasm is a module that it compiles", async () => {
  const folder = await projects.add("workerd", [USE, "programs/worker.js"]);
  const modulesRoot = join(folder, "out");
  await bundle({
    absWorkingDir: folder,
    entryPoints: ["worker.js"],
    bundle: true,
    format: "esm",
    conditions: ["workerd", "worker", "browser"],
    loader: { ".wasm": "copy" },
    outdir: modulesRoot,
    logLevel: "error",
  });
  const worker = new Miniflare({
    modules: true,
    modulesRoot,
    modulesRules: [{ type: "ESModule", include: ["**/*.js"] }, { type: "CompiledWasm", include: ["**/*.wasm"] }],
    scriptPath: join(modulesRoot, "worker.js"),
    compatibilityDate: "2026-05-01",
  });
  try {
    const response = await worker.dispatchFetch("http://worker/");
    assert.deepEqual(await response.json(), first);
  } finally {
    await worker.dispose();
  }
});

test("TypeScript sees the types of Node.js, of browsers and of Deno, and those of the HTTP API", async () => {
  const folder = await projects.add("types", []);
  cpSync(here("../types"), folder, { recursive: true });
  const tsc = (...args) => {
    const common = ["--noEmit", "--strict", "--exactOptionalPropertyTypes", "--allowImportingTsExtensions", "--target", "es2022"];
    return run(tool("tsc"), [...common, ...args], { cwd: folder });
  };
  // The fewest libraries that a program of each kind has; the package's own declarations are checked too.
  const server = ["--module", "nodenext", "--lib", "es2022", "--types", "node", "--typeRoots", here("node_modules/@types")];
  await tsc(...server, "shapes.ts", "node.ts", "described.ts");
  const page = ["--module", "esnext", "--moduleResolution", "bundler", "--lib", "es2022,dom,dom.iterable"];
  await tsc(...page, "shapes.ts", "browser.ts");
  const env = { ...process.env, DENO_DIR: join(folder, "cache"), DENO_NO_UPDATE_CHECK: "1" };
  await run(program("@deno", "deno"), ["check", "--no-remote", "shapes.ts", "node.ts"], { cwd: folder, env });
});
