// A worker of workerd, which answers a request with what came of using a store in memory.
import * as connectory from "connectory";
import { createFetch } from "connectory/fetch";
import { use } from "./use.js";

export default {
  async fetch() {
    return Response.json(await use({ ...connectory, createFetch }, { memory: true }));
  },
};
