// The Worker: who is let in, which project is meant, and what only a server adds: limits, logs, metrics.
import { instantiate, type Admission, type Answer, type Gate, type Glue } from "./glue.js";
import module from "../built/connectory.wasm";
import openapi from "../../../core/src/http/openapi.json" with { type: "json" };
import { error, failure, json, notNow, said, withHeader } from "./answers.js";
import { rendered } from "./metrics.js";
import { Project, type Streamed } from "./project.js";
import type { Env } from "./shard.js";

export { Shard } from "./shard.js";

/** A body is read as far as the engine takes it, and one byte more to be refused. */
const BODY_BYTES_MAX = (64 << 10) + 1;
const REQUEST_ID = /^[\x21-\x7e]{1,128}$/;
const METHODS = "GET, POST, PATCH, PUT, DELETE";
const EXPOSED = "idempotency-replayed, location, preference-applied, retry-after, x-has-more, x-next-cursor, x-next-offset, x-request-id, x-should-retry";

/** The part of the engine that lets callers in, once for each isolate. */
let gate: { glue: Glue; gate: Gate } | undefined;

function opened(env: Env): { glue: Glue; gate: Gate } {
  if (!env.CONNECTORY_KEYS) throw new Error("the secret CONNECTORY_KEYS is not set: nobody can be let in");
  if (!gate) {
    const glue = instantiate(module);
    gate = { glue, gate: glue.Gate.open(env.CONNECTORY_KEYS) };
  }
  return gate;
}

/** What is written to the log of a request: never a key, a query or a body. */
interface Entry {
  id: string;
  method: string;
  path: string;
  project?: string;
  key?: string;
}

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const { pathname, search } = new URL(request.url);
    const sent = request.headers.get("x-request-id") ?? "";
    const entry: Entry = {
      id: REQUEST_ID.test(sent) ? sent : crypto.randomUUID(),
      method: request.method,
      path: pathname.slice(0, 128),
    };
    let answer: Streamed;
    try {
      answer = preflight(request, env) ?? own(request.method, pathname) ?? (await answered(request, pathname + search, env, entry));
    } catch (error) {
      answer = failed(error, request, entry.project !== undefined);
    }
    const { status, cause } = answer;
    if (cause !== undefined) console.error(JSON.stringify({ ...entry, status, cause }));
    else if (env.CONNECTORY_LOG === "requests") console.log(JSON.stringify({ ...entry, status }));
    const headers = new Headers(answer.headers);
    headers.set("x-request-id", entry.id);
    headers.set("cache-control", "no-store");
    const origin = allowedOrigin(request, env);
    if (origin) {
      headers.set("access-control-allow-origin", origin);
      headers.append("vary", "origin");
      headers.set("access-control-expose-headers", EXPOSED);
    }
    return new Response(answer.body ?? null, { status, headers });
  },
} satisfies ExportedHandler<Env>;

async function answered(request: Request, target: string, env: Env, entry: Entry): Promise<Streamed> {
  const { glue, gate } = opened(env);
  const { pathname } = new URL(request.url);
  const admin = ADMIN[`${request.method} ${pathname}`];
  const headers = named(request, ASKED_AT_THE_GATE);
  const admission = admin ? gate.permit("admin", headers) : gate.admit(request.method, target, headers);
  if ("status" in admission) return admission;
  const project = new Project(env, glue, admission);
  entry.project = admission.project;
  if (admission.key !== undefined) entry.key = admission.key;
  const limited = await rateLimited(env, admission);
  if (limited) return limited;
  if (admin) return admin(project, request);
  if (request.method === "POST" && pathname === "/load") return load(project, request);
  const body = await read(request);
  return project.respond({ method: request.method, target, headers: named(request, ASKED_OF_A_SHARD), body });
}

/** What an operator asks of a project, beside the API. */
const ADMIN: Record<string, (project: Project, request: Request) => Promise<Answer>> = {
  "GET /metrics": async (project) => ({
    status: 200,
    headers: [["content-type", "application/openmetrics-text; version=1.0.0; charset=utf-8"]],
    body: rendered(await project.metrics()),
  }),
  "GET /bookmarks": async (project, request) => {
    const at = new URL(request.url).searchParams.get("at");
    const ms = at === null ? undefined : Date.parse(at);
    if (Number.isNaN(ms)) return error(400, "bad_request", "at: is not a time; send one as in 2026-01-31T12:00:00Z");
    return ofHistory(async () => ({ bookmarks: await project.bookmarks(ms) }));
  },
  "POST /restore": async (project, request) => {
    const { bookmarks } = parsed(await read(request));
    const isGood = Array.isArray(bookmarks) && bookmarks.every((bookmark) => typeof bookmark === "string");
    const now = isGood ? await project.bookmarks(undefined) : [];
    if (!isGood || now.length !== bookmarks.length) {
      return error(400, "bad_request", "bookmarks: are not those of the project's shards; send what GET /bookmarks?at= returned");
    }
    return ofHistory(async () => ({ undo: await project.restore(bookmarks as string[]) }));
  },
};

