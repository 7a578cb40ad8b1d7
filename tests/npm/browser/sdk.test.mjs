// The official JavaScript client, bundled for browsers, on `createFetch` in Chromium.
import assert from "node:assert/strict";
import { test } from "node:test";
import { build } from "esbuild";
import { inBrowser, openTab } from "./tab.mjs";

const here = inBrowser({
  async texts() {
    const bundled = await build({
      stdin: { contents: 'export { default as Kernel } from "@onkernel/sdk";', resolveDir: import.meta.dirname },
      bundle: true, format: "esm", platform: "browser", write: false,
    });
    return { "/sdk.js": ["text/javascript", bundled.outputFiles[0].text] };
  },
});

for (const place of [{ memory: true }, { name: "sdk" }]) {
  test(`the official client runs on a store in a page, ${JSON.stringify(place)}`, async () => {
    const context = await here.browser.newContext();
    const complaints = [];
    const tab = await openTab(context, here.server.url, complaints);
    const faults = await tab.evaluate(async (place) => {
      const { Kernel } = await import("/sdk.js");
      const { use } = await import("/tests/sdk.mjs");
      const store = await open(place);
      const faults = await use(Kernel, createFetch(store));
      await store.close();
      return faults;
    }, place);
    assert.deepEqual([...faults, ...complaints], []);
    await context.close();
  });
}
