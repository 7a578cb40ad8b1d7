// The playground as a person uses it: on the site as it was built, in Chromium, by what can be seen and pressed.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { onSite, openPage } from "./site.mjs";

const here = onSite();
const connectory = fileURLToPath(new URL("../../target/debug/connectory", import.meta.url));

/** A browser's profile of its own, and the playground in it with the store open. */
async function person(options = {}) {
  const context = await here.browser.newContext(options);
  return { context, ...(await visit(context)) };
}

/** The playground in a tab of its own; `clock` is for those who do not want to wait. */
async function visit(context, { clock = false } = {}) {
  const opened = await openPage(here, "", { context, before: (page) => (clock ? page.clock.install() : undefined) });
  await opened.page.locator("#storage dd").first().waitFor();
  return opened;
}

const form = (page) => page.getByRole("form", { name: "Create a connection" }).or(page.locator("#create"));
const answer = (page) => page.getByRole("region", { name: "The answer" });
const rows = (page) => page.locator(".connections tbody tr");
const rowOf = (page, pair) => rows(page).filter({ has: page.getByRole("button", { name: `${pair}`, exact: false }) });

async function create(page, { domain, profile_name }) {
  await form(page).getByLabel("domain", { exact: true }).fill(domain);
  await form(page).getByLabel("profile_name", { exact: true }).fill(profile_name);
  await form(page).getByRole("button", { name: "Create" }).click();
}

/** How many connections the page says there are, once it says so. */
const inAll = (page, count) => page.locator(".connections").getByText(`${count} in all`, { exact: true }).waitFor();

