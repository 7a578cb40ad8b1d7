// What a store asks of its engine, wherever that runs.

/** Whether a call only reads, may write, or goes on with what one engine keeps. */
type Kind = "reads" | "writes" | "goes on";

const KINDS = {
  create: "writes",
  createMany: "writes",
  update: "writes",
  record: "writes",
  delete: "writes",
  deleteProfile: "writes",
  registerProxy: "writes",
  removeProxy: "writes",
  respond: "writes",
  load: "writes",
  get: "reads",
  find: "reads",
  list: "reads",
  profiles: "reads",
  proxies: "reads",
  allows: "reads",
  changes: "reads",
  stats: "reads",
  check: "reads",
  checkpoint: "reads",
  backup: "reads",
  dump: "reads",
  isOwner: "reads",
  // The lines of a dump are kept by the engine that began it.
  dumpNext: "goes on",
  dumpEnd: "goes on",
} satisfies Record<string, Kind>;

/** What the engine can be asked. */
export type Method = keyof typeof KINDS;

/** Whether a call writes nothing. */
export function isReading(method: Method, args: unknown[]): boolean {
  return KINDS[method] !== "writes" || (method === "respond" && args[0] === "GET");
}

/** Whether a call whose answer was lost may be sent again: reads, and creates under an idempotency key. */
export function isRepeatable(method: Method, args: unknown[]): boolean {
  if (KINDS[method] === "goes on") return false;
  return isReading(method, args) || hasKey(method, args);
}

function hasKey(method: Method, args: unknown[]): boolean {
  if (method === "respond") {
    const [, , headers] = args as [string, string, string[][]];
    return headers.some(([name]) => name?.toLowerCase() === "idempotency-key");
  }
  const [, options] = args as [unknown, { idempotency_key?: unknown } | undefined];
  return method.startsWith("create") && options?.idempotency_key !== undefined;
}

/** The way to an engine. */
export interface Link {
  /** Asks the engine. Writes that arrive in one macrotask share one commit. */
  call(method: Method, args: unknown[]): Promise<unknown>;
  /** Has `listener` called when there may be new changes; returns how to stop that. */
  onChange(listener: () => void): () => void;
  close(): Promise<void>;
}

/** Those who want to know of changes. */
export class Listeners {
  readonly #listeners = new Set<() => void>();

  add(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  tell(): void {
    for (const listener of this.#listeners) listener();
  }
}
