// Stores in the files that an origin has for itself, for dedicated workers alone.
import type { OpenFiles } from "./engine.js";
import type { File, Files } from "./host.js";
import { FailedError, storageFailed, storageFull } from "./errors.js";

/** A handle may outlive its worker: Chromium lets a terminated one finish for up to two seconds. */
const HELD_FOR_MS = 4500;
const RETRY_MS = [10, 20, 40, 80, 160];

/** Every store begins with these bytes. */
const MAGIC_BYTES = 9;

/** An open file of the origin, as dedicated workers have it. */
interface Handle {
  getSize(): number;
  read(into: Uint8Array, options: { at: number }): number;
  write(bytes: Uint8Array, options: { at: number }): number;
  truncate(size: number): void;
  flush(): void;
  close(): void;
}

interface Openable {
  createSyncAccessHandle(): Promise<Handle>;
}

/** Whether this thread can open stores in files. */
export function hasOpfs(): boolean {
  return typeof FileSystemFileHandle === "function" && "createSyncAccessHandle" in FileSystemFileHandle.prototype;
}

/** The files of the store with this name. They stay open, and belong to this thread, until they are closed. */
export function opfs(name: string): OpenFiles {
  return async (blank) => {
    if (typeof navigator.storage?.getDirectory !== "function") throw noStorage("it has no OPFS");
    let directory: FileSystemDirectoryHandle;
    try {
      const root = await navigator.storage.getDirectory();
      directory = await root.getDirectoryHandle("connectory", { create: true });
    } catch (error) {
      throw noStorage(said(error), error);
    }
    const tables = await openHandle(directory, `${name}.connectory`);
    const opened = [tables];
    try {
      const log = await openHandle(directory, `${name}.connectory-log`);
      opened.push(log);
      if (isUnfinished(tables)) make(tables, blank());
      return new OpfsFiles(tables, log);
    } catch (error) {
      for (const handle of opened) handle.close();
      throw failure(error);
    }
  };
}

async function openHandle(directory: FileSystemDirectoryHandle, name: string): Promise<Handle> {
  const file = await directory.getFileHandle(name, { create: true }).catch((error) => {
    throw failure(error);
  });
  const deadline = performance.now() + HELD_FOR_MS;
  for (let tries = 0; ; tries += 1) {
    try {
      const handle = await (file as unknown as Openable).createSyncAccessHandle();
      // Older versions of Safari answer with promises.
      if (typeof handle.getSize() !== "number") {
        throw noStorage("its file handles answer with promises; a later version is needed");
      }
      return handle;
    } catch (error) {
      if (nameOf(error) !== "NoModificationAllowedError") throw failure(error);
      if (performance.now() > deadline) {
        throw new FailedError("in_use", "the store is open elsewhere in this browser; close it there", { cause: error });
      }
      const pause = RETRY_MS[Math.min(tries, RETRY_MS.length - 1)];
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }
}

/** Whether nothing is there, or the start of a store that was never finished: it gets its first bytes last. */
function isUnfinished(tables: Handle): boolean {
  const head = new Uint8Array(MAGIC_BYTES);
  const read = tables.read(head, { at: 0 });
  return head.subarray(0, read).every((byte) => byte === 0);
}

function make(tables: Handle, blank: Uint8Array): void {
  tables.truncate(0);
  writeAll(tables, blank.subarray(MAGIC_BYTES), MAGIC_BYTES);
  tables.flush();
  writeAll(tables, blank.subarray(0, MAGIC_BYTES), 0);
  tables.flush();
}

function writeAll(handle: Handle, bytes: Uint8Array, at: number): void {
  if (handle.write(bytes, { at }) !== bytes.length) throw storageFull();
}

class OpfsFiles implements Files {
  // Whether a flush reaches the disk is the browser's secret.
  readonly onePhase = true;
  readonly #tables: Handle;
  readonly #log: Handle;

  constructor(tables: Handle, log: Handle) {
    this.#tables = tables;
    this.#log = log;
  }

  open(): File {
    return new OpfsFile(this.#tables);
  }

  /** An empty log is none: names cannot be made or removed without waiting. */
  openLog(make: boolean): File | undefined {
    return make || this.#log.getSize() > 0 ? new OpfsFile(this.#log) : undefined;
  }

  removeLog(): void {
    this.#log.truncate(0);
    this.#log.flush();
  }

  close(): void {
    this.#tables.close();
    this.#log.close();
  }
}

/** One of the two, as the engine asks for it. */
class OpfsFile implements File {
  readonly #handle: Handle;

  constructor(handle: Handle) {
    this.#handle = handle;
  }

  size(): number {
    return this.#handle.getSize();
  }

  read(at: number, into: Uint8Array): number {
    return this.#handle.read(into, { at });
  }

  write(at: number, bytes: Uint8Array): number {
    return this.#handle.write(bytes, { at });
  }

  truncate(size: number): void {
    this.#handle.truncate(size);
  }

  flush(): void {
    this.#handle.flush();
  }

  // The handle stays: the engine may open its storage again, and then nobody else should have it.
  close(): void {}
}

function nameOf(error: unknown): string | undefined {
  return error instanceof Error || error instanceof DOMException ? error.name : undefined;
}

function said(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}

function failure(error: unknown): FailedError {
  if (error instanceof FailedError) return error;
  if (nameOf(error) === "QuotaExceededError") return storageFull(error);
  return storageFailed(said(error), error);
}

/** Nothing is kept in memory instead: what was thought to be saved would be gone. */
export function noStorage(why: string, cause?: unknown): FailedError {
  const message = `this browser keeps no files for this page: ${why}; open({ memory: true }) keeps a store as long as the page`;
  return new FailedError("no_storage", message, { cause });
}
