// The engine as wasm/build leaves it: the module that the tests share, and fresh instances for those that end one.
import { readFileSync } from "node:fs";

const glue = new URL("../../target/javascript/connectory_wasm.js", import.meta.url);

/** The .wasm itself. */
export const wasm = readFileSync(new URL("connectory_wasm_bg.wasm", glue));

const compiled = new WebAssembly.Module(wasm);
let instances = 0;

/** Loads an instance of its own. */
export async function instance() {
  instances += 1;
  const engine = await import(`${glue}?instance=${instances}`);
  engine.initSync({ module: compiled });
  return engine;
}

export const { Store } = await instance();
