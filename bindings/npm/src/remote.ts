// A store whose engine is in a worker of this page.
import type { Code } from "./engine.js";
import { type ConnectoryError, FailedError, fromThrown, outcomeUnknown, type Thrown } from "./errors.js";
import { isReading, type Link, Listeners, type Method } from "./link.js";
import { type Answer, type Call, Calls } from "./messages.js";
import type { StoreOptions } from "./types.js";

interface Opening {
  type: "open";
  name: string;
  options: StoreOptions;
  module: WebAssembly.Module;
  rest: string | undefined;
  life: string;
}

/** What a page tells its worker. */
export type ToWorker =
  | Opening
  | { type: "calls"; calls: Call[] }
  | { type: "close" };

/** What a worker tells its page. */
export type FromWorker =
  | { type: "opened" }
  | { type: "answers"; answers: Answer[] }
  | { type: "changed" }
  | { type: "closed" }
  /** It was not opened, or not closed well. */
  | { type: "failed"; thrown: Thrown };

/** The way to an engine in a worker. */
export class Remote implements Link {
  readonly #worker: Worker;
  readonly #listeners = new Listeners();
  readonly #calls = new Calls((calls) => this.#say({ type: "calls", calls }));
  /** Whoever waits for the store to be opened or closed. */
  #turning: { resolve(): void; reject(error: ConnectoryError): void } | undefined;
  #closing: Promise<void> | undefined;
  /** The name of a lock that the worker holds as long as it lives. */
  readonly #life = `connectory-worker:${crypto.randomUUID()}`;
  readonly #watching = new AbortController();
  #end: FailedError | undefined;

  private constructor(worker: Worker) {
    this.#worker = worker;
    worker.onmessage = ({ data }: MessageEvent<FromWorker>) => this.#hear(data);
    worker.onerror = ({ message }) => this.#died(message || "its script could not be loaded");
    worker.onmessageerror = () => this.#died("a message could not be read");
  }

  static async open(worker: Worker, name: string, options: StoreOptions, { module, rest }: Code): Promise<Remote> {
    const remote = new Remote(worker);
    try {
      await remote.#turn({ type: "open", name, options, module, rest, life: remote.#life });
      remote.#watch();
    } catch (error) {
      worker.terminate();
      throw error;
    }
    return remote;
  }

  call(method: Method, args: unknown[]): Promise<unknown> {
    return this.#end ? Promise.reject(this.#end) : this.#calls.ask(method, args);
  }

  onChange(listener: () => void): () => void {
    return this.#listeners.add(listener);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    if (this.#end) return;
    this.#watching.abort();
    const closed = this.#turn({ type: "close" });
    this.#end = new FailedError("closed", "the store is closed");
    try {
      await closed;
    } finally {
      this.#worker.terminate();
      this.#failAll(this.#end);
    }
  }

  /** Notices the end of the worker: its lock is free then. */
  #watch(): void {
    const { signal } = this.#watching;
    navigator.locks.request(this.#life, { signal }, () => this.#died("it was ended")).catch(() => {});
  }

  #say(message: ToWorker): void {
    this.#worker.postMessage(message);
  }

  #turn(message: ToWorker): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#turning = { resolve, reject };
      this.#say(message);
    });
  }

  #hear(message: FromWorker): void {
    switch (message.type) {
      case "opened":
      case "closed":
        return this.#turning?.resolve();
      case "failed":
        return this.#turning?.reject(fromThrown(message.thrown));
      case "answers":
        for (const answer of message.answers) this.#calls.settle(answer);
        return;
      case "changed":
        return this.#listeners.tell();
    }
  }

  #died(why: string): void {
    if (this.#end) return;
    this.#end = new FailedError("internal", `the store's worker has ended, open the store again; it said: ${why}`);
    this.#turning?.reject(this.#end);
    this.#failAll(this.#end);
  }

  /** Answers everybody who waits; what was to be written may have been. */
  #failAll(error: FailedError): void {
    for (const [id, method, args] of this.#calls.waiting()) {
      this.#calls.fail(id, isReading(method, args) ? error : outcomeUnknown(error.message));
    }
    this.#listeners.tell();
  }
}