test("a pair is created once; who comes second is led to the holder, wherever it is", async () => {
  const { context, page, complaints } = await person();
  await form(page).getByRole("button", { name: "Create" }).click();
  await answer(page).getByText("201 Created").waitFor();
  const created = JSON.parse((await answer(page).locator("pre").textContent()).replace(/^[^{]*/, ""));
  assert.deepEqual([created.domain, created.profile_name, created.status], ["netflix.com", "user-123", "NEEDS_AUTH"]);
  await page.getByLabel("The table of connections").getByText("netflix.com").waitFor();

  // It is not on the page that is shown.
  await page.getByLabel("domain, exactly").fill("elsewhere.com");
  await page.getByText("Nothing matches.").waitFor();
  await create(page, { domain: "Netflix.com.", profile_name: "user-123" });
  await answer(page).getByText("409 Conflict").waitFor();
  assert.match(await answer(page).locator("pre").textContent(), new RegExp(`"existing_id": "${created.id}"`));
  await answer(page).getByRole("link", { name: "Go to the holder" }).click();
  const holder = page.locator(`tr#${created.id}`);
  await holder.waitFor();
  assert.equal(await holder.evaluate((row) => row === document.activeElement), true);
  assert.equal(await rows(page).count(), 1);

  await form(page).getByText("ensure: if it is there").click();
  assert.match(
    await page.getByRole("region", { name: "The request" }).textContent(),
    /prefer: resolution=ignore-duplicates/,
  );
  await form(page).getByRole("button", { name: "Create" }).click();
  await answer(page).getByText("200 OK").waitFor();
  assert.match(await answer(page).locator("pre").textContent(), /preference-applied: resolution=ignore-duplicates/);
  assert.deepEqual(complaints, []);
  await context.close();
});

test("what is sent is what stood there when it was pressed", async () => {
  const { context, page, complaints } = await person();
  await page.evaluate(() => {
    document.querySelector("#create button[type=submit]").click();
    const domain = document.querySelector("#create input[name=domain]");
    domain.value = "too-late.com";
    domain.dispatchEvent(new InputEvent("input", { bubbles: true }));
  });
  await answer(page).getByText("201 Created").waitFor();
  assert.match(await answer(page).locator("pre").textContent(), /"domain": "netflix\.com"/);
  assert.deepEqual(complaints, []);
  await context.close();
});

test("every field is sent, what is refused is said beside it as the engine words it", async () => {
  const { context, page, complaints } = await person();
  await form(page).getByText("More fields").click();
  await form(page).getByLabel("domain", { exact: true }).fill("https://netflix.com/login");
  await form(page).getByLabel("profile_name", { exact: true }).fill("a b");
  await form(page).getByLabel("login_url").fill("ftp://netflix.com");
  await form(page).getByLabel("proxy").selectOption("name:unheard-of");
  await form(page).getByLabel("credential", { exact: true }).selectOption("path");
  await form(page).getByLabel("allowed_domains").fill("*.com");
  await form(page).getByLabel("health_check_interval").fill("12");
  await form(page).getByRole("button", { name: "Create" }).click();
  await answer(page).getByText("400 Bad Request").waitFor();
  const { details } = JSON.parse((await answer(page).locator("pre").textContent()).replace(/^[^{]*/, ""));
  const beside = await form(page).locator(".refusal").allTextContents();
  assert.equal(beside.length, details.length);
  for (const { message } of details) {
    assert.ok(
      beside.some((said) => message === said || message.endsWith(`: ${said}`)),
      `${message} is not among ${beside}`,
    );
  }
  const domain = form(page).getByLabel("domain", { exact: true });
  assert.equal(await domain.getAttribute("aria-invalid"), "true");
  assert.equal(await domain.evaluate((field) => field === document.activeElement), true);
  assert.match(beside.join("\n"), /has a scheme; send the bare host name "netflix.com"/);

  await form(page).getByRole("button", { name: "Reset" }).click();
  assert.deepEqual(await form(page).locator(".refusal").allTextContents(), []);
  await form(page).getByLabel("login_url").fill("https://netflix.com/login");
  await form(page).getByLabel("credential", { exact: true }).selectOption("auto");
  await form(page).getByLabel("credential.provider").fill("my-vault");
  await form(page).getByLabel("allowed_domains").fill("*.netflix.com\naccounts.google.com");
  await form(page).getByLabel("health_check_interval").fill("7200");
  for (const name of ["health_checks", "auto_reauth", "save_credentials", "record_session"]) {
    await form(page).getByText(name, { exact: true }).click();
  }
  await form(page).getByLabel("Idempotency-Key").fill("once");
  await form(page).getByRole("button", { name: "Create" }).click();
  await answer(page).getByText("201 Created").waitFor();
  const created = JSON.parse((await answer(page).locator("pre").textContent()).replace(/^[^{]*/, ""));
  const sent = {
    login_url: "https://netflix.com/login",
    credential: { provider: "my-vault", auto: true },
    allowed_domains: ["*.netflix.com", "accounts.google.com"],
    health_check_interval: 7200,
    health_checks: false,
    auto_reauth: false,
    save_credentials: false,
    record_session: true,
  };
  for (const [name, value] of Object.entries(sent)) assert.deepEqual(created[name], value, name);
  await form(page).getByRole("button", { name: "Create" }).click();
  await answer(page).locator("pre", { hasText: "idempotency-replayed: true" }).waitFor();
  assert.deepEqual(complaints, []);
  await context.close();
});

test("an edit sends what was changed, and takes away what was emptied", async () => {
  const { context, page, complaints } = await person();
  await create(page, { domain: "github.com", profile_name: "ada" });
  await page.getByRole("button", { name: "Edit github.com of ada" }).click();
  const dialog = page.getByRole("dialog", { name: "github.com of ada" });
  const request = dialog.getByLabel("The request as text");
  assert.match(await request.textContent(), /PATCH \/auth\/connections\/ma_\w{26}\s+\{\}/);
  await dialog.getByLabel("login_url").fill("no address");
  await dialog.getByRole("button", { name: "Save" }).click();
  await dialog.locator(".refusal", { hasText: /./ }).waitFor();
  await dialog.getByLabel("login_url").fill("https://github.com/login");
  await dialog.getByText("record_session", { exact: true }).click();
  await dialog.getByRole("button", { name: "Save" }).click();
  await dialog.waitFor({ state: "detached" });

  await page.locator(".latest").getByText("updated github.com of ada").waitFor();
  await page.getByRole("button", { name: "Edit github.com of ada" }).click();
  assert.equal(await dialog.getByLabel("login_url").inputValue(), "https://github.com/login");
  assert.equal(await dialog.getByLabel("record_session").isChecked(), true);
  await dialog.getByLabel("login_url").fill("");
  const sent = JSON.parse((await request.textContent()).replace(/^[^{]*/, ""));
  assert.deepEqual(sent, { login_url: "" });
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "detached" });
  assert.deepEqual(complaints, []);
  await context.close();
});

test("a delete waits six seconds, can be called back, and is sent after them", async () => {
  const context = await here.browser.newContext();
  const { page, complaints } = await visit(context, { clock: true });
  await create(page, { domain: "one.com", profile_name: "ada" });
  await create(page, { domain: "two.com", profile_name: "ada" });
  await inAll(page, 2);
  await page.getByRole("button", { name: "Delete one.com of ada" }).click();
  await page.getByRole("button", { name: "Delete two.com of ada" }).click();
  await page.getByRole("button", { name: "Undo the delete of one.com of ada" }).click();
  await page.getByRole("button", { name: "Delete one.com of ada" }).waitFor();
  await page.getByText("2 in all").waitFor();
  await page.clock.fastForward(7000);
  await inAll(page, 1);
  assert.equal(await page.getByRole("button", { name: "Delete one.com of ada" }).count(), 1);
  assert.deepEqual(complaints, []);
  await context.close();
});

test("a delete that waits is sent when its tab closes, whether another one is there or not", async () => {
  const { context, page } = await person();
  const other = await visit(context);
  await create(page, { domain: "one.com", profile_name: "ada" });
  await create(page, { domain: "two.com", profile_name: "ada" });
  await inAll(other.page, 2);
  await page.getByRole("button", { name: "Delete one.com of ada" }).click();
  await page.close({ runBeforeUnload: true });
  await inAll(other.page, 1);
  await other.page.getByRole("button", { name: "Delete two.com of ada" }).click();
  await other.page.close({ runBeforeUnload: true });
  const { page: later, complaints } = await visit(context);
  await inAll(later, 0);
  assert.deepEqual(complaints, []);
  await context.close();
});

test("10 000 rows are imported by a drop, reported row by row, and found again after a reload", async () => {
  const { context, page, complaints } = await person({ acceptDownloads: true });
  // Rows 3 and 5 are refused, row 4 is blank, row 6 is the first one again.
  const lines = Array.from({ length: 10_000 }, (_, n) =>
    JSON.stringify({ domain: `d${n % 500}.example.com`, profile_name: `p${n >> 3}` }),
  );
  lines[2] = '{"domain": "a b", "profile_name": "x"}';
  lines[3] = "";
  lines[4] = "no JSON";
  lines[5] = lines[0];
  const dataTransfer = await page.evaluateHandle((text) => {
    const dropped = new DataTransfer();
    dropped.items.add(new File([text], "rows.jsonl"));
    return dropped;
  }, lines.join("\n"));
  await page.dispatchEvent(".drop", "drop", { dataTransfer });
  await page.getByRole("progressbar", { name: /^Importing/ }).waitFor();
  await page.getByText("9,996 created, 1 conflicts, 2 refused.").waitFor();
  await page.getByText("line 3: domain:").waitFor();

  const [download] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("button", { name: "Download the report" }).click(),
  ]);
  const report = readFileSync(await download.path(), "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  assert.deepEqual(
    report.map(({ line }) => line),
    lines.flatMap((text, n) => (text === "" ? [] : [n + 1])),
  );
  const [created, , refused, unreadable, conflict] = report;
  assert.deepEqual(
    [created.outcome, refused.outcome, unreadable.outcome, conflict.outcome],
    ["created", "refused", "refused", "conflict"],
  );
  assert.equal(conflict.existing_id, created.id);
  assert.equal(refused.details[0].code, "invalid_domain");

  await page.reload();
  await inAll(page, "9,996");
  const ids = report.flatMap(({ outcome, id }) => (outcome === "created" ? [id] : []));
  for (const id of [ids[0], ids[5000], ids.at(-1)]) {
    await page.getByLabel("ID, or start of domain or profile").fill(id);
    await page.locator(`tr#${id}`).waitFor();
  }
  // Filters, order and pages.
  await page.getByLabel("ID, or start of domain or profile").fill("");
  await page.getByLabel("profile, exactly").fill("p7");
  await page.getByText("8 match").waitFor();
  await page.getByLabel("profile, exactly").fill("");
  await page.getByRole("button", { name: "Domain", exact: true }).click();
  await page.locator(".connections tbody tr").first().getByText("d0.example.com").waitFor();
  const firstPage = await page.locator("tbody tr td:first-child").allTextContents();
  assert.deepEqual(firstPage, Array(20).fill("d0.example.com"));
  await page.getByLabel("order").selectOption("oldest");
  await page.locator(`tr#${ids[0]}`).waitFor();
  await page.getByRole("button", { name: "Next" }).click();
  await page.locator(`tr#${ids[25]}`).waitFor();
  await page.getByRole("button", { name: "Previous" }).click();
  await page.locator(`tr#${ids[0]}`).waitFor();
  assert.deepEqual(complaints, []);
  await context.close();
});