/** What a body says of bookmarks; nothing where it is too long, or no JSON. */
function parsed(body: Uint8Array): { bookmarks?: unknown } {
  try {
    return (JSON.parse(new TextDecoder().decode(body)) ?? {}) as { bookmarks?: unknown };
  } catch {
    return {};
  }
}

/** What the platform says of the past, where it keeps any. */
async function ofHistory(ask: () => Promise<object>): Promise<Answer> {
  try {
    return json(200, await ask());
  } catch (thrown) {
    if (!/does not implement point-in-time/.test(said(thrown))) throw thrown;
    return error(404, "not_supported", "this platform keeps no history of objects; load a dump instead");
  }
}

/** The headers that say something. The platform and clients send many others, and no key goes further than the gate. */
const ASKED_AT_THE_GATE = ["authorization", "x-kernel-project-id", "x-kernel-project"];
const ASKED_OF_A_SHARD = ["content-type", "content-encoding", "idempotency-key", "prefer"];

function named({ headers }: Request, names: string[]): string[][] {
  return names.flatMap((name) => {
    const value = headers.get(name);
    return value === null ? [] : [[name, value]];
  });
}

async function load(project: Project, request: Request): Promise<Answer> {
  const type = request.headers.get("content-type")?.split(";")[0]?.trim().toLowerCase();
  const coding = request.headers.get("content-encoding")?.toLowerCase() ?? "identity";
  if ((type !== "application/jsonl" && type !== "application/x-ndjson") || coding !== "identity") {
    const form = "application/jsonl or application/x-ndjson";
    return error(415, "unsupported_media_type", `the body is not ${form}; send it as ${form}, not compressed`);
  }
  return project.load(request.body ?? new Blob([]).stream());
}

async function read(request: Request): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  if (request.body) {
    for await (const piece of request.body as ReadableStream<Uint8Array>) {
      pieces.push(piece);
      length += piece.length;
      if (length >= BODY_BYTES_MAX) break;
    }
  }
  const body = new Uint8Array(Math.min(length, BODY_BYTES_MAX));
  let at = 0;
  for (const piece of pieces) {
    body.set(piece.subarray(0, body.length - at), at);
    at += piece.length;
  }
  return body;
}

/** The paths beside the API, and the method that each takes. */
const OWN: Record<string, string> = {
  "/healthz": "GET",
  "/openapi.json": "GET",
  ...Object.fromEntries(Object.keys(ADMIN).map((line) => line.split(" ").reverse())),
};

/** What needs no key. */
function own(method: string, path: string): Answer | undefined {
  const allowed = OWN[path];
  if (allowed !== undefined && method !== allowed) {
    return withHeader(error(405, "method_not_allowed", `this path does not take ${method}; send ${allowed}`), "allow", allowed);
  }
  if (path === "/healthz") return json(200, { status: "ok" });
  return path === "/openapi.json" ? json(200, openapi) : undefined;
}

/** The origin of the page that sent this, if it may. */
function allowedOrigin(request: Request, env: Env): string | undefined {
  const origin = request.headers.get("origin");
  return origin !== null && env.CONNECTORY_ORIGINS?.includes(origin) ? origin : undefined;
}

function preflight(request: Request, env: Env): Answer | undefined {
  if (request.method !== "OPTIONS" || !request.headers.has("access-control-request-method")) return undefined;
  if (!allowedOrigin(request, env)) return undefined;
  const asked = request.headers.get("access-control-request-headers");
  return {
    status: 204,
    headers: [
      ["access-control-allow-methods", METHODS],
      ["access-control-max-age", "7200"],
      ...(asked === null ? [] : [["access-control-allow-headers", asked]]),
    ],
  };
}

async function rateLimited(env: Env, { project, key }: Admission): Promise<Answer | undefined> {
  if (!env.RATE_LIMIT) return undefined;
  const { success } = await env.RATE_LIMIT.limit({ key: key ?? project });
  return success ? undefined : notNow(429, "rate_limited", "this key has sent too many requests; try again later", 10);
}

/**
 * The response where something was thrown. Before somebody was let in no shard was asked; later on a shard could not be asked,
 * failed, or ended while it was: who wrote cannot know what became of it.
 */
function failed(thrown: unknown, request: Request, wasLetIn: boolean): Answer {
  const { remote, overloaded } = thrown as { remote?: boolean; overloaded?: boolean };
  const isRead = request.method === "GET";
  // Where the gate has ended another one is opened.
  if (!wasLetIn) gate = undefined;
  // What a shard itself threw it would throw again.
  if (!wasLetIn || (isRead && remote)) return failure(thrown);
  const cause = said(thrown);
  if (overloaded || isRead) {
    return { ...notNow(503, "unavailable", "the registry is busy or not ready; try again", 1), cause };
  }
  const body = { code: "outcome_unknown", message: "the write may or may not have happened; look before trying again" };
  const unknown = { ...json(500, body), cause };
  // Under a key it may be sent again.
  return request.headers.has("idempotency-key") ? unknown : withHeader(unknown, "x-should-retry", "false");
}
