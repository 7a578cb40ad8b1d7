// The documents, search and the page "Code", as they are built, in Chromium. Expects the site to be built.
import assert from "node:assert/strict";
import { test } from "node:test";
import { onSite, openPage } from "./site.mjs";

const site = onSite();

/** Runs `check` on a page of a fresh browser, which must neither report an error nor ask another origin. */
async function on(path, check, options) {
  const context = await site.browser.newContext({ viewport: { width: 1200, height: 900 }, ...options });
  try {
    const { page, complaints } = await openPage(site, path, { context });
    await check(page, context);
    assert.deepEqual(complaints, []);
  } finally {
    await context.close();
  }
}

/** Whether a heading with this ID is where a reader looks. */
const isInView = (page, id) =>
  page.waitForFunction((id) => {
    const { top } = document.getElementById(id)?.getBoundingClientRect() ?? { top: -1 };
    return top >= 0 && top < innerHeight;
  }, id);

const dialog = (page) => page.getByRole("dialog", { name: "Search the documents" });

test("every link within the site leads somewhere", () =>
  on("", async (page) => {
    const found = new Map();
    const links = [];
    const waiting = [site.url];
    for (const address of waiting) {
      const response = await page.goto(address);
      assert.equal(response.status(), 200, address);
      const { ids, hrefs } = await page.evaluate(() => ({
        ids: [...document.querySelectorAll("[id]")].map(({ id }) => id),
        hrefs: [...document.querySelectorAll("a[href]")].map(({ href }) => href),
      }));
      found.set(address, new Set(ids));
      for (const href of hrefs.filter((href) => href.startsWith(site.url))) {
        const [to, anchor] = href.split("#");
        links.push({ from: address, to, anchor });
        if (!waiting.includes(to)) waiting.push(to);
      }
    }
    const wrong = links.filter(({ to, anchor }) => anchor && !found.get(to).has(decodeURIComponent(anchor)));
    assert.deepEqual(wrong, []);
    assert.ok(found.size >= 15, `${found.size} pages`);
    assert.ok(links.length > 500, `${links.length} links`);
  }));

test("a section is found and opened by keyboard alone", () =>
  on("documents/", async (page) => {
    await page.keyboard.press("/");
    const field = page.getByRole("combobox", { name: "Search the documents" });
    await field.waitFor();
    assert.equal(await page.evaluate(() => document.activeElement.role), "combobox");
    await page.keyboard.type("lone surrogates");
    const chosen = page.locator("[role=option][aria-selected=true]");
    await chosen.getByText("Create", { exact: true }).waitFor();
    assert.deepEqual(await chosen.locator("mark").allTextContents(), ["lone", "surrogates"]);
    assert.match(await page.getByRole("dialog").getByRole("status").textContent(), /^\d+ sections?/);

    await field.fill("shards");
    await page.locator("[role=option]").nth(2).waitFor();
    const active = () => field.getAttribute("aria-activedescendant");
    const first = await active();
    await page.keyboard.press("ArrowDown");
    assert.notEqual(await active(), first);
    await page.keyboard.press("ArrowUp");
    assert.equal(await active(), first);
    await page.keyboard.press("ArrowUp");
    assert.equal(await active(), await page.locator("[role=option]").last().getAttribute("id"), "round the end");

    await field.fill("lone surrogates");
    await chosen.getByText("Create", { exact: true }).waitFor();
    await page.keyboard.press("Enter");
    await page.waitForURL(`${site.url}documents/reference/#create`);
    await isInView(page, "create");
  }));

test("search opens by Ctrl+K and by a button, closes by Escape, and goes to a section of the same page", () =>
  on("documents/reference/", async (page) => {
    await page.getByRole("banner").getByRole("button", { name: "Search" }).click();
    await dialog(page).waitFor();
    await page.keyboard.press("Escape");
    await dialog(page).waitFor({ state: "hidden" });
    await page.keyboard.press("Control+k");
    await page.getByRole("combobox", { name: "Search the documents" }).fill("crockford");
    await page.locator("[role=option]").first().waitFor();
    await page.keyboard.press("Enter");
    await dialog(page).waitFor({ state: "hidden" });
    assert.equal(page.url(), `${site.url}documents/reference/#ids`);
    await isInView(page, "ids");
    await page.locator('.sections a[aria-current="location"]').getByText("IDs").waitFor();
  }));

