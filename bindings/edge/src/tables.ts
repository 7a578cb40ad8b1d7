// A store in the database of its object: redb's pages as chunks, the log as rows.
//
// Everything here happens within one event, in one transaction. The platform holds back whatever the object sends, answers
// above all, until that is durable where it keeps its copies (its output gate). So a row counts as durable when it is put,
// and nothing here waits.

import type { File } from "../../npm/src/host.js";

/** Where the engine keeps a store. */
export interface Files {
  readonly onePhase: boolean;
  readonly logRows: Rows;
  open(): File;
}

/** The rows of the log. */
export interface Rows {
  readonly count: number;
  readonly bytesMax: number;
  put(number: number, row: Uint8Array): void;
  read(first: number, count: number): Uint8Array[];
}

/** How a store is laid out in its object's database; COST.md says how these were chosen. */
export interface Layout {
  /** Bytes of a chunk of the tables. */
  chunkBytes: number;
  /** Rows of the log. A checkpoint is made after a quarter of them. */
  logRows: number;
}

export const LAYOUT: Layout = { chunkBytes: 64 << 10, logRows: 16_384 };

/** The platform takes 2 MB in a row. */
const ROW_BYTES_MAX = 1_900_000;
/** Chunks that were read lately. */
const CACHED_CHUNKS = 32;

/** What was done since the object started: rows as the platform bills them, bytes of the values written. */
export interface Counts {
  rowsWritten: number;
  rowsRead: number;
  bytesWritten: number;
  checkpoints: number;
}

/** The tables and the log of one store. Nothing is written before something is put or flushed. */
export class Tables implements Files {
  readonly onePhase = false;
  readonly logRows: Rows;
  readonly counts: Counts = { rowsWritten: 0, rowsRead: 0, bytesWritten: 0, checkpoints: 0 };
  readonly #storage: DurableObjectStorage;
  readonly #layout: Layout;
  readonly #dirty = new Map<number, Uint8Array>();
  readonly #clean = new Map<number, Uint8Array>();
  #size = 0;
  /** Chunks of the database from this number on are not part of the file any more. */
  #cutAt = Infinity;
  #isMade = false;
  #isSynced = false;

  constructor(storage: DurableObjectStorage, layout: Layout = LAYOUT) {
    this.#storage = storage;
    this.#layout = layout;
    this.logRows = {
      count: layout.logRows,
      bytesMax: ROW_BYTES_MAX,
      put: (number, row) => this.#put("log", number, row),
      read: (first, count) => this.#readLog(first, count),
    };
    this.#isMade = this.#exec("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'chunks'").length > 0;
    if (this.#isMade) this.#size = storage.kv.get<number>("size") ?? 0;
  }

  /** Whether there is nothing yet. */
  get isNew(): boolean {
    return this.#size === 0;
  }

  /** Makes these bytes what a new store begins with; they are written with its first write. */
  begin(bytes: Uint8Array): void {
    this.#truncate(bytes.length);
    this.#write(0, bytes);
  }

  open(): File {
    return {
      size: () => this.#size,
      read: (at, into) => this.#read(at, into),
      write: (at, bytes) => this.#write(at, bytes),
      truncate: (size) => this.#truncate(size),
      flush: () => void (this.#isSynced = true),
      close: () => {},
    };
  }

  /** To be called when the engine has opened the store: what it wrote for that need not be kept. */
  opened(): void {
    this.#isSynced = false;
  }

  /**
   * Runs what may write, and writes what the engine synced meanwhile: in one transaction, so all of it or, where this throws,
   * nothing, and then the engine has to be opened anew.
   */
  transact<T>(run: () => T): T {
    return this.#storage.transactionSync(() => {
      const result = run();
      if (this.#isSynced) this.#settle();
      return result;
    });
  }

  #settle(): void {
    if (this.#cutAt < Infinity && this.#isMade) this.#exec("DELETE FROM chunks WHERE id >= ?", this.#cutAt);
    for (const [id, chunk] of this.#dirty) {
      const end = Math.min(chunk.length, this.#size - id * chunk.length);
      this.#put("chunks", id, chunk.subarray(0, end));
    }
    if (this.#storage.kv.get("size") !== this.#size) {
      this.#storage.kv.put("size", this.#size);
      this.counts.rowsWritten += 1;
    }
    this.counts.checkpoints += 1;
    for (const [id, chunk] of this.#dirty) this.#keep(id, chunk);
    this.#dirty.clear();
    this.#cutAt = Infinity;
    this.#isSynced = false;
  }

  #readLog(first: number, count: number): Uint8Array[] {
    if (!this.#isMade) return [];
    const rows = this.#exec("SELECT id, bytes FROM log WHERE id >= ? AND id < ? ORDER BY id", first, first + count);
    const found: Uint8Array[] = [];
    for (const [id, bytes] of rows) {
      if (id !== first + found.length) break;
      found.push(new Uint8Array(bytes as ArrayBuffer));
    }
    return found;
  }

  #read(at: number, into: Uint8Array): number {
    const end = Math.min(at + into.length, this.#size);
    this.#each(at, end, (id, from, to, done) => into.set(this.#chunk(id).subarray(from, to), done));
    return Math.max(0, end - at);
  }

  #write(at: number, bytes: Uint8Array): number {
    const { chunkBytes } = this.#layout;
    this.#each(at, at + bytes.length, (id, from, to, done) => {
      let chunk = this.#dirty.get(id);
      if (!chunk) {
        // What is written over as a whole need not be read.
        chunk = to - from === chunkBytes ? new Uint8Array(chunkBytes) : this.#chunk(id);
        this.#clean.delete(id);
        this.#dirty.set(id, chunk);
      }
      chunk.set(bytes.subarray(done, done + to - from), from);
    });
    return bytes.length;
  }

