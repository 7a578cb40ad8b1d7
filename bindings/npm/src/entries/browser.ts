// The entry for browsers and bundlers: `open({ memory: true })` and `open({ name })`.
import { inBrowser } from "../browser.js";
import { inMemory, once, opening } from "../open.js";
import { compiled, Parts } from "../parts.js";

// Pages may not wait in the middle of a call: there the module comes as a whole.
const whole = once(async () => ({ module: await compiled(new URL("./connectory.wasm", import.meta.url)) }));
const parts = once(async () => {
  const first = await compiled(new URL("./first.wasm", import.meta.url));
  return new Parts(first, new URL("./rest.wasm", import.meta.url).href);
});
const worker = () => new Worker(new URL("./worker.js", import.meta.url), { type: "module", name: "connectory" });

/** Opens a store: `{ memory: true }` for one that goes with this page, `{ name }` for one in files that all tabs share. */
export const open = opening({ memory: inMemory(whole), name: inBrowser(parts, worker) });
export * from "./common.js";
