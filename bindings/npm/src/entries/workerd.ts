// The entry for workerd, which compiles modules when it starts: `open({ memory: true })`.
import module from "./connectory.wasm";
import { inMemory, opening } from "../open.js";

/** Opens a store in memory. */
export const open = opening({ memory: inMemory(async () => ({ module })) });
export * from "./common.js";
