// The service worker that keeps the site for use offline: built after everything else, because it lists everything else.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join, relative, resolve, sep } from "node:path";
import { build, type Plugin, type ResolvedConfig } from "vite";

/** Large, and of use to few: what is measured against, and the engine as a whole, for stores in memory. */
const KEPT_WHEN_ASKED_FOR = /sqlite3|\/connectory-[^/]*\.wasm$/;

export function offline(): Plugin {
  let config: ResolvedConfig;
  return {
    name: "offline",
    apply: "build",
    configResolved: (resolved) => void (config = resolved),
    async closeBundle() {
      const out = resolve(config.root, config.build.outDir);
      await build({
        configFile: false,
        root: config.root,
        logLevel: "warn",
        define: { PRECACHED: JSON.stringify(entries(out)), KEPT_WHEN_ASKED_FOR: String(KEPT_WHEN_ASKED_FOR), "process.env.NODE_ENV": '"production"' },
        build: {
          outDir: out,
          emptyOutDir: false,
          copyPublicDir: false,
          rollupOptions: {
            input: resolve(config.root, "src/offline/worker.ts"),
            output: { format: "iife", entryFileNames: "offline.js" },
          },
        },
      });
    },
  };
}

/** What is kept beforehand, with what tells one version from the next. */
function entries(out: string): { url: string; revision: string | null }[] {
  const files = readdirSync(out, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !KEPT_WHEN_ASKED_FOR.test(`/${entry.name}`))
    .map((entry) => join(entry.parentPath, entry.name));
  return files.map((file) => {
    const url = relative(out, file).split(sep).join("/");
    // The names of assets have a hash in them.
    const revision = url.startsWith("assets/")
      ? null
      : createHash("sha256").update(readFileSync(file)).digest("hex").slice(0, 16);
    return { url, revision };
  });
}
