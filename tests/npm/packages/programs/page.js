// A page's program: a store in memory, then one in the browser's files.
import * as connectory from "connectory";
import { createFetch } from "connectory/fetch";
import { use } from "./use.js";

async function run() {
  const memory = await use({ ...connectory, createFetch }, { memory: true });
  return { memory, files: await use({ ...connectory, createFetch }, { name: "app" }) };
}
globalThis.report = run();
