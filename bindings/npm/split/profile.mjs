// Which functions of a module ordinary work runs: it is done, in Node.js, by one that tells.
import { readFileSync, rmSync } from "node:fs";
import { resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";

/** The names of the functions that run; drafts are made in `folder`. */
export async function namesOfUsed(forms, assemble, folder) {
  const module = resolve(folder, "profiled.wasm");
  const program = resolve(folder, "profiled.mjs");
  const functions = forms.filter(({ kind }) => kind === "func");
  const of = (...kinds) => forms.filter(({ kind }) => kinds.includes(kind)).map(({ text }) => text);
  try {
    assemble([
      ...of("type", "import"),
      ' (import "profile" "runs" (func $runs (param i32)))',
      ...of("global", "memory", "data", "table", "elem", "export"),
      ...functions.map((form, n) => form.beginningWith(`(call $runs (i32.const ${n}))`)),
    ], module);
    const entryPoints = [fileURLToPath(new URL("workload.ts", import.meta.url))];
    await build({ entryPoints, bundle: true, format: "esm", platform: "neutral", outfile: program });
    const { work } = await import(pathToFileURL(program));
    const used = new Set();
    const profile = { runs: (n) => used.add(functions[n].name) };
    await work({
      module: await WebAssembly.compile(readFileSync(module)),
      instance: (module, imports) => new WebAssembly.Instance(module, { ...imports, profile }),
    });
    return used;
  } finally {
    for (const draft of [module, program]) rmSync(draft, { force: true });
  }
}
