// How the site is built: pages rendered beforehand, scripts and styles by Vite, a worker that keeps it for use offline.
import { defineConfig } from "vite";
import { offline } from "./build/offline.ts";
import { site } from "./build/site.ts";

export default defineConfig({
  appType: "mpa",
  // Wherever it is put: every address is relative.
  base: "./",
  plugins: [site(), offline()],
  // These are used as they are published: their modules and workers stay beside them.
  optimizeDeps: {
    exclude: ["connectory", "@sqlite.org/sqlite-wasm"],
    entries: ["src/**/*.{ts,tsx}", "!src/offline/**"],
  },
  server: { port: 5173, fs: { allow: [".."] } },
  preview: { port: 4173 },
  build: {
    target: "es2022",
    modulePreload: { polyfill: false },
    // Nothing is put into a page as data: the policy forbids it.
    assetsInlineLimit: 0,
  },
  worker: { format: "es" },
});