test("tabs are live, and when the owner closes another one takes over", async () => {
  const { context, page: first } = await person();
  const { page: second, complaints } = await visit(context);
  await first.getByText("this tab", { exact: true }).waitFor();
  await second.getByText("another tab, which answers for this one").waitFor();
  await create(second, { domain: "netflix.com", profile_name: "ada" });
  await first.getByRole("button", { name: "Edit netflix.com of ada" }).waitFor();
  await create(first, { domain: "netflix.com", profile_name: "ada" });
  await answer(first).getByText("409 Conflict").waitFor();
  await first.getByLabel("id", { exact: true }).fill("proxy-1");
  await first.getByRole("button", { name: "Register" }).click();
  await second.getByRole("button", { name: "Show the connections of ada" }).waitFor();
  await first.close();
  await second.getByText("this tab", { exact: true }).waitFor();
  await create(second, { domain: "github.com", profile_name: "ada" });
  await answer(second).getByText("201 Created").waitFor();
  await inAll(second, 2);
  assert.deepEqual(complaints, []);
  await context.close();
});

test("profiles are counted, and kept while they are used; proxies are registered, chosen and removed", async () => {
  const { context, page, complaints } = await person();
  await page.getByLabel("id", { exact: true }).fill("proxy-1");
  await page.getByLabel("name (optional)").fill("home");
  await page.getByRole("button", { name: "Register" }).click();
  await page.getByRole("button", { name: "Remove the proxy proxy-1" }).waitFor();
  await form(page).getByText("More fields").click();
  await form(page).getByLabel("proxy").selectOption("name:home");
  await create(page, { domain: "netflix.com", profile_name: "ada" });
  await answer(page).getByText("201 Created").waitFor();
  await page.getByRole("button", { name: "Remove the proxy proxy-1" }).click();
  await page
    .getByText(/proxy.*in use|used by/i)
    .first()
    .waitFor();
  await page.getByRole("button", { name: "Delete the profile ada" }).click();
  await page
    .locator("section", { has: page.getByRole("heading", { name: "Profiles" }) })
    .locator(".refusal", { hasText: /./ })
    .waitFor();
  assert.equal(await page.getByRole("button", { name: "Delete the profile ada" }).count(), 1);
  await page.getByRole("button", { name: "Show the connections of ada" }).click();
  assert.equal(await page.getByLabel("profile, exactly").inputValue(), "ada");
  assert.deepEqual(complaints, []);
  await context.close();
});

