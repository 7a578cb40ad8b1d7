// In browsers stores are in memory or in the browser's files; with `connectory/slim` the caller brings the engine's parts.
import { open, type Store } from "connectory";
import { open as openSlim } from "connectory/slim";

export const stores: Promise<Store>[] = [open({ memory: true }), open({ name: "app" }), open({ name: "app", persist: false })];
// @ts-expect-error paths are for Node.js, Deno and Bun
await open({ path: "app.connectory" });

const wasm = WebAssembly.compileStreaming(fetch("connectory.wasm"));
const worker = () => new Worker("worker.js", { type: "module" });
await openSlim({ memory: true, wasm });
await openSlim({ memory: true, wasm: fetch("connectory.wasm") });
await openSlim({ name: "app", wasm, worker });
// @ts-expect-error the module comes from the caller
await openSlim({ name: "app", worker });
