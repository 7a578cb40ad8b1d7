// Prints what a browser loads: the .wasm as it is and compressed, and the JavaScript beside it.
import { readFileSync } from "node:fs";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

for (const name of ["connectory_wasm_bg.wasm", "connectory_wasm.js"]) {
  const bytes = readFileSync(new URL(`../../target/javascript/${name}`, import.meta.url));
  const brotli = brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length } });
  const sizes = { raw: bytes, gzip: gzipSync(bytes, { level: 9 }), brotli };
  const shown = Object.entries(sizes).map(([kind, { length }]) => `${kind} ${(length / 1024).toFixed(1)} KiB`);
  console.log(`${name}: ${shown.join(", ")}`);
}
