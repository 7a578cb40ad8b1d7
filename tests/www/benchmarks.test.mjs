// The page "Benchmarks": it measures to its end, stops when told, leaves nothing behind, and shows every committed row.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { onSite, openPage } from "./site.mjs";

const here = onSite();
const SHORT = "benchmarks/?rounds=1&ms=20&rows=200";
/** Many short rounds: it is sure to be in the middle for long. */
const LONG = "benchmarks/?rounds=1000&ms=20&rows=200";

const read = (name) => JSON.parse(readFileSync(new URL(`../../benches/results/${name}.json`, import.meta.url), "utf8"));
const sum = (figures) => figures.reduce((sum, it) => sum + it, 0);
const saysOf = (page, words) => page.locator("#live [role=status]", { hasText: words }).waitFor({ state: "attached" });

/** The panels within a part of the page: who has a bar and who has none, and what the verdict is. */
function panelsOf(page, part) {
  return page.locator(part).evaluate((element) =>
    [...element.querySelectorAll(".panel")].map((panel) => ({
      name: panel.querySelector(".panel-name").textContent,
      bars: panel.querySelectorAll("svg rect.bar").length,
      contenders: panel.querySelectorAll(".bars li").length,
      verdict: panel.querySelector(".badge")?.textContent,
    })),
  );
}

/** Every file and database of the origin but the empty directory that stores lie in. */
function leftBehind(page) {
  return page.evaluate(async () => {
    const found = (await indexedDB.databases()).map(({ name }) => name);
    const walk = async (directory, path) => {
      for await (const [name, handle] of directory.entries()) {
        if (handle.kind === "directory") await walk(handle, `${path}${name}/`);
        if (handle.kind === "file" || name !== "connectory") found.push(path + name);
      }
    };
    await walk(await navigator.storage.getDirectory(), "/");
    return found;
  });
}

test("a short run shows a bar for each contender and row, and leaves nothing behind", async () => {
  const { page, complaints } = await openPage(here, SHORT);
  const before = await panelsOf(page, "#live");
  const height = await page.locator("#live").evaluate((element) => element.offsetHeight);
  await page.getByRole("button", { name: "Start" }).click();
  await saysOf(page, "Done.");
  const panels = await panelsOf(page, "#live");
  assert.deepEqual(
    panels.map(({ name }) => name),
    before.map(({ name }) => name),
  );
  assert.equal(await page.locator("#live").evaluate((element) => element.offsetHeight), height, "nothing has moved");
  for (const { name, bars, contenders, verdict } of panels) {
    assert.ok(contenders > 0 && bars === contenders, `${name}: ${bars} bars for ${contenders} contenders`);
    assert.equal(verdict !== undefined, !name.startsWith("flushes"), `${name}: ${verdict}`);
  }

  const downloading = page.waitForEvent("download");
  await page.getByRole("button", { name: "Download as JSON" }).click();
  const {
    about,
    sections: [{ rows }],
  } = JSON.parse(await readFile(await (await downloading).path(), "utf8"));
  assert.equal(about.plan.rounds, 1);
  assert.deepEqual(
    rows.map(({ rounds }) => Object.keys(rounds).length),
    panels.map(({ bars }) => bars),
  );
  assert.deepEqual(await leftBehind(page), []);
  assert.deepEqual(complaints, []);
});

test("stop ends a run in the middle, shows what there is and leaves nothing behind", async () => {
  const { page, complaints } = await openPage(here, LONG);
  await page.getByRole("button", { name: "Start" }).click();
  await page.locator("#live .bars rect.bar").first().waitFor({ state: "attached" });
  await page.getByRole("button", { name: "Stop" }).click();
  await saysOf(page, "Stopped.");
  const bars = sum((await panelsOf(page, "#live")).map(({ bars }) => bars));
  const all = sum((await panelsOf(page, "#live")).map(({ contenders }) => contenders));
  assert.ok(bars > 0 && bars < all, `${bars} of ${all}`);
  assert.deepEqual(await leftBehind(page), []);
  assert.ok(await page.getByRole("button", { name: "Start" }).isEnabled());
  assert.deepEqual(complaints, []);
});

