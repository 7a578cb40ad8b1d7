// The entry that loads nothing by itself: the module, and the worker for stores in files, come from the caller.
import { inBrowser } from "../browser.js";
import { invalid, inMemory, opening } from "../open.js";
import type { Store } from "../store.js";
import type { InBrowser, InMemory } from "../types.js";

/** The module, as a bundler or a host hands it over. */
export type Wasm = WebAssembly.Module | BufferSource | Response | Promise<WebAssembly.Module | BufferSource | Response>;

/** Where the parts of the engine come from. */
export interface Parts {
  /** `connectory/connectory.wasm`. */
  wasm: Wasm;
  /** Starts `connectory/worker`: needed for stores with a name, opened from a page. */
  worker?: () => Worker;
}

/** Opens a store with parts of the caller's. */
export function open({ wasm, worker, ...options }: (InMemory | InBrowser) & Parts): Promise<Store> {
  const code = async () => ({ module: await compiled(wasm) });
  const start = worker ?? (() => {
    throw invalid("worker: send a function that starts connectory/worker");
  });
  return opening({ memory: inMemory(code), name: inBrowser(code, start) })(options as InMemory | InBrowser);
}

async function compiled(wasm: Wasm): Promise<WebAssembly.Module> {
  const given = await wasm;
  if (given instanceof WebAssembly.Module) return given;
  return WebAssembly.compile(given instanceof Response ? await given.arrayBuffer() : given);
}

export * from "./common.js";
