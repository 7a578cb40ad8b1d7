// What the module exports, behind what wasm-bindgen makes of it.
// @ts-expect-error -- Code without types, which ../build makes.
import { instantiate as made } from "../built/glue.js";
import type { Files } from "./tables.js";

/** A response of the HTTP API, its headers in pairs; `cause` says why something failed, and is for the log alone. */
export interface Answer<Body = string> {
  status: number;
  headers: string[][];
  body?: Body | undefined;
  cause?: string | undefined;
}

/** The lines of a dump, to be freed before they are at their end. */
export interface Lines {
  next(): string | undefined;
  free(): void;
}

/** A dump on its way into a store. */
export interface Load {
  /** Whole lines, the first of which has this number in the dump. */
  push(first: number, text: string): void;
  commit(): void;
  /** Makes it the store's; the number of connections. Freed before, it is undone. */
  finish(): number;
  free(): void;
}

/** A store of an instance of the module; wasm/src/store.rs says what each method does. */
export interface Store {
  /** `undefined`: staged, and the answer will be among those of `commit`. */
  respond(method: string, target: string, headers: string[][], body: Uint8Array): Answer<string | Lines> | undefined;
  ids(target: string, count: number): string[] | Answer;
  commit(): unknown[];
  stats(): unknown;
  check(): unknown;
  dump(): Lines;
  beginLoad(): Load;
  toBytes(): Uint8Array;
  close(): void;
  free(): void;
}

/** A caller who was let in. */
export interface Admission {
  project: string;
  plan: string;
  cap?: number;
  /** Tells keys apart and does not tell them. */
  key?: string;
}

/** Keys, and what they open. */
export interface Gate {
  admit(method: string, target: string, headers: string[][]): Admission | Answer;
  permit(scope: "read" | "write" | "admin", headers: string[][]): Admission | Answer;
}

/** Where a request belongs in a project. */
export type Destination = { to: "shard"; shard: number } | { to: "list"; offset: number } | { to: "proxy" | "dump" | "load" };

/** An instance of the module. */
export interface Glue {
  Store: {
    open(options: Record<string, unknown>, files?: Files): Store;
  };
  Gate: { open(rules: string): Gate };
  destination(method: string, target: string, body: Uint8Array, shards: number): Destination;
  merge(target: string, bodies: string[], goOn: boolean[]): Answer;
  pageAfter(target: string, id: string): string;
  shardOfLine(line: string, shards: number): number | undefined;
}

/** Makes an instance. */
export const instantiate: (module: WebAssembly.Module) => Glue = made;
