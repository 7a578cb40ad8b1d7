// The entry for Node.js, Deno and Bun: `open({ memory: true })` and `open({ path })`.
import { readFileSync } from "node:fs";
import { inFile } from "../files.js";
import { inMemory, once, opening } from "../open.js";

const module = once(async () => WebAssembly.compile(readFileSync(new URL("./connectory.wasm", import.meta.url))));

/** Opens a store: `{ memory: true }` for one that goes with this process, `{ path }` for one in a file. */
export const open = opening({ memory: inMemory(module), path: inFile(module) });
export * from "./common.js";