test("whatever is typed is answered, and nothing found is said", () =>
  on("", async (page) => {
    await page.keyboard.press("/");
    for (const words of ["rate limit", "idempotncy", "^[A-Z", "how to set up ( a worker"]) {
      await page.getByRole("combobox", { name: "Search the documents" }).fill(words);
      await page.getByText(/^\d+ sections?/).waitFor();
      await page.getByRole("combobox", { name: "Search the documents" }).fill("");
      await page.locator("[role=option]").first().waitFor({ state: "detached" });
    }
    await page.getByRole("combobox", { name: "Search the documents" }).fill("xyzzyxyzzy");
    await page.getByText("Nothing was found.").waitFor();
    assert.equal(await page.getByRole("combobox", { name: "Search the documents" }).getAttribute("aria-expanded"), "false");
  }));

test("documents and search work offline", () =>
  on("", async (page, context) => {
    await page.getByText("This site works offline now.").waitFor();
    await context.setOffline(true);
    await page.goto(`${site.url}documents/scaling/`);
    await page.getByRole("heading", { level: 1, name: "Scaling over shards" }).waitFor();
    await page.keyboard.press("/");
    await page.getByRole("combobox", { name: "Search the documents" }).fill("lone surrogates");
    await page.locator("[role=option]").first().waitFor();
    await page.keyboard.press("Enter");
    await page.waitForURL(`${site.url}documents/reference/#create`);
    await page.goto(`${site.url}documents/readme/`);
    const plot = page.getByRole("img", { name: "Latency, memory and file sizes over five minutes" });
    await plot.scrollIntoViewIfNeeded();
    await page.waitForFunction(() => document.querySelector(".plot").naturalWidth > 0);
  }));

test("the copy buttons copy what is shown", () =>
  on(
    "code/",
    async (page) => {
      const buttons = page.locator(".copy:visible");
      const codes = page.locator(".panel:visible code");
      assert.equal(await buttons.count(), 12);
      for (const at of [0, 7, 11]) {
        await buttons.nth(at).click();
        await buttons.nth(at).getByText("Copied").waitFor();
        assert.equal(await page.evaluate(() => navigator.clipboard.readText()), await codes.nth(at).textContent());
      }
    },
    { permissions: ["clipboard-read", "clipboard-write"] },
  ));

test("the arrow keys choose a language for all steps, which is kept", () =>
  on("code/", async (page) => {
    const tabs = page.getByRole("tablist", { name: "Follow changes" }).getByRole("tab");
    const chosen = page.locator('[role=tab][aria-selected="true"]');
    const shown = () =>
      page
        .locator(".panel:visible")
        .evaluateAll((panels) => [...new Set(panels.map(({ dataset }) => dataset.language))]);
    const atTop = () => tabs.first().evaluate((tab) => Math.round(tab.getBoundingClientRect().top));
    await tabs.nth(1).focus();
    const top = await atTop();
    await page.keyboard.press("ArrowRight");
    assert.deepEqual(await shown(), ["sdk"]);
    assert.deepEqual(await chosen.allTextContents(), Array(12).fill("SDK"));
    assert.equal(await page.evaluate(() => document.activeElement.textContent), "SDK");
    assert.ok(Math.abs((await atTop()) - top) <= 1, "the tab stays where it is");
    await page.getByText("There are no changes over HTTP, and so none in the SDK.").waitFor();
    await page.keyboard.press("End");
    assert.deepEqual(await shown(), ["curl"]);
    await page.keyboard.press("ArrowRight");
    assert.deepEqual(await shown(), ["rust"]);
    await page.reload();
    await chosen.first().waitFor();
    assert.deepEqual(await shown(), ["rust"]);
  }));

test("without scripts all languages are shown, and nothing that needs a script", () =>
  on(
    "code/",
    async (page) => {
      assert.equal(await page.locator(".panel:visible").count(), 48);
      assert.equal(await page.locator("[role=tab]:visible, .copy:visible, [data-search]:visible").count(), 0);
      assert.equal(await page.locator(".panel-name:visible").first().textContent(), "Rust");
    },
    { javaScriptEnabled: false },
  ));

test("on a phone the documents fold into a list, and no page is wider than the window", () =>
  on(
    "documents/reference/",
    async (page) => {
      const reference = page.getByRole("navigation", { name: "Documents" }).getByRole("link", { name: "Durability" });
      assert.equal(await reference.isVisible(), false);
      await page.locator("summary").click();
      await reference.click();
      await reference.waitFor({ state: "hidden" });
      await isInView(page, "durability");
      for (const path of ["documents/", "documents/readme/", "documents/http/", "documents/format/", "documents/scaling/", "code/"]) {
        await page.goto(site.url + path);
        assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), path);
      }
    },
    { viewport: { width: 360, height: 740 } },
  ));
