// The same page with the parts of the engine as esbuild emits them.
import * as connectory from "connectory/slim";
import wasm from "connectory/connectory.wasm";
import { createFetch } from "connectory/fetch";
import { use } from "./use.js";

const parts = {
  wasm: WebAssembly.compileStreaming(fetch(wasm)),
  worker: () => new Worker("./worker.js", { type: "module" }),
};

async function run() {
  const memory = await use({ ...connectory, createFetch }, { memory: true, ...parts });
  return { memory, files: await use({ ...connectory, createFetch }, { name: "app", ...parts }) };
}
globalThis.report = run();