test("the store is downloaded and opens natively; a dump goes out and in again", async () => {
  const { context, page, complaints } = await person({ acceptDownloads: true });
  await page.getByRole("button", { name: "Import 10,000 made-up rows" }).click();
  await page.getByText("10,000 created, 0 conflicts, 0 refused.").waitFor();
  const downloaded = async (button) => {
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("button", { name: button, exact: true }).click(),
    ]);
    return { name: download.suggestedFilename(), path: await download.path(), save: (path) => download.saveAs(path) };
  };
  const folder = mkdtempSync(join(tmpdir(), "connectory-"));
  try {
    const store = await downloaded("Download the store");
    assert.equal(store.name, "playground.connectory");
    await store.save(join(folder, store.name));
    const native = (...args) =>
      execFileSync(connectory, ["--store", folder, "--project", "playground", "-o", "json", ...args], {
        encoding: "utf8",
        maxBuffer: 1 << 26,
      });
    assert.equal(JSON.parse(native("stats")).connections, 10_000);
    assert.equal(
      JSON.parse(native("find", "--profile-name", "user-00000", "--domain", "netflix.com")).domain,
      "netflix.com",
    );
    const dump = await downloaded("Dump");
    assert.equal(readFileSync(dump.path, "utf8"), native("dump"));

    // A dump goes into an empty store, and the page asks before it empties one.
    await page.getByLabel("Drop a file here").setInputFiles(dump.path);
    const dialog = page.getByRole("dialog", { name: "A dump goes into an empty store" });
    await dialog.getByRole("button", { name: "Keep them" }).click();
    await inAll(page, "10,000");
    await page.getByLabel("Drop a file here").setInputFiles(dump.path);
    await dialog.getByRole("button", { name: "Delete everything and load" }).click();
    await page.getByText("10,000 connections loaded.").waitFor();
    const again = await downloaded("Dump");
    assert.equal(readFileSync(again.path, "utf8"), readFileSync(dump.path, "utf8"));
  } finally {
    rmSync(folder, { recursive: true });
  }
  assert.deepEqual(complaints, []);
  await context.close();
});

