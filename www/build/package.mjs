// Builds the npm package that the site stands on, where it is not there yet.
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const folder = new URL("../../bindings/npm/", import.meta.url);
if (!existsSync(new URL("dist/browser.js", folder))) {
  console.log("building bindings/npm, which takes some minutes the first time");
  execFileSync(fileURLToPath(new URL("build", folder)), { stdio: "inherit" });
}
