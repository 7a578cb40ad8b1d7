// The engine in this thread: an instance of the module, and what waits for its next commit.
import { asError, type ConnectoryError, FailedError, outcomeUnknown } from "./errors.js";
import { isReading, type Link, Listeners, type Method } from "./link.js";
import type { Files } from "./host.js";
import { type Glue, instantiate, type Lines, type WasmStore } from "./glue.js";
import type { StoreOptions } from "./types.js";

/** The engine's code. */
export interface Code {
  readonly module: WebAssembly.Module;
  /** Where the rest of it is, if the module is not all of it. */
  readonly rest?: string;
  /** Makes an instance, where that takes more than the module and what it imports. */
  instance?(module: WebAssembly.Module, imports: WebAssembly.Imports): WebAssembly.Instance;
  /** Called when a store is open. */
  onOpen?(): Promise<void>;
}

/** How to find the files of a store; `blank` makes the bytes of an empty one. */
export type OpenFiles = (blank: () => Uint8Array) => Files | Promise<Files>;

/** Nobody has written for so long: time to move what was written into the tables. */
const IDLE_MS = 1000;
/** The lines of a dump go to another thread in pieces of about this many characters. */
const DUMP_PIECE = 64 << 10;

interface Waiting {
  resolve(answer: unknown): void;
  reject(error: unknown): void;
}

/** An open store in an instance of the module of its own: a panic ends this one and no other. */
export class Engine implements Link {
  readonly #glue: Glue;
  readonly #store: WasmStore;
  readonly #files: Files | undefined;
  readonly #schedule: (run: () => void) => void;
  readonly #listeners = new Listeners();
  readonly #dumps = new Map<number, Lines>();
  #waiting: Waiting[] = [];
  #lastChange: number;
  #dumpCount = 0;
  #idle: ReturnType<typeof setTimeout> | undefined;
  #lastCommit = 0;
  #end: FailedError | undefined;
  /** Called when a panic has ended the engine. */
  onEnd: (() => void) | undefined;

  private constructor(glue: Glue, store: WasmStore, files: Files | undefined) {
    this.#glue = glue;
    this.#store = store;
    this.#files = files;
    // In memory there is nothing to wait for: a commit costs next to nothing.
    this.#schedule = files ? afterThisMacrotask : (run) => queueMicrotask(run);
    this.#lastChange = store.lastChange();
  }

  /** Opens the store in these files; a new one in memory without. */
  static async open(
    code: Code,
    options: StoreOptions = {},
    openFiles?: OpenFiles,
  ): Promise<Engine> {
    const glue = instanceOf(code);
    const files = await openFiles?.(() => blank(glue));
    try {
      const engine = new Engine(glue, glue.Store.open(options, files), files);
      void code.onOpen?.();
      return engine;
    } catch (error) {
      await files?.close();
      throw asError(error);
    }
  }

  /** Opens a store in memory that begins with the bytes of a store file. */
  static fromBytes(code: Code, bytes: Uint8Array, options: StoreOptions = {}): Engine {
    const glue = instanceOf(code);
    try {
      return new Engine(glue, glue.Store.fromBytes(bytes, options), undefined);
    } catch (error) {
      throw asError(error);
    }
  }

  async call(method: Method, args: unknown[]): Promise<unknown> {
    if (this.#end) throw this.#end;
    try {
      const answer = this.#ask(method, args);
      if (answer !== undefined || isReading(method, args)) return answer;
    } catch (error) {
      throw this.#check(error);
    }
    return new Promise((resolve, reject) => {
      if (this.#waiting.push({ resolve, reject }) === 1) this.#schedule(() => this.#commit());
    });
  }

  /** What can be answered at once; `undefined` of a write that waits for the commit. */
  #ask(method: Method, args: unknown[]): unknown {
    const store = this.#store;
    switch (method) {
      case "isOwner":
        return true;
      case "changes":
        return store.changesSince(args[0], args[1]);
      case "backup":
        return store.toBytes();
      case "load": {
        this.#commit();
        const loaded = store.load(linesOf(args[0] as Uint8Array));
        this.#tell();
        return loaded;
      }
      case "dump":
        return this.#keep(store.dump());
      case "dumpNext":
        return this.#nextPiece(args[0] as number);
      case "dumpEnd":
        return this.#endDump(args[0] as number);
      case "respond": {
        const [verb, target, headers, body] = args as [string, string, string[][], Uint8Array];
        return this.#response(store.respond(verb, target, headers, body));
      }
      case "check":
      case "checkpoint":
        this.#commit();
        return store[method]();
      default:
        return (store[method] as (...args: unknown[]) => unknown).apply(store, args);
    }
  }

  #commit(): void {
    const waiting = this.#waiting;
    if (waiting.length === 0) return;
    this.#waiting = [];
    let answers: unknown[];
    try {
      answers = this.#store.commit();
    } catch (error) {
      const { message } = this.#check(error);
      const unknown = outcomeUnknown(message);
      for (const { reject } of waiting) reject(unknown);
      return;
    }
    for (const [n, { resolve, reject }] of waiting.entries()) {
      const answer = answers[n];
      if (answer instanceof Error) reject(asError(answer));
      else resolve(this.#response(answer));
    }
    this.#tell();
    this.#checkpointWhenIdle();
  }

  /** Tells those who want to know if there are new changes. */
  #tell(): void {
    try {
      const last = this.#store.lastChange();
      if (last === this.#lastChange) return;
      this.#lastChange = last;
    } catch {
      // The storage has failed: those who want to know are told so when they look.
    }
    this.#listeners.tell();
  }

  /** One timer for any number of commits: setting one costs more than looking at the clock. */
  #checkpointWhenIdle(): void {
    if (!this.#files) return;
    this.#lastCommit = performance.now();
    this.#idle ??= this.#wait(IDLE_MS);
  }

  #wait(ms: number): ReturnType<typeof setTimeout> {
    const timer = setTimeout(() => this.#checkpointIfIdle(), ms);
    // Node.js need not stay for it.
    (timer as { unref?: () => void }).unref?.();
    return timer;
  }

  #checkpointIfIdle(): void {
    const left = this.#lastCommit + IDLE_MS - performance.now();
    this.#idle = left > 0 ? this.#wait(left) : undefined;
    if (this.#idle) return;
    try {
      this.#store.checkpoint();
    } catch (error) {
      // What was acknowledged is in the log; the next write or close tries again.
      this.#check(error);
    }
  }

  /** A response whose body is a dump has a number in its place. */
  #response(answer: unknown): unknown {
    const response = answer as { body?: unknown } | undefined;
    if (response?.body instanceof this.#glue.Dump) {
      return { ...response, body: this.#keep(response.body) };
    }
    return answer;
  }

  #keep(lines: Lines): number {
    this.#dumpCount += 1;
    this.#dumps.set(this.#dumpCount, lines);
    return this.#dumpCount;
  }

