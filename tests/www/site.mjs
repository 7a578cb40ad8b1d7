// The site as it was built, served on this machine, and pages of it that tell what they complain of.
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { after, before } from "node:test";
import { launch } from "../npm/chromium.mjs";
import { serve } from "../npm/packages/page.mjs";

const INDEX = new URL("../../www/dist/index.html", import.meta.url);

/** Serves the site. */
export function serveSite() {
  if (!existsSync(INDEX)) throw new Error("the site is not built; run `npm run build` in www/");
  return serve(fileURLToPath(new URL(".", INDEX)));
}

/** `url`, where the site is served, and a `browser`, with further arguments: for the tests of the file that asks. */
export function onSite({ args = [] } = {}) {
  const here = {};
  let server;
  before(async () => {
    server = await serveSite();
    here.url = server.url;
    here.browser = await launch(...args);
  });
  after(async () => {
    await here.browser?.close();
    await server?.close();
  });
  return here;
}

/**
 * Opens a page of the site; errors it tells, and requests that leave the site, go to `complaints`. `before` is called with the
 * page before it is opened.
 */
export async function openPage(here, path, { context, before: prepare, ...options } = {}) {
  const page = await (context ?? (await here.browser.newContext(options))).newPage();
  const complaints = [];
  page.on("pageerror", (error) => complaints.push(String(error.stack ?? error)));
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  page.context().on("request", (request) => {
    const url = request.url();
    if (!url.startsWith(here.url) && !url.startsWith("blob:")) complaints.push(`asked for ${url}`);
  });
  await prepare?.(page);
  await page.goto(here.url + path);
  return { page, complaints };
}
