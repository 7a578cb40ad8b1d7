// The commands of www/package.json: the development server and the preview both serve a page that works.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { launch } from "../npm/chromium.mjs";

const www = fileURLToPath(new URL("../../www/", import.meta.url));
let browser;
before(async () => (browser = await launch()));
after(() => browser?.close());

/** Runs a script of the package, on any port, until `use` is done with its address. */
async function running(script, use) {
  const server = spawn("npm", ["run", script, "--", "--port", "0"], {
    cwd: www,
    detached: true,
    env: { ...process.env, NO_COLOR: "1" },
  });
  let said = "";
  try {
    const url = await new Promise((resolve, reject) => {
      const hear = (text) => {
        said += text;
        const [found] = /http:\/\/localhost:\d+\//.exec(said) ?? [];
        if (found) resolve(found);
      };
      server.stdout.on("data", hear);
      server.stderr.on("data", hear);
      server.on("exit", () => reject(new Error(said)));
    });
    await use(url);
  } finally {
    const ended = once(server, "exit");
    process.kill(-server.pid);
    await ended;
  }
}

for (const script of ["dev", "preview"]) {
  test(`npm run ${script} serves a playground that creates a connection`, { timeout: 120_000 }, async () => {
    await running(script, async (url) => {
      const page = await browser.newPage();
      const complaints = [];
      page.on("pageerror", (error) => complaints.push(String(error)));
      await page.goto(url);
      await page.locator("#storage dd").first().waitFor();
      await page.getByRole("button", { name: "Create", exact: true }).click();
      await page.getByText("201 Created").waitFor();
      for (const path of ["code/", "benchmarks/", "documents/"]) {
        const response = await page.goto(url + path);
        assert.equal(response.status(), 200, path);
      }
      assert.deepEqual(complaints, []);
      await page.close();
    });
  });
}