  /** The next lines of a dump, each with its end; `undefined` after the last. */
  #nextPiece(dump: number): string | undefined {
    const lines = this.#dumps.get(dump);
    if (!lines) throw new FailedError("closed", "the dump has ended");
    let piece = "";
    while (piece.length < DUMP_PIECE) {
      const line = lines.next();
      if (line === undefined) break;
      piece += `${line}\n`;
    }
    if (piece !== "") return piece;
    this.#endDump(dump);
    return undefined;
  }

  #endDump(dump: number): void {
    this.#dumps.get(dump)?.free();
    this.#dumps.delete(dump);
  }

  /** Makes an error of ours of what was thrown, and notices if the engine has ended. */
  #check(error: unknown): ConnectoryError {
    const ours = asError(error);
    if (this.#end || !isInternal(ours)) return ours;
    try {
      this.#store.lastChange();
    } catch (error) {
      if (isInternal(asError(error))) this.#ended(ours);
    }
    return ours;
  }

  #ended(why: ConnectoryError): void {
    this.#end = new FailedError("internal", `the engine has ended, open the store again; it said: ${why.message}`);
    clearTimeout(this.#idle);
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { reject } of waiting) reject(this.#end);
    void this.#files?.close();
    this.onEnd?.();
  }

  onChange(listener: () => void): () => void {
    return this.#listeners.add(listener);
  }

  async close(): Promise<void> {
    if (this.#end) return;
    this.#commit();
    clearTimeout(this.#idle);
    for (const dump of [...this.#dumps.keys()]) this.#endDump(dump);
    let failed: ConnectoryError | undefined;
    try {
      this.#store.close();
    } catch (error) {
      failed = asError(error);
    }
    this.#end = new FailedError("closed", "the store is closed");
    this.#store.free();
    await this.#files?.close();
    this.#listeners.tell();
    if (failed) throw failed;
  }
}

function isInternal(error: ConnectoryError): boolean {
  return error instanceof FailedError && error.reason === "internal";
}

function instanceOf(code: Code): Glue {
  return instantiate(code.module, code.instance?.bind(code));
}

/** The bytes of an empty store. */
function blank(glue: Glue): Uint8Array {
  const store = glue.Store.open({});
  store.close();
  const bytes = store.toBytes();
  store.free();
  return bytes;
}

/** The lines of a text in UTF-8, without their ends. */
function* linesOf(bytes: Uint8Array): Generator<string> {
  const decoder = new TextDecoder();
  for (let start = 0; start < bytes.length; ) {
    let end = bytes.indexOf(10, start);
    if (end < 0) end = bytes.length;
    yield decoder.decode(bytes.subarray(start, bytes[end - 1] === 13 ? end - 1 : end));
    start = end + 1;
  }
}

/** Runs when everything that has arrived by now was looked at. */
const afterThisMacrotask: (run: () => void) => void = (() => {
  if (typeof setImmediate === "function") return (run) => void setImmediate(run);
  if (typeof MessageChannel !== "function") return (run) => void setTimeout(run);
  let port: MessagePort | undefined;
  let runs: (() => void)[] = [];
  return (run) => {
    if (!port) {
      const channel = new MessageChannel();
      channel.port1.onmessage = () => {
        const due = runs;
        runs = [];
        for (const run of due) run();
      };
      port = channel.port2;
    }
    if (runs.push(run) === 1) port.postMessage(undefined);
  };
})();
