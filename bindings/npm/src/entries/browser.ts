// The entry for browsers and bundlers: `open({ memory: true })` and `open({ name })`.
import { inBrowser } from "../browser.js";
import { inMemory, once, opening } from "../open.js";
import { compiled, Parts } from "../parts.js";

const rest = () => new URL("./rest.wasm", import.meta.url).href;
const first = once(async () => new Parts(await compiled(new URL("./first.wasm", import.meta.url).href), rest()));
// Pages may not wait in the middle of a call: there all of it is loaded before.
const both = once(async () => {
  const [{ module }, loaded] = await Promise.all([first(), compiled(rest())]);
  return new Parts(module, rest(), loaded);
});
const worker = () => new Worker(new URL("./worker.js", import.meta.url), { type: "module", name: "connectory" });

/** Opens a store: `{ memory: true }` for one that goes with this page, `{ name }` for one in files that all tabs share. */
export const open = opening({ memory: inMemory(both), name: inBrowser(first, worker) });
export * from "./common.js";
