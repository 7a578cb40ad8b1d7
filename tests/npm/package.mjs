// The package as it is built, and what the tests of it share in Node.js.
import { readFileSync, readdirSync } from "node:fs";

export const root = new URL("../../", import.meta.url);
export const dist = new URL("bindings/npm/dist/", root);
export const { open, FailedError, RefusedError, ConnectoryError } = await import(new URL("node.js", dist));
export const { createFetch } = await import(new URL("fetch.js", dist));

/** The command line, built natively. */
export const command = process.env.CONNECTORY ?? new URL("target/debug/connectory", root).pathname;

/** Every file of cases, by name. */
export function caseFiles() {
  const folder = new URL("tests/cases/", root);
  const names = readdirSync(folder).filter((name) => name.endsWith(".json")).sort();
  return Object.fromEntries(
    names.map((name) => [name.replace(".json", ""), JSON.parse(readFileSync(new URL(name, folder), "utf8"))]),
  );
}

/** What the native engine answered, and ended with. */
export const native = JSON.parse(
  readFileSync(process.env.CONNECTORY_NATIVE ?? new URL("target/javascript/native.json", root), "utf8"),
);