test("a contender that cannot be loaded is left out, with the reason", async () => {
  const context = await here.browser.newContext({ serviceWorkers: "block" });
  await context.route(/sqlite3/, (route) => route.abort());
  const { page } = await openPage(here, SHORT, { context });
  await page.getByRole("button", { name: "Start" }).click();
  await saysOf(page, "Done.");
  assert.match(
    await page.locator("#live .left-out").innerText(),
    /^SQLite, WAL is left out: its files could not be loaded/,
  );
  const durable = (await panelsOf(page, "#live")).find(({ name }) => name === "create, durable");
  assert.equal(durable.bars, durable.contenders - 1);
  assert.deepEqual(await leftBehind(page), []);
});

test("what a tab leaves that is closed in the middle is removed by the next", async () => {
  const context = await here.browser.newContext();
  const { page } = await openPage(here, LONG, { context });
  await page.getByRole("button", { name: "Start" }).click();
  await page.locator("#live .bars rect.bar").first().waitFor({ state: "attached" });
  await page.close();
  const next = await openPage(here, "code/", { context });
  assert.notDeepEqual(await leftBehind(next.page), []);
  await next.page.goto(`${here.url}benchmarks/`);
  await next.page.getByRole("button", { name: "Start", disabled: false }).waitFor();
  // It has this lock while it waits for the files that the closed tab still holds, and removes them.
  await next.page.evaluate(() => navigator.locks.request("benchmarks", () => {}));
  assert.deepEqual(await leftBehind(next.page), []);
});

test("two tabs do not measure at once", async () => {
  const context = await here.browser.newContext();
  const one = await openPage(here, LONG, { context });
  const other = await openPage(here, SHORT, { context });
  await one.page.getByRole("button", { name: "Start" }).click();
  await one.page.locator("#live .bars rect.bar").first().waitFor({ state: "attached" });
  await other.page.getByRole("button", { name: "Start" }).click();
  await saysOf(other.page, "running in another tab");
});

test("the committed charts show every row, the lost ones as such, with no script at all", async () => {
  const { page, complaints } = await openPage(here, "benchmarks/", { javaScriptEnabled: false });
  const verdictOf = (ratio) => (ratio === undefined ? undefined : ratio > 1 ? "Lost" : "Ahead");
  const shown = async (part) => (await panelsOf(page, part)).map(({ bars, verdict }) => [bars, verdict]);

  const native = read("peers").rows.map((row) => [Object.keys(row.rounds).length, verdictOf(row.ratio_to_best)]);
  assert.deepEqual(await shown("section[aria-labelledby=native]"), native);

  const javascript = read("javascript")
    .sections.reverse()
    .flatMap(({ rows }) =>
      rows.map((row) => [
        Object.keys(row.rounds).length,
        row.unit === "flushes" ? undefined : verdictOf(row.best?.ratio),
      ]),
    );
  assert.deepEqual(await shown("section[aria-labelledby=in-javascript]"), javascript);

  const { curve, loops, throughput } = read("edge");
  const edge = await panelsOf(page, "section[aria-labelledby=at-the-edge]");
  const compared = edge.filter(({ verdict }) => verdict !== undefined);
  assert.ok(compared.length >= Object.keys(loops).length + Object.keys({ throughput }).length);
  assert.ok(edge.slice(-4).every(({ bars }) => bars === curve.length));

  const shards = await panelsOf(page, "section[aria-labelledby=over-shards]");
  assert.ok(shards.length > 0 && shards.every(({ bars }) => bars === read("shards").objects.length));

  const lost = [...native, ...javascript, ...compared.map(({ bars, verdict }) => [bars, verdict])].filter(
    ([, it]) => it === "Lost",
  );
  assert.ok(lost.length > 0);
  assert.equal(await page.locator("section[aria-labelledby=losses] li").count(), lost.length);
  assert.deepEqual(complaints, []);
});
