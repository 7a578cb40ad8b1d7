// The store as its users see it.
/// <reference lib="esnext.disposable" preserve="true" />
import { FailedError, fromThrown, type RefusedError, type Thrown } from "./errors.js";
import type { Link, Method } from "./link.js";
import type {
  ChangeEvent, Changes, CheckReport, Connection, ConnectionChanges, Created, CreateOptions, ListQuery, NewConnection,
  Observation, Page, PageQuery, Profile, Proxy, Stats,
} from "./types.js";

/** Where a load takes its lines from: a text or its bytes, whole or in pieces. */
export type LoadSource =
  | string
  | Uint8Array
  | ReadableStream<Uint8Array>
  | Iterable<string | Uint8Array>
  | AsyncIterable<string | Uint8Array>;

/** What became of one of many creates: as of a single one, or why there is no answer. */
export type CreatedRow = Created | { outcome: "refused"; error: RefusedError } | { outcome: "failed"; error: FailedError };

/** A subscriber takes so many changes at a time. */
const SUBSCRIBER_TAKES = 256;
/** A `createMany` goes to the engine in parts of so many rows, which is what one commit holds. */
const ROWS_AT_ONCE = 10_000;

// Older browsers have no such symbol.
const asyncDispose: typeof Symbol.asyncDispose = Symbol.asyncDispose ?? Symbol.for("Symbol.asyncDispose");

/**
 * A list: awaited, its first page; iterated, every item, page by page.
 *
 * The items are those at the time when their page is read: nothing is listed twice, and nothing that was there
 * throughout is missed.
 */
export class List<T> implements PromiseLike<Page<T>>, AsyncIterable<T> {
  readonly #read: (query: PageQuery) => Promise<Page<T>>;
  readonly #query: PageQuery;

  /** @internal */
  constructor(read: (query: PageQuery) => Promise<Page<T>>, query: PageQuery) {
    this.#read = read;
    this.#query = query;
  }

