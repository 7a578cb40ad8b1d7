// The entry for Node.js, Deno and Bun: `open({ memory: true })` and `open({ path })`.
import { readFileSync } from "node:fs";
import { inFile } from "../files.js";
import { inMemory, once, opening } from "../open.js";

const code = once(async () => {
  const bytes = readFileSync(new URL("./connectory.wasm", import.meta.url));
  return { module: await WebAssembly.compile(bytes) };
});

/** Opens a store: `{ memory: true }` for one that goes with this process, `{ path }` for one in a file. */
export const open = opening({ memory: inMemory(code), path: inFile(code) });
export * from "./common.js";
