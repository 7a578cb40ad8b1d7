// The official JavaScript client, bundled for browsers, on `createFetch` in Chromium.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { build } from "esbuild";
import { launch, openTab, serve } from "./chromium.mjs";

let server;
let browser;
before(async () => {
  const bundled = await build({
    stdin: { contents: 'export { default as Kernel } from "@onkernel/sdk";', resolveDir: import.meta.dirname },
    bundle: true, format: "esm", platform: "browser", write: false,
  });
  server = await serve({ "/sdk.js": ["text/javascript", bundled.outputFiles[0].text] });
  browser = await launch();
});
after(async () => {
  await browser.close();
  server.close();
});

for (const place of [{ memory: true }, { name: "sdk" }]) {
  test(`the official client runs on a store in a page, ${JSON.stringify(place)}`, async () => {
    const context = await browser.newContext();
    const complaints = [];
    const tab = await openTab(context, server.url, complaints);
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
