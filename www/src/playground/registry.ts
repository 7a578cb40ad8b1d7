// The store of this page: how it is opened, how it stands, and the one way to ask it.
import { computed, signal } from "@preact/signals";
import { type ChangeEvent, FailedError, open, type Reason, type Stats, type Store, type Violation } from "connectory";
import { createFetch } from "connectory/fetch";
import { NAME } from "./files.ts";

/** How the store stands. */
export type State =
  | { is: "opening" }
  | { is: "open"; kept: "files" | "memory"; store: Store }
  | { is: "failed"; reason: Reason; message: string };

/** An answer of the HTTP API. */
export interface Answer {
  status: number;
  headers: [string, string][];
  body: unknown;
  tookMs: number;
}

/** What an answer says is wrong, field by field. */
export function detailsOf({ body }: Answer): Violation[] {
  return (body as { details?: Violation[] } | undefined)?.details ?? [];
}

/** A request of the HTTP API. */
export interface Request {
  method: "GET" | "POST" | "PATCH" | "PUT" | "DELETE";
  path: string;
  headers?: Record<string, string>;
  body?: unknown;
}

/** What is shown of the latest changes. */
const LATEST = 6;
/** Lists are read again this often while changes keep coming. */
const REREAD_MS = 200;

export class Registry {
  readonly state = signal<State>({ is: "opening" });
  readonly stats = signal<Stats | undefined>(undefined);
  readonly latest = signal<ChangeEvent[]>([]);
  /** Goes up when lists should be read again. */
  readonly tick = signal(0);
  /** The last write that the environment kept from happening, until somebody has seen it. */
  readonly trouble = signal<FailedError | undefined>(undefined);
  readonly store = computed(() => (this.state.value.is === "open" ? this.state.value.store : undefined));
  #rereading: ReturnType<typeof setTimeout> | undefined;

  /** Opens the store in files of this browser, or in memory; one that is open is closed first. */
  async open(kept: "files" | "memory" = "files"): Promise<void> {
    const before = this.store.peek();
    this.state.value = { is: "opening" };
    // What could not be closed has ended already.
    await before?.close().catch(() => {});
    try {
      const store = await open(kept === "files" ? { name: NAME } : { memory: true });
      this.state.value = { is: "open", kept, store };
      this.#reread();
      void this.#follow(store);
    } catch (error) {
      const { reason, message } = asFailed(error);
      this.state.value = { is: "failed", reason, message };
    }
  }

  /** Sends a request of the HTTP API to the engine. It never rejects: what failed is an answer too. */
  async ask({ method, path, headers = {}, body }: Request): Promise<Answer> {
    const store = this.store.peek();
    if (!store)
      return { status: 503, headers: [], body: { code: "unavailable", message: "the store is not open" }, tookMs: 0 };
    const fetch = createFetch(store);
    const began = performance.now();
    const response = await fetch(new URL(path, "http://registry"), {
      method,
      headers: { ...headers, ...(body !== undefined && { "content-type": "application/json" }) },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    const tookMs = performance.now() - began;
    const answer = {
      status: response.status,
      headers: [...response.headers],
      body: text === "" ? undefined : JSON.parse(text),
      tookMs,
    };
    if (answer.status >= 500) this.#noticeAnswer(answer.body);
    return answer;
  }

  /** Remembers what failed, to be shown above everything else. */
  notice(error: unknown): FailedError {
    const failed = asFailed(error);
    this.trouble.value = failed;
    if (failed.reason === "internal" || failed.reason === "closed") void this.open();
    return failed;
  }

  #noticeAnswer(body: unknown): void {
    const { code, message } = body as { code: string; message: string };
    const reason = (["storage_full", "outcome_unknown"] as const).find((known) => known === code) ?? "io";
    this.trouble.value = new FailedError(code === "unavailable" ? "handing_over" : reason, message);
  }

  /** Follows changes, whichever tab makes them. */
  async #follow(store: Store): Promise<void> {
    try {
      for await (const change of store.subscribe()) {
        this.latest.value = [change, ...this.latest.peek()].slice(0, LATEST);
        this.#rereadSoon();
      }
    } catch (error) {
      // Its owner went away in the middle of a question: what was missed is in the lists.
      if (this.store.peek() !== store) return;
      if (asFailed(error).reason !== "handing_over") return void this.notice(error);
      this.#rereadSoon();
      void this.#follow(store);
    }
  }

  /** Has lists read again: for what no change tells, profiles and proxies. */
  readonly changed = (): void => this.#rereadSoon();

  #rereadSoon(): void {
    this.#rereading ??= setTimeout(
      () => {
        this.#rereading = undefined;
        this.#reread();
      },
      this.tick.peek() === 0 ? 0 : REREAD_MS,
    );
  }

  #reread(): void {
    this.tick.value += 1;
    void this.store
      .peek()
      ?.stats()
      .then(
        (stats) => (this.stats.value = stats),
        () => {},
      );
  }
}

function asFailed(error: unknown): FailedError {
  return error instanceof FailedError
    ? error
    : new FailedError("internal", String(error instanceof Error ? error.message : error));
}

export const registry = new Registry();
