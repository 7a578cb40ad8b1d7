// The official JavaScript client, unmodified, on `createFetch`: no network, in Node.js and in Chromium.
import assert from "node:assert/strict";
import { test } from "node:test";
import Kernel from "@onkernel/sdk";
import { createFetch, open } from "./package.mjs";
import { use } from "./sdk.mjs";

test("the official client runs on a store in Node.js", async () => {
  const store = await open({ memory: true });
  assert.deepEqual(await use(Kernel, createFetch(store)), []);
  await store.close();
});
