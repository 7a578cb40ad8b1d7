// The Worker with shards that fail when they are told to. `POST /faulty/<method>` calls a method of a shard: its body is
// `{project, shard, shards, plan, args}`.
import worker, { Shard as Whole } from "../../bindings/edge/src/worker.js";
import type { Answer } from "../../bindings/edge/src/glue.js";
import { type Env as WholeEnv, type Place, stubOf } from "../../bindings/edge/src/shard.js";
import type { Layout } from "../../bindings/edge/src/tables.js";

/** What is to happen at a write call of an object: it throws, or the object is ended. */
export interface Fault {
  /** The first of them has number 1, counted from when this was asked for. */
  at: number;
  act: "throw" | "abort";
  when: "before" | "after";
  /** Whether all that come after fail as well. */
  isSticky?: boolean;
  message?: string;
}

interface Env extends WholeEnv {
  LAYOUT?: Layout;
}

type Call = (...args: never[]) => unknown;

export class Shard extends Whole {
  #fault: Fault | undefined;
  #writes = 0;
  #trace: string[] = [];

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    const storage = this.#failing(ctx.storage);
    const failing = new Proxy(ctx, { get: (target, name) => (name === "storage" ? storage : bound(target, name)) });
    Object.defineProperty(this, "ctx", { value: failing });
  }

  protected override layout(): Layout | undefined {
    return (this.env as Env).LAYOUT;
  }

  /** The same storage, but for what it was told to fail at. */
  #failing(storage: DurableObjectStorage): DurableObjectStorage {
    const { sql, kv } = storage;
    const failing = (name: string, call: Call) => (...args: never[]) => this.#write(name, () => call(...args));
    const over: Record<PropertyKey, unknown> = {
      sql: {
        exec: (statement: string, ...bindings: SqlStorageValue[]) => {
          const run = () => sql.exec(statement, ...bindings);
          return statement.startsWith("SELECT") ? run() : this.#write(statement.replace(/ \(.*/, ""), run);
        },
        get databaseSize() {
          return sql.databaseSize;
        },
      },
      kv: {
        get: (key: string) => kv.get(key),
        put: failing("kv.put", kv.put.bind(kv) as Call),
        delete: failing("kv.delete", kv.delete.bind(kv) as Call),
      },
      setAlarm: failing("setAlarm", storage.setAlarm.bind(storage) as Call),
      sync: failing("sync", storage.sync.bind(storage) as Call),
      deleteAlarm: failing("deleteAlarm", storage.deleteAlarm.bind(storage) as Call),
    };
    return new Proxy(storage, { get: (target, name) => over[name] ?? bound(target, name) });
  }

  #write<T>(name: string, run: () => T): T {
    this.#writes += 1;
    this.#trace.push(name);
    const fault = this.#fault;
    const isHit = fault && (this.#writes === fault.at || (fault.isSticky && this.#writes > fault.at));
    if (!isHit) return run();
    if (fault.when === "after") run();
    if (fault.act === "abort") this.ctx.abort("ended by a test");
    throw new Error(fault.message ?? "failed for a test");
  }

  override async respond(...args: Parameters<Whole["respond"]>): ReturnType<Whole["respond"]> {
    const answer = await super.respond(...args);
    this.#trace.push(`answer ${"status" in answer ? answer.status : "moved"}`);
    return answer;
  }

  /** Fails from now on as it says; or not any more. */
  arm(_place: Place, fault?: Fault): void {
    this.#fault = fault;
    this.#writes = 0;
    this.#trace = [];
  }

  /** The write calls and answers since then, in order. */
  trace(): string[] {
    return this.#trace;
  }

  evict(): void {
    this.ctx.abort("evicted by a test");
  }

  problems(place: Place): string[] {
    return this.engine(place).check().problems;
  }

  /** Creates connections at once, as many requests do; the statuses of their answers. */
  async createAll(place: Place, profile_name: string, domains: string[]): Promise<number[]> {
    const headers = [["content-type", "application/json"]];
    const bodies = domains.map((domain) => new TextEncoder().encode(JSON.stringify({ profile_name, domain })));
    const answers = await Promise.all(bodies.map((body) => this.respond(place, "POST", "/auth/connections", headers, body)));
    return answers.map((answer) => (answer as Answer).status);
  }

  async proxies(place: Place): Promise<unknown> {
    const answer = await this.respond(place, "GET", "/proxies?limit=100", [], new Uint8Array());
    return JSON.parse((answer as Answer).body ?? "");
  }

  /** How many rows each table has. */
  rows(): Record<string, number> {
    const { sql } = this.ctx.storage;
    const names = sql.exec<{ name: string }>("SELECT name FROM sqlite_master WHERE type = 'table' AND name IN ('log', 'chunks')");
    const count = (name: string) => sql.exec<{ n: number }>(`SELECT count(*) AS n FROM ${name}`).one().n;
    return Object.fromEntries([...names].map(({ name }) => [name, count(name)]));
  }
}

function bound(target: object, name: PropertyKey): unknown {
  const value = Reflect.get(target, name) as unknown;
  return typeof value === "function" ? value.bind(target) : value;
}

async function call(request: Request, env: Env, method: string): Promise<Response> {
  const sent = (await request.json()) as Partial<Place> & { args: unknown[] };
  const { project = "default", shard = 0, shards = 1, plan = "enterprise", args = [] } = sent;
  const place = { project, shard, shards, plan };
  const stub = stubOf(env, project, shard) as unknown as Record<string, (place: Place, ...args: unknown[]) => Promise<unknown>>;
  try {
    return Response.json((await stub[method]!(place, ...args)) ?? null);
  } catch (error) {
    const own = Object.fromEntries(Object.entries(error as object));
    return Response.json({ thrown: String(error), ...own }, { status: 500 });
  }
}

export default {
  fetch(request: Request, env: Env): Promise<Response> {
    const [, method] = /^\/faulty\/(\w+)$/.exec(new URL(request.url).pathname) ?? [];
    return method === undefined ? worker.fetch(request, env) : call(request, env, method);
  },
} satisfies ExportedHandler<Env>;
