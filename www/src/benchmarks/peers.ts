// The contenders of the repository's own benchmark, with their libraries as this site has them.
import * as disk from "../../../benches/javascript/peers/disk.mjs";
import * as indexeddb from "../../../benches/javascript/peers/indexeddb.mjs";
import * as sqlite from "../../../benches/javascript/peers/sqlite-wasm.mjs";
import * as ours from "./ours.ts";

const PEERS: Record<string, { open(opening: object): Promise<object> }> = {
  ours,
  "sqlite-wasm": { open: (opening) => sqlite.open(opening, () => import("./sqlite3.ts")) },
  indexeddb,
  disk,
};

export async function load(peer: string) {
  return PEERS[peer];
}
