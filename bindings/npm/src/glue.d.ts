// What the module exports, behind what wasm-bindgen makes of it; ./build puts the code beside this.
import type { Files } from "./host.js";

/** The lines of a dump. */
export interface Lines {
  next(): string | undefined;
  free(): void;
}

/** A store of an instance of the module; wasm/src/store.rs says what each method does. */
export interface WasmStore {
  create(connection: unknown, options?: unknown): unknown;
  createMany(connections: unknown, options?: unknown): void;
  update(id: unknown, changes: unknown): unknown;
  record(id: unknown, observation: unknown): unknown;
  delete(id: unknown): unknown;
  deleteProfile(name: unknown): unknown;
  registerProxy(id: unknown, name?: unknown): unknown;
  removeProxy(id: unknown): unknown;
  commit(): unknown[];
  get(id: unknown): unknown;
  find(profileName: unknown, domain: unknown): unknown;
  list(query?: unknown): unknown;
  profiles(page?: unknown): unknown;
  proxies(page?: unknown): unknown;
  allows(id: unknown, host: unknown): boolean;
  changesSince(since: unknown, limit: unknown): unknown;
  lastChange(): number;
  stats(): unknown;
  check(): unknown;
  checkpoint(): void;
  respond(method: string, target: string, headers: string[][], body: Uint8Array): unknown;
  dump(): Lines;
  load(lines: Iterable<string>): number;
  toBytes(): Uint8Array;
  close(): void;
  free(): void;
}

/** An instance of the module. */
export interface Glue {
  Store: {
    open(options?: unknown, files?: Files): WasmStore;
    fromBytes(bytes: Uint8Array, options?: unknown): WasmStore;
  };
  Dump: new () => Lines;
}

/** Makes an instance, with `make` if that takes more than the module and what it imports. */
export function instantiate(
  module: WebAssembly.Module,
  make?: (module: WebAssembly.Module, imports: WebAssembly.Imports) => WebAssembly.Instance,
): Glue;
