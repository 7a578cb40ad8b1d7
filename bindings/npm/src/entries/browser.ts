// The entry for browsers and bundlers: `open({ memory: true })` and `open({ name })`.
import { inBrowser } from "../browser.js";
import { inMemory, once, opening } from "../open.js";

const module = once(async () => {
  const response = fetch(new URL("./connectory.wasm", import.meta.url));
  // Not every server knows the media type that streaming asks for.
  const isKnown = (await response).headers.get("content-type")?.startsWith("application/wasm");
  return isKnown ? WebAssembly.compileStreaming(response) : WebAssembly.compile(await (await response).arrayBuffer());
});
const worker = () => new Worker(new URL("./worker.js", import.meta.url), { type: "module", name: "connectory" });

/** Opens a store: `{ memory: true }` for one that goes with this page, `{ name }` for one in files that all tabs share. */
export const open = opening({ memory: inMemory(module), name: inBrowser(module, worker) });
export * from "./common.js";
