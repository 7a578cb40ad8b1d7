// How contenders look: the same one the same in every chart.

/** Ours, a peer by number, or a floor: what cannot be beaten, and is no peer. */
export type Look = "ours" | "ours-far" | "peer-1" | "peer-2" | "peer-3" | "peer-4" | "floor";

const LOOKS: Record<string, Look> = {
  connectory: "ours",
  "connectory from a page": "ours-far",
  SQLite: "peer-1",
  "sqlite-wasm": "peer-1",
  "sahpool, WAL": "peer-1",
  "SQL by hand": "peer-1",
  LMDB: "peer-2",
  "sql.js": "peer-2",
  "sahpool, default": "peer-2",
  fjall: "peer-3",
  "better-sqlite3": "peer-3",
  IndexedDB: "peer-3",
  redb: "peer-4",
  PGlite: "peer-4",
};
const LABELS: Record<string, string> = {
  "connectory from a page": "connectory, page",
  "sahpool, WAL": "SQLite, WAL",
  "sahpool, default": "SQLite, journal",
  native: "native engine",
  "native json": "native, JSON",
};
const ORDER = ["ours", "ours-far", "peer-1", "peer-2", "peer-3", "peer-4", "floor"];

/** Whatever stands for one of ours under another name, like a number of shards, is ours. */
export function lookOf(name: string): Look {
  if (/^\d/.test(name)) return "ours";
  return LOOKS[name] ?? "floor";
}

export function labelOf(name: string): string {
  return LABELS[name] ?? name;
}

/** Ours first, then peers, then floors; what looks the same stays as it was. */
export function inOrder<T>(all: T[], nameOf: (it: T) => string): T[] {
  const place = (it: T) => ORDER.indexOf(lookOf(nameOf(it)));
  return [...all].sort((one, other) => place(one) - place(other));
}
