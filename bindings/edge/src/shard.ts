// One shard of a project: a store in a Durable Object.
import { DurableObject } from "cloudflare:workers";
import { failure, notNow, refusal } from "./answers.js";
import { Engine, type EngineOptions } from "./engine.js";
import type { Answer, Load } from "./glue.js";
import { linesOf, numbered } from "./lines.js";
import { ProxyChanges, type ProxyRequest } from "./proxies.js";
import type { Layout } from "./tables.js";

/** Which shard of which project is meant, and what that project may do. */
export interface Place {
  project: string;
  shard: number;
  /** How many there are, as far as the caller knows. */
  shards: number;
  plan: string;
  cap?: number;
}

/** The project has another number of shards. */
export interface Moved {
  shards: number;
}

/** What an object has done since it started, and what its store holds. */
export interface Metrics {
  connections: number;
  profiles: number;
  proxies: number;
  changes: number;
  creates: number;
  conflicts: number;
  writes: number;
  batches: number;
  checkpoints: number;
  rowsWritten: number;
  rowsRead: number;
  bytesWritten: number;
  databaseBytes: number;
}

/** The bindings and settings of the Worker. */
export interface Env {
  SHARDS: DurableObjectNamespace<Shard>;
  /** Keys, projects and scopes: the JSON that the native server takes. A secret. */
  CONNECTORY_KEYS?: string;
  CONNECTORY_SHARDS?: Record<string, number>;
  CONNECTORY_ORIGINS?: string[];
  /** "requests" to log every request, and not failures alone. */
  CONNECTORY_LOG?: string;
  RATE_LIMIT?: { limit(options: { key: string }): Promise<{ success: boolean }> };
}

/** What a shard knows of itself once something was written to it. */
interface Identity {
  project: string;
  shard: number;
  shards: number;
}

/** Loads that nobody goes on with are undone after so long. */
const LOAD_IDLE_MS = 60_000;

/** A load is committed whenever so many characters have come: each commit writes most pages of what is there anew. */
const LOAD_PIECE = 4 << 20;

/** The object of a shard in the namespace of all. */
export function stubOf(env: Env, project: string, shard: number): DurableObjectStub<Shard> {
  return env.SHARDS.get(env.SHARDS.idFromName(`${project}/${shard}`));
}

/** A request that cannot be answered here; the platform hands the message on. */
class Misplaced extends Error {}

