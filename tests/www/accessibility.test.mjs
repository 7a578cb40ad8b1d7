// Every page for everybody: axe-core finds nothing, light or dark; all of it is reached by keyboard, and fits a phone.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, relative } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { onSite, openPage } from "./site.mjs";

const here = onSite();
const axe = readFileSync(fileURLToPath(import.meta.resolve("axe-core/axe.min.js")), "utf8");
const dist = fileURLToPath(new URL("../../www/dist/", import.meta.url));

/** The paths of all pages. */
const paths = readdirSync(dist, { recursive: true, withFileTypes: true })
  .filter(({ name }) => name === "index.html")
  .map(({ parentPath }) => relative(dist, parentPath))
  .map((folder) => (folder === "" ? "" : `${folder}/`));

/** What axe-core has to say of the page as it is, in these colours. */
async function found(page, theme) {
  await page.evaluate((theme) => (document.documentElement.dataset.theme = theme), theme);
  await page.evaluate(axe);
  // Colours that are still changing would be measured on their way.
  await page.evaluate(() => Promise.all(document.getAnimations().map(({ finished }) => finished)));
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  return violations.map(
    ({ id, nodes }) =>
      `${theme}: ${id}: ${nodes
        .slice(0, 3)
        .map(({ html }) => html.slice(0, 160))
        .join(" | ")}`,
  );
}

async function assertSound(page, what) {
  const all = [...(await found(page, "light")), ...(await found(page, "dark"))];
  assert.deepEqual(all, [], what);
}

test("every page is sound as it is loaded", async () => {
  assert.ok(paths.length >= 4, `${paths}`);
  for (const path of paths) {
    const { page } = await openPage(here, path);
    await assertSound(page, path);
    await page.context().close();
  }
});

test("the playground is sound with connections, refusals, a dialog, a delete that waits and trouble", async () => {
  const { page } = await openPage(here, "");
  await page.locator("#storage dd").first().waitFor();
  await page.getByRole("button", { name: "Create", exact: true }).click();
  await page.getByRole("link", { name: "Show it in the table" }).click();
  await page.locator("tr.marked").waitFor();
  await page.getByRole("button", { name: /^Delete netflix/ }).click();
  await page.getByText("More fields").click();
  await page.getByLabel("health_check_interval").fill("1");
  await page.getByRole("button", { name: "Create", exact: true }).click();
  await page.locator("#create .refusal").first().waitFor();
  await page.getByRole("button", { name: "Import 10,000 made-up rows" }).click();
  await page.getByText("10,000 created").or(page.getByText("9,999 created")).waitFor();
  await assertSound(page, "with connections and refusals");
  await page.getByRole("button", { name: "Show all" }).click();
  await page
    .getByRole("button", { name: /^Edit / })
    .first()
    .click();
  await page.getByRole("dialog").waitFor();
  await assertSound(page, "with a dialog");
  await page.context().close();
});

test("a connection is created, found, edited and deleted by keyboard alone", async () => {
  const { page } = await openPage(here, "");
  await page.locator("#storage dd").first().waitFor();
  const focused = () =>
    page.evaluate(
      () => document.activeElement?.getAttribute("aria-label") ?? document.activeElement?.textContent ?? "",
    );
  /** Presses Tab until what has the focus is called so. */
  const tabTo = async (name) => {
    for (let presses = 0; presses < 80; presses += 1) {
      await page.keyboard.press("Tab");
      if (name.test(await focused())) return;
    }
    assert.fail(`${name} is not reached by Tab`);
  };
  await tabTo(/^Skip to content$/);
  await page.keyboard.press("Enter");
  await tabTo(/^Create$/);
  await page.keyboard.press("Enter");
  await page.getByText("201 Created").waitFor();
  await tabTo(/^Show it in the table$/);
  await page.keyboard.press("Enter");
  await page.locator("tr.marked:focus").waitFor();
  await tabTo(/^Edit netflix/);
  await page.keyboard.press("Enter");
  await page.getByRole("dialog").waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  await tabTo(/^Delete netflix/);
  await page.keyboard.press("Enter");
  await page.getByRole("button", { name: /^Undo the delete/ }).waitFor();
  await page.context().close();
});

test("every page fits a phone of 360 pixels", async () => {
  for (const path of paths) {
    const { page } = await openPage(here, path, { viewport: { width: 360, height: 740 } });
    if (path === "") await page.locator("#storage dd").first().waitFor();
    const width = await page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(width <= 360, `${path || "the playground"} is ${width} pixels wide`);
    await page.context().close();
  }
});