  then<A = Page<T>, B = never>(
    onPage?: ((page: Page<T>) => A | PromiseLike<A>) | null,
    onError?: ((error: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.#read(this.#query).then(onPage, onError);
  }

  /** Every page, from the one that was asked for. */
  async *pages(): AsyncGenerator<Page<T>, void, void> {
    let query = this.#query;
    for (;;) {
      const page = await this.#read(query);
      yield page;
      if (page.next_cursor === undefined) return;
      query = { ...query, cursor: page.next_cursor };
    }
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, void> {
    for await (const page of this.pages()) yield* page.items;
  }
}

/**
 * A registry of auth connections: one project.
 *
 * A promise of a write is fulfilled when the write is durable, or in memory when it is there. Writes that are asked for in
 * one macrotask share one commit. Requests that break the rules reject with a {@link RefusedError}, what the
 * environment is to blame for with a {@link FailedError}.
 */
export class Store {
  readonly #link: Link;

  /** @internal */
  constructor(link: Link) {
    this.#link = link;
  }

  #call<T>(method: Method, ...args: unknown[]): Promise<T> {
    return this.#link.call(method, args) as Promise<T>;
  }

  /** Creates a connection, or says who holds the pair. */
  create(connection: NewConnection, options?: CreateOptions): Promise<Created> {
    return this.#call("create", connection, options);
  }

  /** Creates a connection, or returns the one that holds the pair. */
  ensure(
    connection: NewConnection,
    options?: Omit<CreateOptions, "ensure">,
  ): Promise<Exclude<Created, { outcome: "conflict" }>> {
    return this.#call("create", connection, { ...options, ensure: true });
  }

  /**
   * Creates any number of connections in order, later ones seeing earlier ones; the options hold for each. Not atomic as a
   * whole: committed in batches of at most 10 000 rows or 4 MiB.
   */
  async createMany(connections: Iterable<NewConnection>, options?: CreateOptions): Promise<CreatedRow[]> {
    const rows = [...connections];
    const created: CreatedRow[] = [];
    for (let start = 0; start < rows.length; start += ROWS_AT_ONCE) {
      const part = rows.slice(start, start + ROWS_AT_ONCE);
      for (const row of await this.#call<CreatedRow[]>("createMany", part, options)) {
        if ("error" in row) Object.assign(row, { error: fromThrown(row.error as Thrown) });
        created.push(row);
      }
    }
    return created;
  }

  /** The connection with this ID. */
  get(id: string): Promise<Connection | undefined> {
    return this.#call("get", id);
  }

  /** The connection of this pair. */
  find(profileName: string, domain: string): Promise<Connection | undefined> {
    return this.#call("find", profileName, domain);
  }

  /** Connections, newest first: all, or those that match. */
  list(query: ListQuery = {}): List<Connection> {
    return new List((page) => this.#call("list", page), query);
  }

  /** Changes what is named and returns the connection as it stands then. */
  update(id: string, changes: ConnectionChanges): Promise<Connection> {
    return this.#call("update", id, changes);
  }

  /** Writes down what a login driver saw and returns the connection as it stands then. */
  record(id: string, observation: Observation): Promise<Connection> {
    return this.#call("record", id, observation);
  }

  /** Deletes a connection. Its pair is free at once; its profile stays. */
  async delete(id: string): Promise<void> {
    await this.#call("delete", id);
  }

  /** Whether a login of this connection may go to this host. */
  allows(id: string, host: string): Promise<boolean> {
    return this.#call("allows", id, host);
  }

  /** Profiles, by name. */
  profiles(query: PageQuery = {}): List<Profile> {
    return new List((page) => this.#call("profiles", page), query);
  }

  /** Deletes a profile that has no connections. */
  async deleteProfile(name: string): Promise<void> {
    await this.#call("deleteProfile", name);
  }

  /** Registers a proxy; one that is registered already gets the new name, or none. */
  registerProxy(id: string, name?: string): Promise<Proxy> {
    return this.#call("registerProxy", id, name);
  }

  /** Proxies, by ID. */
  proxies(query: PageQuery = {}): List<Proxy> {
    return new List((page) => this.#call("proxies", page), query);
  }

  /** Removes a proxy that no connection uses. */
  async removeProxy(id: string): Promise<void> {
    await this.#call("removeProxy", id);
  }

  /** At most `limit` changes after number `since`, in commit order; only what is durable. */
  changes(since: number, limit = SUBSCRIBER_TAKES): Promise<Changes> {
    return this.#call("changes", since, limit);
  }

  /**
   * Follows changes from after number `since`, or from now on, until the loop is left, `signal` is aborted or the store is
   * closed. Changes come without a gap; a subscriber that fell so far behind that some are gone is told `reset` once, with
   * the number from which it goes on.
   */
  async *subscribe(
    { since, signal }: { since?: number; signal?: AbortSignal } = {},
  ): AsyncGenerator<ChangeEvent, void, void> {
    let position = since ?? (await this.stats()).last_change;
    let wake = (): void => {};
    let isNews = true;
    const tell = (): void => {
      isNews = true;
      wake();
    };
    const stop = this.#link.onChange(tell);
    signal?.addEventListener("abort", tell);
    try {
      while (!signal?.aborted) {
        isNews = false;
        const answer = await this.changes(position).catch(unlessClosed);
        if (answer === undefined) return;
        if ("too_old" in answer) {
          position = (await this.stats()).last_change;
          yield { seq: position, kind: "reset" };
        } else if (answer.changes.length > 0) {
          for (const change of answer.changes) {
            if (signal?.aborted) return;
            position = change.seq;
            yield change;
          }
        } else if (!isNews) {
          await new Promise<void>((resolve) => (wake = resolve));
        }
      }
    } finally {
      stop();
      signal?.removeEventListener("abort", tell);
    }
  }

  /** What the store holds, in constant time. */
  stats(): Promise<Stats> {
    return this.#call("stats");
  }

  /** Whether this tab has the engine and answers for all tabs that share the store; elsewhere a store is always its own. */
  isOwner(): Promise<boolean> {
    return this.#call("isOwner");
  }

  /** Reads everything and checks that it agrees. Writers wait meanwhile. */
  check(): Promise<CheckReport> {
    return this.#call("check");
  }

  /** Moves what was written from memory into the tables. It happens by itself now and then, and when nobody writes. */
  async checkpoint(): Promise<void> {
    await this.#call("checkpoint");
  }

  /** This moment of the store as JSON Lines: equal stores dump equal bytes on every runtime. */
  dump(): ReadableStream<Uint8Array> {
    return dumpStream(this.#link, () => this.#call("dump"));
  }

  /**
   * Fills an empty store from a dump: with all of it or, where a line is wrong, nothing. Returns the number of
   * connections. The dump is held in memory as a whole.
   */
  async load(source: LoadSource): Promise<number> {
    return this.#call("load", await bytesOf(source));
  }

  /** This moment of the store as the bytes of a store file, which every runtime opens. */
  backup(): Promise<Uint8Array> {
    return this.#call("backup");
  }

  /**
   * Answers a request of the HTTP API; `connectory/fetch` makes a `fetch` of it.
   *
   * @internal
   */
  respond(
    method: string,
    target: string,
    headers: string[][],
    body: Uint8Array,
  ): Promise<{ status: number; headers: [string, string][]; body?: string | ReadableStream<Uint8Array> }> {
    return this.#call<{ status: number; headers: [string, string][]; body?: string | number }>(
      "respond", method, target, headers, body,
    ).then(({ body, ...head }) => {
      if (body === undefined) return head;
      return { ...head, body: typeof body === "number" ? dumpStream(this.#link, async () => body) : body };
    });
  }

  /** Closes the store, after the writes that are on their way. What was acknowledged is durable whether or not it is closed. */
  close(): Promise<void> {
    return this.#link.close();
  }

  /** As {@link close}, for `await using`. */
  declare [Symbol.asyncDispose]: () => Promise<void>;
}

Object.defineProperty(Store.prototype, asyncDispose, {
  value(this: Store) {
    return this.close();
  },
});

function unlessClosed(error: unknown): undefined {
  if (error instanceof FailedError && error.reason === "closed") return undefined;
  throw error;
}

/** The lines of a dump as bytes, as fast as they are read. */
function dumpStream(link: Link, begin: () => Promise<number>): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let dump: Promise<number> | undefined;
  return new ReadableStream({
    async pull(controller) {
      dump ??= begin();
      const piece = (await link.call("dumpNext", [await dump])) as string | undefined;
      if (piece === undefined) controller.close();
      else controller.enqueue(encoder.encode(piece));
    },
    async cancel() {
      if (dump) await link.call("dumpEnd", [await dump]);
    },
  }, { highWaterMark: 0 });
}

/** All the bytes of a source. */
async function bytesOf(source: LoadSource): Promise<Uint8Array> {
  if (typeof source === "string") return new TextEncoder().encode(source);
  if (source instanceof Uint8Array) return source;
  const encoder = new TextEncoder();
  const pieces: Uint8Array[] = [];
  for await (const piece of source instanceof ReadableStream ? chunksOf(source) : source) {
    pieces.push(typeof piece === "string" ? encoder.encode(piece) : piece);
  }
  const bytes = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}

/** The chunks of a stream; not every browser can iterate one. */
async function* chunksOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  const reader = stream.getReader();
  try {
    for (let next = await reader.read(); !next.done; next = await reader.read()) yield next.value;
  } finally {
    await reader.cancel();
  }
}
