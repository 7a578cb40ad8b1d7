// The Worker in workerd, as it is deployed or with the tests' own objects.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
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
export async function start({ entry, persist, projects, keys, shards = {}, bindings = {}, port = 0, ...rest } = {}) {
  const lines = [];
  const worker = new Miniflare({
    modules: [
      { type: "ESModule", path: "dist/worker.js", contents: bundled(entry) },
      { type: "CompiledWasm", path: "built/connectory.wasm", contents: readFileSync(new URL("built/connectory.wasm", edge)) },
    ],
    compatibilityDate: COMPATIBILITY_DATE,
    durableObjects: { SHARDS: { className: "Shard", useSQLite: true } },
    ...(persist ? { durableObjectsPersist: persist } : {}),
    bindings: { CONNECTORY_KEYS: JSON.stringify(rules(projects, keys)), CONNECTORY_SHARDS: shards, ...bindings },
    port,
    log: new Log(LogLevel.WARN),
    handleRuntimeStdio(out, err) {
      for (const stream of [out, err]) stream.on("data", (data) => lines.push(String(data)));
    },
    ...rest,
  });
  const url = await worker.ready;
  return new Edge(worker, url, lines);
}

/** A running Worker. */
export class Edge {
  constructor(worker, url, lines) {
    this.worker = worker;
    this.url = url;
    this.lines = lines;
  }

  /** What it has logged so far. */
  get log() {
    return this.lines.join("");
  }

  /** Sends a request; objects become JSON. */
  async request(method, path, { body, key = KEY, project, headers = {} } = {}) {
    const sent = { ...headers };
    if (key !== undefined) sent.authorization = `Bearer ${key}`;
    if (project !== undefined) sent["x-kernel-project-id"] = project;
    if (body !== undefined) sent["content-type"] ??= "application/json";
    const isText = body === undefined || typeof body === "string" || body instanceof Uint8Array || body instanceof ReadableStream;
    const init = { method, headers: sent, body: isText ? body : JSON.stringify(body) };
    if (body instanceof ReadableStream) init.duplex = "half";
    const response = await fetch(new URL(path, this.url), init);
    const text = await response.text();
    const isJson = response.headers.get("content-type") === "application/json";
    return { status: response.status, headers: response.headers, text, body: isJson && text !== "" ? JSON.parse(text) : undefined };
  }

  /** Creates a connection. */
  create(profile_name, domain, options = {}) {
    return this.request("POST", "/auth/connections", { ...options, body: { profile_name, domain } });
  }

  stop() {
    return this.worker.dispose();
  }
}
