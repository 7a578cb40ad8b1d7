// A program of Node.js, Deno or Bun with a store in memory.
import * as connectory from "connectory";
import { createFetch } from "connectory/fetch";
import { use } from "./use.js";

console.log(JSON.stringify(await use({ ...connectory, createFetch }, { memory: true })));
