// The site as it was built, served on this machine, and pages of it that tell what they complain of.
import { createServer } from "node:http";
import { existsSync, readFileSync, statSync } from "node:fs";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { after, before } from "node:test";
import { launch } from "../npm/chromium.mjs";

const DIST = fileURLToPath(new URL("../../www/dist/", import.meta.url));
const TYPES = {
  ".css": "text/css",
  ".html": "text/html",
  ".js": "text/javascript",
  ".json": "application/json",
  ".svg": "image/svg+xml",
  ".wasm": "application/wasm",
};

function serve() {
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url, "http://localhost");
    const path = join(DIST, normalize(decodeURIComponent(pathname.endsWith("/") ? `${pathname}index.html` : pathname)));
    if (!path.startsWith(DIST) || !existsSync(path) || !statSync(path).isFile()) return response.writeHead(404).end();
    response.writeHead(200, { "content-type": TYPES[extname(path)] ?? "text/plain" }).end(readFileSync(path));
  });
  return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(server)));
}

/** `url`, where the site is served, and a `browser`, with further arguments: for the tests of the file that asks. */
export function onSite({ args = [] } = {}) {
  const here = {};
  let server;
  before(async () => {
    if (!existsSync(join(DIST, "index.html"))) throw new Error("the site is not built; run `npm run build` in www/");
    server = await serve();
    here.url = `http://127.0.0.1:${server.address().port}/`;
    here.browser = await launch(...args);
  });
  after(async () => {
    await here.browser?.close();
    server?.closeAllConnections();
    server?.close();
  });
  return here;
}

/** Opens a page of the site; errors it tells, and requests that leave the site, go to `complaints`. */
export async function openPage(here, path, { context, ...options } = {}) {
  const page = await (context ?? (await here.browser.newContext(options))).newPage();
  const complaints = [];
  page.on("pageerror", (error) => complaints.push(String(error.stack ?? error)));
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  page.context().on("request", (request) => {
    const url = request.url();
    if (!url.startsWith(here.url) && !url.startsWith("blob:")) complaints.push(`asked for ${url}`);
  });
  await page.goto(here.url + path);
  return { page, complaints };
}