test("when the quota is full the page says what to do, nothing is lost, and with space it goes on", async () => {
  const { context, page } = await person();
  await create(page, { domain: "netflix.com", profile_name: "ada" });
  await inAll(page, 1);
  const session = await context.newCDPSession(page);
  const { usage } = await page.evaluate(() => navigator.storage.estimate());
  const origin = new URL(here.url).origin;
  await session.send("Storage.overrideQuotaForOrigin", { origin, quotaSize: usage + (1 << 18) });
  await page.getByRole("button", { name: "Import 10,000 made-up rows" }).click();
  const alert = page.getByRole("alert").filter({ hasText: "the disk is full" });
  await alert.getByText("Delete connections or free space in this browser").waitFor();
  const [said] = (await page.locator(".running .note p").textContent()).match(/^[\d,]+ created/);
  await session.send("Storage.overrideQuotaForOrigin", { origin });
  await alert.getByRole("button", { name: "Understood" }).click();
  await create(page, { domain: "with.space", profile_name: "ada" });
  await page.getByRole("button", { name: "Edit with.space of ada" }).waitFor();
  // Those that were said to be created are there, and at most one part of the import besides.
  await page.reload();
  const shown = page.locator(".connections").getByText(/ in all$/);
  await shown.waitFor();
  const number = (text) => Number(text.replace(/\D/g, ""));
  const there = number(await shown.textContent());
  assert.ok(there >= number(said) + 2, `${there} are there, ${said} and two`);
  await page.getByLabel("profile, exactly").fill("ada");
  await page.getByRole("button", { name: "Edit netflix.com of ada" }).waitFor();
  await context.close();
});

test("a store that is held elsewhere is not replaced: the page says what to do, and opens it once it is free", async () => {
  const context = await here.browser.newContext();
  const { page: holder } = await openPage(here, "icon.svg", { context });
  await holder.goto(`${here.url}code/`);
  // The policy lets no worker be made of text: the file is held by a tab in the old way, as a writable.
  await holder.evaluate(async () => {
    const directory = await (await navigator.storage.getDirectory()).getDirectoryHandle("connectory", { create: true });
    window.held = await (await directory.getFileHandle("playground.connectory", { create: true })).createWritable();
  });
  const { page } = await openPage(here, "", { context });
  const alert = page.getByRole("alert").filter({ hasText: "The store was not opened" });
  await alert.getByText("Close it, then try again. Nothing is lost.").waitFor();
  assert.equal(await form(page).getByRole("button", { name: "Create" }).isDisabled(), true);
  await holder.evaluate(() => held.abort());
  await alert.getByRole("button", { name: "Try again" }).click();
  await page.locator("#storage dd").first().waitFor();
  await create(page, { domain: "netflix.com", profile_name: "ada" });
  await answer(page).getByText("201 Created").waitFor();
  await context.close();
});

test("a store that cannot be read is handed out before it may be deleted; in memory the page goes on meanwhile", async () => {
  const context = await here.browser.newContext({ acceptDownloads: true });
  const { page: before } = await openPage(here, "code/", { context });
  await before.evaluate(async () => {
    const directory = await (await navigator.storage.getDirectory()).getDirectoryHandle("connectory", { create: true });
    const file = await (await directory.getFileHandle("playground.connectory", { create: true })).createWritable();
    await file.write("something else");
    await file.close();
  });
  const { page } = await openPage(here, "", { context });
  const alert = page.getByRole("alert").filter({ hasText: "The store was not opened" });
  const remove = alert.getByRole("button", { name: "Delete it and begin anew" });
  await remove.waitFor();
  assert.equal(await remove.isDisabled(), true);
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    alert.getByRole("button", { name: "Download the file" }).click(),
  ]);
  assert.equal(readFileSync(await download.path(), "utf8"), "something else");
  await remove.click();
  await page.locator("#storage dd").first().waitFor();
  await create(page, { domain: "netflix.com", profile_name: "ada" });
  await answer(page).getByText("201 Created").waitFor();
  await context.close();
});

test("offline everything goes on: a reload, a create, a dump", async () => {
  const { context, page, complaints } = await person({ acceptDownloads: true });
  await create(page, { domain: "netflix.com", profile_name: "ada" });
  await page.getByText("This site works offline now.").waitFor();
  await context.setOffline(true);
  await page.reload();
  await inAll(page, 1);
  await create(page, { domain: "b\u00fccher.example", profile_name: "ada" });
  await answer(page).getByText("201 Created").waitFor();
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("button", { name: "Dump", exact: true }).click(),
  ]);
  assert.match(readFileSync(await download.path(), "utf8"), /xn--bcher-kva\.example/);
  assert.deepEqual(complaints, []);
  await context.close();
});
