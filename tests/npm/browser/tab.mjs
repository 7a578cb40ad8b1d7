// The page of the tests that need a browser, and the server that it comes from.
import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { after, before } from "node:test";
import { launch } from "../chromium.mjs";
import { caseFiles, dist, native, root } from "../package.mjs";

const TYPES = { ".js": "text/javascript", ".mjs": "text/javascript", ".html": "text/html", ".wasm": "application/wasm" };

/** What is served, by the start of its path. */
const FOLDERS = { "/dist/": dist.pathname, "/tests/": new URL("tests/npm/", root).pathname };

/** A page with nothing on it but the package and what the tests of it share. */
const PAGE = `<!doctype html><meta charset="utf-8"><title>tests</title><link rel="icon" href="data:,">
<script type="module">
  import * as connectory from "/dist/browser.js";
  import * as slim from "/dist/slim.js";
  import { createFetch } from "/dist/fetch.js";
  Object.assign(window, connectory, { slim, createFetch, ready: true });
</script>`;

/** Serves the package and the tests; `extra` are further paths with their type and text, or with what answers. */
async function serve(extra = {}) {
  const texts = {
    "/": ["text/html", PAGE],
    "/cases.json": ["application/json", JSON.stringify({ files: caseFiles(), native })],
    ...extra,
  };
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url, "http://localhost");
    const text = texts[pathname];
    if (typeof text === "function") return text(response);
    if (text) return response.writeHead(200, { "content-type": text[0] }).end(text[1]);
    const [folder, directory] = Object.entries(FOLDERS).find(([folder]) => pathname.startsWith(folder)) ?? [];
    const path = folder && join(directory, normalize(pathname.slice(folder.length)));
    if (!path || !path.startsWith(directory) || !existsSync(path)) return response.writeHead(404).end();
    response.writeHead(200, { "content-type": TYPES[extname(path)] ?? "text/plain" }).end(readFileSync(path));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${server.address().port}/`, close: () => server.close() };
}

/** A browser, with further arguments, and a server of the page and of further texts: for the tests of the file that asks. */
export function inBrowser({ args = [], texts = async () => ({}) } = {}) {
  const here = {};
  before(async () => {
    here.server = await serve(await texts());
    here.browser = await launch(...args);
  });
  after(async () => {
    await here.browser?.close();
    here.server?.close();
  });
  return here;
}

/** Opens the page of the tests in a tab of its own; what it complains of goes to `complaints`. */
export async function openTab(context, url, complaints = []) {
  const page = await context.newPage();
  page.on("pageerror", (error) => complaints.push(String(error.stack ?? error)));
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) complaints.push(message.text());
  });
  await page.goto(url);
  await page.waitForFunction("window.ready");
  return page;
}
