// A server of files for pages, and what their programs report.
import { createReadStream, existsSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";

const MEDIA_TYPES = {
  ".css": "text/css",
  ".html": "text/html",
  ".js": "text/javascript",
  ".json": "application/json",
  ".map": "application/json",
  ".svg": "image/svg+xml",
  ".wasm": "application/wasm",
};

/** Serves a folder on this machine; `mediaTypes` overrides those of name endings. */
export async function serve(folder, mediaTypes = {}) {
  const types = { ...MEDIA_TYPES, ...mediaTypes };
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url, "http://localhost");
    const path = join(folder, normalize(decodeURIComponent(pathname.endsWith("/") ? `${pathname}index.html` : pathname)));
    if (!existsSync(path) || !statSync(path).isFile()) return response.writeHead(404).end();
    response.writeHead(200, { "content-type": types[extname(path)] ?? "application/octet-stream" });
    createReadStream(path).pipe(response);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}/`,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Opens a page, and again by reloading it, and returns what its program reported each time. */
export async function visits(browser, url) {
  const context = await browser.newContext();
  try {
    const page = await context.newPage();
    const errors = [];
    page.on("pageerror", (error) => errors.push(String(error)));
    page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
    const reports = [];
    for (const visit of [() => page.goto(url), () => page.reload()]) {
      await visit();
      const report = await page.evaluate(() => globalThis.report).catch((error) => error.message);
      if (report === undefined || errors.length > 0) throw new Error(`${url}: ${report} ${errors.join("\n")}`);
      reports.push(report);
    }
    return reports;
  } finally {
    await context.close();
  }
}