export class Shard extends DurableObject<Env> {
  #engine: Engine | undefined;
  #opened: EngineOptions | undefined;
  #identity: Identity | undefined;
  #load: { engine: Engine; load: Load; timer: number } | undefined;
  #proxies: ProxyChanges | undefined;
  readonly #counted = { creates: 0, conflicts: 0 };

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#identity = ctx.storage.kv.get<Identity>("identity");
  }

  /** How this store is laid out; for those who measure. */
  protected layout(): Layout | undefined {
    return undefined;
  }

  /** Where time and random numbers come from; for tests. */
  protected stamps(): EngineOptions["stamps"] {
    return undefined;
  }

  /** The open store. */
  protected engine(place: Place): Engine {
    const { plan, cap, shard, shards } = place;
    const before = this.#opened;
    const isSame = before && before.plan === plan && before.cap === cap && before.shards === shards;
    if (this.#engine && !this.#engine.hasEnded && isSame) return this.#engine;
    if (cap !== undefined && shards > 1) {
      throw new Misplaced(`project ${place.project} has a cap and ${shards} shards; a capped project has one`);
    }
    const stamps = this.stamps();
    const options: EngineOptions = { plan, shard, shards, ...(cap === undefined ? {} : { cap }), ...(stamps ? { stamps } : {}) };
    this.#engine?.end("it was opened anew, with other options");
    this.#engine = new Engine(this.ctx.storage, options, this.layout());
    this.#opened = options;
    return this.#engine;
  }

  /**
   * Whether this is the shard that is meant; otherwise how many shards the project has. The first shard fixes the number when it
   * is first written to, every other one asks it.
   */
  #moved(place: Place, isWrite: boolean): Moved | undefined | Promise<Moved | undefined> {
    const known = this.#identity;
    if (!known) return this.#settle(place, isWrite);
    if (known.project !== place.project || known.shard !== place.shard) {
      throw new Misplaced(`this is shard ${known.shard} of ${known.project}, not ${place.shard} of ${place.project}`);
    }
    return known.shards === place.shards ? undefined : { shards: known.shards };
  }

  async #settle(place: Place, isWrite: boolean): Promise<Moved | undefined> {
    if (place.shard > 0) {
      const first = stubOf(this.env, place.project, 0);
      const shards = await first.settled({ ...place, shard: 0 }, isWrite);
      if (shards !== place.shards) return { shards };
    }
    if (isWrite && !this.#identity) {
      const { project, shard, shards } = place;
      const identity = { project, shard, shards };
      this.ctx.storage.kv.put("identity", identity);
      this.#identity = identity;
    }
    return undefined;
  }

  /** How many shards the project has; fixed from now on if `fix` says so. Asked of the first shard. */
  async settled(place: Place, fix: boolean): Promise<number> {
    return (await this.#moved(place, fix))?.shards ?? place.shards;
  }

  /** Answers a request of the HTTP API that belongs here, or to every shard. */
  async respond(
    place: Place,
    method: string,
    target: string,
    headers: string[][],
    body: Uint8Array,
  ): Promise<Answer | Moved> {
    try {
      const moved = this.#moved(place, method !== "GET");
      // What need not wait is not made to: most requests are answered before they return.
      const elsewhere = moved instanceof Promise ? await moved : moved;
      if (elsewhere) return elsewhere;
      if (this.#load) return loading();
      const given = this.engine(place).respond(method, target, headers, body);
      const answer = given instanceof Promise ? await given : given;
      if (method === "POST") {
        if (answer.status === 201) this.#counted.creates += 1;
        if (answer.status === 409) this.#counted.conflicts += 1;
      }
      return answer;
    } catch (error) {
      return failure(error);
    }
  }

  /** The IDs of the first connections of a list that goes over all shards, or the response to give instead. */
  async ids(place: Place, target: string, count: number): Promise<string[] | Answer | Moved> {
    return (await this.#moved(place, false)) ?? this.engine(place).ids(target, count);
  }

  /** Changes a proxy on every shard; asked of the first one, which does one at a time. */
  async changeProxy(place: Place, request: ProxyRequest): Promise<Answer | Moved> {
    try {
      const moved = await this.#moved(place, true);
      if (moved) return moved;
    } catch (error) {
      return failure(error);
    }
    return this.#changes(place).change(request);
  }

  #changes(place: Place): ProxyChanges {
    this.#proxies ??= new ProxyChanges(this.ctx.storage, place, async (shard, { method, target, headers, body }) => {
      const there = { ...place, shard };
      const answer = shard === 0
        ? await this.respond(there, method, target, headers, body)
        : await stubOf(this.env, place.project, shard).respond(there, method, target, headers, body);
      if ("status" in answer) return answer;
      throw new Misplaced(`shard ${shard} of ${place.project} says that there are ${answer.shards}`);
    });
    return this.#proxies;
  }

  /** Ends what was under way when the object did. */
  override async alarm(): Promise<void> {
    const place = ProxyChanges.unfinished(this.ctx.storage);
    if (place) await this.#changes(place).finish();
  }

  /** This moment of the shard, as the lines of a dump; or how many shards the project has, where that is another number. */
  async dump(place: Place): Promise<ReadableStream<Uint8Array> | Moved> {
    return (await this.#moved(place, false)) ?? this.engine(place).dump();
  }

  /**
   * Reads a dump, or the lines of one that belong here, each behind its number and a tab if they are numbered. Nothing of it can
   * be seen before `endLoad`. The response to give instead where a line is refused.
   */
  async load(place: Place, dump: ReadableStream<Uint8Array>, isNumbered: boolean): Promise<Answer | Moved | undefined> {
    const moved = await this.#moved(place, true);
    if (moved) {
      await dump.cancel();
      return moved;
    }
    if (this.#load) return loading();
    const engine = this.engine(place);
    try {
      const load = engine.beginLoad();
      this.#load = { engine, load, timer: this.#undoLater() };
      for await (const lines of linesOf(dump, LOAD_PIECE)) {
        engine.transact(() => {
          for (const { first, text } of isNumbered ? numbered(lines) : [lines]) load.push(first, text);
          load.commit();
        });
        clearTimeout(this.#load.timer);
        this.#load.timer = this.#undoLater();
      }
      return undefined;
    } catch (error) {
      this.#undoLoad();
      return refusal(error) ?? failure(error);
    }
  }

  /** Makes what was loaded the store's, or undoes it. The number of connections. */
  async endLoad(isGood: boolean): Promise<number> {
    const loaded = this.#load;
    if (!isGood || !loaded) {
      this.#undoLoad();
      if (isGood) throw new Error("nothing was loaded");
      return 0;
    }
    clearTimeout(loaded.timer);
    this.#load = undefined;
    return loaded.engine.transact(() => loaded.load.finish());
  }

  #undoLater(): number {
    return setTimeout(() => this.#undoLoad(), LOAD_IDLE_MS);
  }

  #undoLoad(): void {
    const loading = this.#load;
    if (!loading) return;
    clearTimeout(loading.timer);
    this.#load = undefined;
    // Where its engine has ended, the next one undoes it.
    if (!loading.engine.hasEnded) loading.engine.transact(() => loading.load.free());
  }

  /** What this object counts. */
  async metrics(place: Place): Promise<Metrics | Moved> {
    const moved = await this.#moved(place, false);
    if (moved) return moved;
    const engine = this.engine(place);
    const { connections, profiles, proxies, last_change: changes } = engine.stats();
    return {
      connections,
      profiles,
      proxies,
      changes,
      ...this.#counted,
      ...engine.commits,
      ...engine.tables.counts,
      databaseBytes: this.ctx.storage.sql.databaseSize,
    };
  }

  /** Where the platform can go back to: this moment, or the one that is given in milliseconds since 1970. */
  async bookmark(at: number | undefined): Promise<string> {
    const { storage } = this.ctx;
    return at === undefined ? storage.getCurrentBookmark() : storage.getBookmarkForTime(at);
  }

  /** Goes back to a bookmark of this object, and starts anew. Returns the bookmark that undoes it. */
  async restore(bookmark: string): Promise<string> {
    const undo = await this.ctx.storage.onNextSessionRestoreBookmark(bookmark);
    // After the answer.
    setTimeout(() => this.ctx.abort("restored to a bookmark"), 100);
    return undo;
  }
}

function loading(): Answer {
  return notNow(503, "unavailable", "a dump is being loaded; try again when it is there", 1);
}
