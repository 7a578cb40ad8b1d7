// Which calls may be asked again where the answer was lost with the tab that owned the store.
import assert from "node:assert/strict";
import { test } from "node:test";
import { build } from "esbuild";
import { root } from "./package.mjs";

const entry = new URL("bindings/npm/src/link.ts", root).pathname;
const { outputFiles } = await build({ entryPoints: [entry], format: "esm", write: false });
const { isReading, isRepeatable } = await import(`data:text/javascript,${encodeURIComponent(outputFiles[0].text)}`);

test("reads, and creates under an idempotency key, are asked again; nothing else is", () => {
  const pair = { domain: "netflix.com", profile_name: "ada" };
  const key = { idempotency_key: "k" };
  for (const [method, args, reads, repeatable] of [
    ["get", ["ma_x"], true, true],
    ["list", [{}], true, true],
    ["create", [pair], false, false],
    ["create", [pair, undefined], false, false],
    ["create", [pair, { idempotency_key: undefined }], false, false],
    ["create", [pair, { ensure: true }], false, false],
    ["create", [pair, key], false, true],
    ["createMany", [[pair], key], false, true],
    ["createMany", [[pair]], false, false],
    ["update", ["ma_x", key], false, false],
    ["delete", ["ma_x"], false, false],
    ["load", ["", key], false, false],
    ["dump", [], true, true],
    ["dumpNext", [1], true, false],
    ["respond", ["GET", "/profiles", []], true, true],
    ["respond", ["POST", "/auth/connections", []], false, false],
    ["respond", ["POST", "/auth/connections", [["Idempotency-Key", "k"]]], false, true],
  ]) {
    const what = `${method} ${JSON.stringify(args)}`;
    assert.equal(isReading(method, args), reads, what);
    assert.equal(isRepeatable(method, args), repeatable, what);
  }
});
