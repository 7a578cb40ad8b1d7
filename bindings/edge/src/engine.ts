// The engine of a shard: an instance of the module over the tables of its object, and what waits for its next commit.
import { failure, said } from "./answers.js";
import { type Answer, type Glue, instantiate, type Lines, type Load, type Store } from "./glue.js";
import module from "../built/connectory.wasm";
import { byteStream } from "./lines.js";
import { type Layout, Tables } from "./tables.js";

/** How the engine of a shard is opened. */
export interface EngineOptions {
  plan: string;
  cap?: number;
  shard: number;
  shards: number;
  /** Where time and random numbers come from, if not from the platform. */
  stamps?: () => { now_ms: number; random: bigint };
}

/** Objects of a class share 128 MB where the platform puts several together: the module with this takes at most some 60. */
const CACHE_BYTES = 32 << 20;
/** The lines of a dump are sent in pieces of about this many characters. */
const DUMP_PIECE = 64 << 10;

/** An open store of this object. Where something ends it, the object opens another one over the same tables. */
export class Engine {
  readonly tables: Tables;
  /** How many commits were made since it was opened, and for how many writes. */
  readonly commits = { batches: 0, writes: 0 };
  readonly #glue: Glue;
  readonly #store: Store;
  readonly #storage: DurableObjectStorage;
  #waiting: ((answer: Answer) => void)[] = [];
  #isCommitting = false;
  #end: string | undefined;

  constructor(storage: DurableObjectStorage, options: EngineOptions, layout?: Layout) {
    this.#storage = storage;
    this.#glue = instantiate(module);
    this.tables = new Tables(storage, layout);
    if (this.tables.isNew) this.tables.begin(blank(this.#glue));
    this.#store = this.#glue.Store.open({ ...options, cacheBytes: CACHE_BYTES }, this.tables);
    this.tables.opened();
  }

  /** Whether another one has to be opened. */
  get hasEnded(): boolean {
    return this.#end !== undefined;
  }

  /**
   * Answers a request of the HTTP API, but for dumps and loads. A write is answered when its row is put, with all others that
   * arrived while the commit before was on its way; the platform lets the answer out when that row is durable.
   */
  respond(method: string, target: string, headers: string[][], body: Uint8Array): Answer | Promise<Answer> {
    const answer = this.#call(() => this.#store.respond(method, target, headers, body)) as Answer | undefined;
    if (answer) return answer;
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      if (!this.#isCommitting) void this.#commitAll();
    });
  }

  /** The commit that is on its way is the window in which the next batch comes together; nobody waits on purpose. */
  async #commitAll(): Promise<void> {
    this.#isCommitting = true;
    // What else the same event stages goes along.
    await undefined;
    try {
      while (this.#waiting.length > 0) {
        this.#commit();
        await this.#storage.sync();
      }
    } catch (error) {
      // The platform could not keep what was written, lets no answer out and starts the object anew.
      this.#end = said(error);
      for (const resolve of this.#waiting.splice(0)) resolve(failure(error));
    }
    this.#isCommitting = false;
  }

  #commit(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    let answers: unknown[];
    try {
      answers = this.transact(() => this.#store.commit());
    } catch (error) {
      const answer = failure(error);
      for (const resolve of waiting) resolve(answer);
      return;
    }
    this.commits.batches += 1;
    this.commits.writes += waiting.length;
    for (const [n, resolve] of waiting.entries()) resolve(answers[n] as Answer);
  }

  /** Writes what waits, and ends: where two had the same tables, each would write over what the other wrote. */
  end(why: string): void {
    if (this.hasEnded) return;
    if (this.#waiting.length > 0) this.#commit();
    this.#end ??= why;
  }

  /** Runs what writes, as one transaction. */
  transact<T>(run: () => T): T {
    this.#alive();
    try {
      return this.tables.transact(run);
    } catch (error) {
      // What the engine has in memory may not be in the tables any more.
      this.#end = said(error);
      throw error;
    }
  }

  /** Calls what only reads, or stages. */
  #call<T>(run: () => T): T {
    this.#alive();
    try {
      return run();
    } catch (error) {
      // Answers are values: what is thrown here has ended the instance.
      this.#end = said(error);
      throw error;
    }
  }

  #alive(): void {
    if (this.#end !== undefined) throw new Error(`the engine has ended: ${this.#end}`);
  }

  /** The IDs of the first connections of a list. */
  ids(target: string, count: number): string[] | Answer {
    return this.#call(() => this.#store.ids(target, count));
  }

  /** What the store holds: connections, profiles, proxies and the number of the last change. */
  stats(): { connections: number; profiles: number; proxies: number; last_change: number } {
    return this.#call(() => this.#store.stats()) as ReturnType<Engine["stats"]>;
  }

  /** What is wrong with the store. */
  check(): { problems: string[] } {
    return this.#call(() => this.#store.check()) as { problems: string[] };
  }

  /** This moment of the store, line by line, in pieces. */
  dump(): ReadableStream<Uint8Array> {
    const lines: Lines = this.#call(() => this.#store.dump());
    const encoder = new TextEncoder();
    let isFreed = false;
    const free = () => {
      if (!isFreed) lines.free();
      isFreed = true;
    };
    return byteStream({
      pull: (controller) => {
        let piece = "";
        try {
          while (piece.length < DUMP_PIECE) {
            const line = this.#call(() => lines.next());
            if (line === undefined) {
              free();
              if (piece !== "") controller.enqueue(encoder.encode(piece));
              controller.close();
              return;
            }
            piece += `${line}\n`;
          }
          controller.enqueue(encoder.encode(piece));
        } catch (error) {
          free();
          controller.error(error);
        }
      },
      cancel: free,
    });
  }

  /** Begins to load a dump; see `transact` for what is done with it. */
  beginLoad(): Load {
    // Who waits already is answered first.
    if (this.#waiting.length > 0) this.#commit();
    const { connections, profiles, proxies } = this.stats();
    // Where that is all that is wrong nothing is written, and what would be thrown below would end the instance under everybody.
    if (connections + profiles + proxies > 0) {
      throw Object.assign(new Error("the store is not empty; load a dump into a new one"), { code: "resource_in_use" });
    }
    return this.transact(() => this.#store.beginLoad());
  }
}

/** The bytes of an empty store. */
function blank(glue: Glue): Uint8Array {
  const store = glue.Store.open({});
  store.close();
  const bytes = store.toBytes();
  store.free();
  return bytes;
}
