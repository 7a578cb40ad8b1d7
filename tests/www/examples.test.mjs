// The programs of the site's page "Code" run and assert what they say, and the page shows what is in them.
// Expects the npm package and the site to be built.
import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { transform } from "esbuild";

const root = new URL("../../", import.meta.url);
const file = (path) => fileURLToPath(new URL(path, root));
const run = promisify(execFile);

/** Where the programs run, and leave what they make. */
const directory = mkdtempSync(join(tmpdir(), "connectory-"));
after(() => rmSync(directory, { recursive: true }));
mkdirSync(join(directory, "node_modules/@onkernel"), { recursive: true });
symlinkSync(file("bindings/npm"), join(directory, "node_modules/connectory"));
symlinkSync(file("tests/node_modules/@onkernel/sdk"), join(directory, "node_modules/@onkernel/sdk"));

async function runTypeScript(name) {
  const { code } = await transform(readFileSync(file(`www/examples/${name}.ts`), "utf8"), { loader: "ts" });
  const program = join(directory, `${name}.mjs`);
  writeFileSync(program, code);
  await run(process.execPath, [program], { cwd: directory });
}

test("the steps in Rust", async () => {
  await run("cargo", ["run", "--quiet", "-p", "connectory-tests", "--example", "steps"], { cwd: file(".") });
});

test("the steps in TypeScript", () => runTypeScript("steps"));

test("the steps with the official SDK", () => runTypeScript("sdk"));

test("the steps with curl, against a server", async () => {
  execFileSync("jq", ["--version"]); // which they use
  await run("cargo", ["build", "--quiet", "-p", "connectory-cli"], { cwd: file(".") });
  const env = { CONNECTORY: file("target/debug/connectory"), ...process.env };
  await run(file("tests/with-server"), [file("www/examples/steps.sh")], { cwd: directory, env });
});

/** The text of a piece of the built page. */
function textOf(html) {
  const entities = { amp: "&", lt: "<", gt: ">", quot: '"', "#x27": "'" };
  return html.replace(/<[^>]*>/g, "").replace(/&(amp|lt|gt|quot|#x27);/g, (_, name) => entities[name]);
}

test("the page shows what is in the programs, line for line", () => {
  const page = readFileSync(file("www/dist/code/index.html"), "utf8");
  const files = { rust: "steps.rs", typescript: "steps.ts", sdk: "sdk.ts", curl: "steps.sh" };
  const panels = page.matchAll(/<div class="panel"[^>]* data-language="(\w+)">.*?<\/div>/gs);
  let shown = 0;
  for (const [panel, language] of panels) {
    const [, code] = /<code>(.*?)<\/code><\/pre>/s.exec(panel) ?? [];
    if (code === undefined) continue; // it says why there is none
    const program = readFileSync(file(`www/examples/${files[language]}`), "utf8");
    const lines = textOf(code).split("\n");
    // What stands in a function is shown without its indentation.
    const isThere = ["", "    "].some((indent) =>
      program.includes(lines.map((line) => line && indent + line).join("\n")),
    );
    assert.ok(isThere, `${files[language]} has no\n${lines.join("\n")}`);
    shown += 1;
  }
  assert.equal(shown, 12 * 4 - 3);
});
