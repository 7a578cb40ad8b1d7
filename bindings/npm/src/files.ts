// Stores in files of Node.js, Deno and Bun, with the lock that native processes take.
import * as fs from "node:fs";
import { dirname } from "node:path";
import { type Code, Engine, type OpenFiles } from "./engine.js";
import type { File, Files } from "./host.js";
import { FailedError, storageFailed, storageFull } from "./errors.js";
import { invalid, type Openers } from "./open.js";

const { O_RDWR, O_NONBLOCK } = fs.constants;
/** Opening locks, where the system has that; Windows by the number of libuv. */
const O_EXLOCK: Partial<Record<NodeJS.Platform, number>> = { darwin: 0x20 | O_NONBLOCK, freebsd: 0x20 | O_NONBLOCK, win32: 0x1000_0000 };

/** What Deno has that Node.js has not. */
interface Deno {
  openSync(path: string, options: { read: boolean; write: boolean }): DenoFile;
}

interface DenoFile {
  tryLockSync?(exclusive: boolean): boolean;
  close(): void;
}

const deno = (globalThis as { Deno?: Deno }).Deno;

/** Opens stores by path. */
export function inFile(code: () => Promise<Code>): Openers<"path">["path"] {
  return async ({ path, lock }, options) => {
    if (typeof path !== "string" || path === "") throw invalid("path: send the path of the store's file");
    if (lock !== undefined && lock !== "none") throw invalid('lock: send "none", or nothing for the lock that there is');
    return Engine.open(await code(), options, files(path, lock === "none"));
  };
}

function files(path: string, unlocked: boolean): OpenFiles {
  return async (blank) => {
    try {
      if (!fs.existsSync(path)) create(path, blank());
      return unlocked ? new NodeFiles(path, fs.openSync(path, O_RDWR)) : await openLocked(path);
    } catch (error) {
      if (error instanceof FailedError) throw error;
      const { code, message } = error as NodeJS.ErrnoException;
      throw code === "ENOSPC" || code === "EDQUOT" ? storageFull(error) : storageFailed(message, error);
    }
  };
}

/** Makes an empty store. It gets its name when it is whole and synced, so of two that make it at once one finds the other's. */
function create(path: string, blank: Uint8Array): void {
  const draft = `${path}.${crypto.randomUUID()}.new`;
  const file = fs.openSync(draft, "wx");
  try {
    try {
      fs.writeFileSync(file, blank);
      fs.fsyncSync(file);
    } finally {
      fs.closeSync(file);
    }
    fs.linkSync(draft, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  } finally {
    fs.unlinkSync(draft);
  }
  syncDirectoryOf(path);
}

/** Makes a new name in a directory durable. */
function syncDirectoryOf(path: string): void {
  if (process.platform === "win32") return;
  const directory = fs.openSync(dirname(path), "r");
  try {
    fs.fsyncSync(directory);
  } finally {
    fs.closeSync(directory);
  }
}

/** Opens the store for this process alone. The system frees the lock with the descriptor, however the process ends. */
async function openLocked(path: string): Promise<NodeFiles> {
  if (deno) return openLockedByDeno(deno, path);
  const exclusive = O_EXLOCK[process.platform];
  if (exclusive !== undefined) {
    try {
      return new NodeFiles(path, fs.openSync(path, O_RDWR | exclusive));
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      throw code === "EAGAIN" || code === "EBUSY" ? inUse() : error;
    }
  }
  const file = fs.openSync(path, O_RDWR);
  try {
    await lock(file);
    return new NodeFiles(path, file);
  } catch (error) {
    fs.closeSync(file);
    throw error;
  }
}

/** Locks an open file: flock(1) inherits the descriptor, and the lock belongs to what it shares with this process. */
async function lock(file: number): Promise<void> {
  const { status, error } = await flock(file);
  if (status === 0) return;
  if (status === 1) throw inUse();
  const why = error instanceof Error ? error.message : `flock ended with ${status}`;
  throw noLock(`${why}; install flock (util-linux)`);
}

async function flock(file: number): Promise<{ status: number | null; error?: unknown }> {
  try {
    // Loaded where it is needed: stores in memory start without.
    const { spawnSync } = await import("node:child_process");
    return spawnSync("flock", ["-xn", "3"], { stdio: ["ignore", "ignore", "ignore", file] });
  } catch (error) {
    // Node.js can be told to start no processes.
    return { status: null, error };
  }
}

/** Deno's lock is the one that native processes take, and needs no permission but the file's. */
function openLockedByDeno({ openSync }: Deno, path: string): NodeFiles {
  // Where locks are mandatory, this one would be in the way of the file's own reads.
  if (process.platform === "win32") throw noLock("Deno has no such lock on Windows");
  const lock = openSync(path, { read: true, write: true });
  try {
    if (typeof lock.tryLockSync !== "function") throw noLock("this Deno cannot lock files; a later version can");
    if (!lock.tryLockSync(true)) throw inUse();
    return new NodeFiles(path, fs.openSync(path, O_RDWR), lock);
  } catch (error) {
    lock.close();
    throw error;
  }
}

function noLock(why: string): FailedError {
  const message = `the store's file cannot be locked here: ${why}, or pass { lock: "none" } if nobody else opens it`;
  return new FailedError("lock_unavailable", message);
}

function inUse(): FailedError {
  return new FailedError("in_use", "the store is in use by another process");
}

class NodeFiles implements Files {
  readonly onePhase = false;
  readonly #path: string;
  readonly #tables: number;
  readonly #lock: { close(): void } | undefined;

  /** `lock`, if the lock is not that of the tables' own descriptor, is kept as long. */
  constructor(path: string, tables: number, lock?: { close(): void }) {
    this.#path = path;
    this.#tables = tables;
    this.#lock = lock;
  }

  get #logPath(): string {
    return `${this.#path}-log`;
  }

  open(): File {
    // The descriptor stays: with it goes the lock.
    return new NodeFile(this.#tables, () => {});
  }

  openLog(make: boolean): File | undefined {
    let log: number;
    try {
      log = fs.openSync(this.#logPath, O_RDWR | (make ? fs.constants.O_CREAT : 0), 0o666);
    } catch (error) {
      if (!make && (error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw error;
    }
    if (make) syncDirectoryOf(this.#logPath);
    return new NodeFile(log, () => fs.closeSync(log));
  }

  removeLog(): void {
    fs.unlinkSync(this.#logPath);
  }

  close(): void {
    fs.closeSync(this.#tables);
    this.#lock?.close();
  }
}

/** An open file, read and written at positions. */
class NodeFile implements File {
  readonly #file: number;
  readonly close: () => void;

  constructor(file: number, close: () => void) {
    this.#file = file;
    this.close = close;
  }

  size(): number {
    return fs.fstatSync(this.#file).size;
  }

  read(at: number, into: Uint8Array): number {
    let done = 0;
    while (done < into.length) {
      const read = fs.readSync(this.#file, into, done, into.length - done, at + done);
      if (read === 0) break;
      done += read;
    }
    return done;
  }

  write(at: number, bytes: Uint8Array): number {
    let done = 0;
    while (done < bytes.length) done += fs.writeSync(this.#file, bytes, done, bytes.length - done, at + done);
    return done;
  }

  truncate(size: number): void {
    fs.ftruncateSync(this.#file, size);
  }

  flush(): void {
    fs.fdatasyncSync(this.#file);
  }
}
