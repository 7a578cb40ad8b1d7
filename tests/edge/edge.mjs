// The Worker in workerd, as it is deployed or with the tests' own objects.
import { createHash } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { buildSync } from "esbuild";
import { Log, LogLevel, Miniflare } from "miniflare";

export const root = new URL("../../", import.meta.url);
const edge = new URL("bindings/edge/", root);

/** As `wrangler.jsonc` has it. */
const COMPATIBILITY_DATE = /"compatibility_date": "(.*?)"/.exec(readFileSync(new URL("wrangler.jsonc", edge), "utf8"))[1];

export const KEY = "key-of-the-tests";
export const READ_KEY = "key-that-reads";

export function digest(key) {
  return createHash("sha256").update(key).digest("hex");
}

/** The rules by which `KEY` may do everything on all of these projects, and `READ_KEY` may read the default one. */
export function rules(projects = {}, keys = []) {
  return {
    projects: { default: { plan: "enterprise" }, ...projects },
    keys: [
      { sha256: digest(KEY), projects: "*", scopes: ["read", "write", "admin"] },
      { sha256: digest(READ_KEY), projects: ["default"], scopes: ["read"] },
      ...keys,
    ],
  };
}

/** Every file of cases, by name. */
export function caseFiles() {
  const folder = new URL("tests/cases/", root);
  const names = readdirSync(folder).filter((name) => name.endsWith(".json")).sort();
  return Object.fromEntries(
    names.map((name) => [name.replace(".json", ""), JSON.parse(readFileSync(new URL(name, folder), "utf8"))]),
  );
}

/** A program for workerd: one of this folder, or the Worker itself. */
function bundled(entry) {
  if (!entry) return readFileSync(new URL("dist/worker.js", edge), "utf8");
  const { outputFiles } = buildSync({
    entryPoints: [fileURLToPath(new URL(entry, import.meta.url))],
    bundle: true,
    format: "esm",
    target: "es2022",
    external: ["cloudflare:*", "*.wasm"],
    write: false,
    logLevel: "warning",
  });
  return outputFiles[0].text;
}

/**
 * Starts the Worker. `entry` is a program of this folder instead of the Worker itself, `persist` a folder in which objects
 * outlive it, `shards` how many shards projects have; `bindings` are further settings.
 */
export async function start(options = {}) {
  const lines = [];
  const worker = new Miniflare(workerd(options, lines));
  return new Edge(worker, await worker.ready, lines, options);
}

/** What Miniflare is told. */
function workerd({ entry, persist, projects, keys, shards = {}, bindings = {}, port = 0, ...rest }, lines) {
  return {
    modules: [
      { type: "ESModule", path: "dist/worker.js", contents: bundled(entry) },
      { type: "CompiledWasm", path: "built/connectory.wasm", contents: readFileSync(new URL("built/connectory.wasm", edge)) },
    ],
    compatibilityDate: COMPATIBILITY_DATE,
    durableObjects: { SHARDS: { className: "Shard", useSQLite: true } },
    ...(persist ? { durableObjectsPersist: persist } : {}),
    bindings: given({ CONNECTORY_KEYS: JSON.stringify(rules(projects, keys)), CONNECTORY_SHARDS: shards, CONNECTORY_LOG: "requests", ...bindings }),
    port,
    // Where requests come from is asked of a service otherwise.
    cf: false,
    log: new Log(LogLevel.WARN),
    handleRuntimeStdio(out, err) {
      for (const stream of [out, err]) stream.on("data", (data) => lines.push(String(data)));
    },
    ...rest,
  };
}

/** What is undefined is not set. */
function given(bindings) {
  return Object.fromEntries(Object.entries(bindings).filter(([, value]) => value !== undefined));
}

/** A running Worker. */
export class Edge {
  #lines;
  #options;

  constructor(worker, url, lines, options) {
    this.worker = worker;
    this.url = url;
    this.#lines = lines;
    this.#options = options;
  }

  /** What it has logged so far. */
  get log() {
    return this.#lines.join("");
  }

  /** Starts it anew over the same objects, with other options. */
  async restart(options) {
    this.#options = { ...this.#options, ...options };
    await this.worker.setOptions(workerd(this.#options, this.#lines));
    this.url = await this.worker.ready;
  }

  /** The headers by which somebody is let in. */
  headers({ key = KEY, project } = {}) {
    return {
      ...(key === null ? {} : { authorization: `Bearer ${key}` }),
      ...(project === undefined ? {} : { "x-kernel-project-id": project }),
    };
  }

  /** Sends what is a request already. */
  send(path, init) {
    return fetch(new URL(path, this.url), init);
  }

  /** Sends a request; objects become JSON. `key` is null where none is sent. */
  async request(method, path, { body, key, project, headers = {} } = {}) {
    const sent = { ...this.headers({ key, project }), ...headers };
    if (body !== undefined) sent["content-type"] ??= "application/json";
    const isText = body === undefined || typeof body === "string" || body instanceof Uint8Array || body instanceof ReadableStream;
    const init = { method, headers: sent, body: isText ? body : JSON.stringify(body) };
    if (body instanceof ReadableStream) init.duplex = "half";
    // Where a body was refused before its end the connection closes, perhaps under the next request: a read is sent again.
    const response = await this.send(path, init).catch((error) => {
      if (method !== "GET") throw error;
      return this.send(path, init);
    });
    const text = await response.text();
    const isJson = response.headers.get("content-type") === "application/json";
    return { status: response.status, headers: response.headers, text, body: isJson && text !== "" ? JSON.parse(text) : undefined };
  }

  /** Creates a connection. */
  create(profile_name, domain, options = {}) {
    return this.request("POST", "/auth/connections", { ...options, body: { profile_name, domain } });
  }

  /** Asks an object directly; for the Worker of `worker.ts`. */
  async object(what, place, ...args) {
    const response = await this.send(`/-/${what}`, { method: "POST", body: JSON.stringify({ place, args }) });
    return response.json();
  }

  stop() {
    return this.worker.dispose();
  }
}
