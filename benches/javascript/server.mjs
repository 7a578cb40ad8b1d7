// Serves the page, the package and the peers on this machine.
import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { extname } from "node:path";

const ROOTS = [
  ["/connectory/", new URL("../../bindings/npm/dist/", import.meta.url)],
  ["/modules/", new URL("node_modules/", import.meta.url)],
  ["/", new URL("./", import.meta.url)],
];
const TYPES = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".wasm": "application/wasm",
  ".data": "application/octet-stream",
};

/** A server on a port of its own; `origin` and `close()`. */
export async function serve() {
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url, "http://localhost");
    const [prefix, root] = ROOTS.find(([prefix]) => pathname.startsWith(prefix));
    // The clock is finer in a page that shares nothing with other sites.
    const headers = {
      "cross-origin-opener-policy": "same-origin",
      "cross-origin-embedder-policy": "require-corp",
      "cache-control": "max-age=3600",
    };
    try {
      const body = await readFile(new URL(pathname.slice(prefix.length), root));
      const type = TYPES[extname(pathname)] ?? "application/octet-stream";
      response.writeHead(200, { ...headers, "content-type": type, "content-length": body.length });
      response.end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  return {
    origin: `http://127.0.0.1:${server.address().port}`,
    close() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}