  /** What is added reads as zeros, whatever was there before. */
  #truncate(size: number): void {
    const { chunkBytes } = this.#layout;
    if (size < this.#size) {
      const kept = Math.ceil(size / chunkBytes);
      for (const chunks of [this.#dirty, this.#clean]) {
        for (const id of chunks.keys()) if (id >= kept) chunks.delete(id);
      }
      this.#cutAt = Math.min(this.#cutAt, kept);
      const rest = size % chunkBytes;
      if (rest > 0) this.#write(size, new Uint8Array(Math.min(chunkBytes - rest, this.#size - size)));
    }
    this.#size = size;
  }

  /** Calls `visit` for every chunk that the bytes from `at` to `end` touch, with where in it, and how far that is. */
  #each(at: number, end: number, visit: (id: number, from: number, to: number, done: number) => void): void {
    const { chunkBytes } = this.#layout;
    for (let next = at; next < end; ) {
      const id = Math.floor(next / chunkBytes);
      const from = next - id * chunkBytes;
      const to = Math.min(chunkBytes, end - id * chunkBytes);
      visit(id, from, to, next - at);
      next += to - from;
    }
  }

  /** A whole chunk, with zeros behind the end of the file. */
  #chunk(id: number): Uint8Array {
    const known = this.#dirty.get(id) ?? this.#clean.get(id);
    if (known) return known;
    const chunk = new Uint8Array(this.#layout.chunkBytes);
    if (this.#isMade && id < this.#cutAt) {
      const [row] = this.#exec("SELECT bytes FROM chunks WHERE id = ?", id);
      if (row) chunk.set(new Uint8Array(row[0] as ArrayBuffer));
    }
    this.#keep(id, chunk);
    return chunk;
  }

  #keep(id: number, chunk: Uint8Array): void {
    this.#clean.set(id, chunk);
    for (const oldest of this.#clean.keys()) {
      if (this.#clean.size <= CACHED_CHUNKS) break;
      this.#clean.delete(oldest);
    }
  }

  #put(table: "log" | "chunks", id: number, bytes: Uint8Array): void {
    if (!this.#isMade) {
      for (const name of ["log", "chunks"]) {
        this.#exec(`CREATE TABLE IF NOT EXISTS ${name} (id INTEGER PRIMARY KEY, bytes BLOB NOT NULL)`);
      }
      this.#isMade = true;
    }
    this.#exec(`INSERT OR REPLACE INTO ${table} (id, bytes) VALUES (?, ?)`, id, bytes);
    this.counts.bytesWritten += bytes.length;
  }

  #exec(statement: string, ...bindings: (number | Uint8Array)[]): SqlStorageValue[][] {
    try {
      const cursor = this.#storage.sql.exec(statement, ...bindings);
      const rows = [...cursor.raw()];
      this.counts.rowsWritten += cursor.rowsWritten;
      this.counts.rowsRead += cursor.rowsRead;
      return rows;
    } catch (error) {
      // The engine knows a full storage by its code.
      if (isFull(error)) throw Object.assign(error as Error, { code: "ENOSPC" });
      throw error;
    }
  }
}

/** Whether it says that the database has no space left. */
export function isFull(error: unknown): boolean {
  return /SQLITE_FULL|disk is full/i.test(String(error));
}
