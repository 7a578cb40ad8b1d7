// Who takes part, where, and as what.
// `floor`: what cannot be beaten, not a peer. `ours`: never a peer either.
export const CONTENDERS = [
  { name: "connectory", peer: "ours", kind: "memory", hosts: ["node", "chromium"], role: "ours" },
  { name: "sqlite-wasm", peer: "sqlite-wasm", kind: "memory", hosts: ["node", "chromium"], role: "peer" },
  { name: "sql.js", peer: "sqljs", kind: "memory", hosts: ["node", "chromium"], role: "peer" },
  { name: "better-sqlite3", peer: "better-sqlite3", kind: "memory", hosts: ["node"], role: "peer" },
  { name: "PGlite", peer: "pglite", kind: "memory", hosts: ["node", "chromium"], role: "peer" },
  { name: "Map", peer: "map", kind: "memory", hosts: ["node", "chromium"], role: "floor" },
  { name: "connectory", peer: "ours", kind: "file", hosts: ["node"], role: "ours" },
  { name: "better-sqlite3", peer: "better-sqlite3", kind: "file", hosts: ["node"], role: "peer" },
  { name: "one write", peer: "disk", kind: "file", hosts: ["node"], role: "floor" },
  { name: "connectory", peer: "ours", kind: "opfs", hosts: ["chromium"], role: "ours" },
  { name: "connectory from a page", peer: "ours", kind: "opfs", hosts: ["chromium"], role: "ours", inPage: true },
  { name: "sahpool, WAL", peer: "sqlite-wasm", kind: "opfs-wal", hosts: ["chromium"], role: "peer" },
  { name: "sahpool, default", peer: "sqlite-wasm", kind: "opfs-journal", hosts: ["chromium"], role: "peer" },
  { name: "IndexedDB", peer: "indexeddb", kind: "idb", hosts: ["chromium"], role: "peer" },
  { name: "one write", peer: "disk", kind: "opfs", hosts: ["chromium"], role: "floor" },
];

export function contendersOf(host, isDurable) {
  return CONTENDERS.filter((it) => it.hosts.includes(host) && (it.kind !== "memory") === isDurable);
}
