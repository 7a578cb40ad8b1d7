// The pages as Vite sees them: made when it asks, by the development server or the build, and nowhere on disk.
import { resolve } from "node:path";
import { type Plugin, runnerImport } from "vite";
import type { Page } from "./page.ts";

type Made = { pages: Page[]; render: (page: Page, options: { policy: boolean }) => string; searchIndex: () => string };

/** A module that says where the search index is. */
const SEARCH_INDEX = "virtual:search-index";

export function site(): Plugin {
  const root = resolve(import.meta.dirname, "..");
  const made = new Map<string, string>();
  let searchIndex: string | undefined;
  return {
    name: "site",
    async config(_, { command }) {
      if (command !== "build") return;
      const { module } = await runnerImport<Made>(resolve(root, "build/pages.ts"), { root });
      searchIndex = module.searchIndex();
      for (const page of module.pages) {
        made.set(resolve(root, page.path, "index.html"), module.render(page, { policy: true }));
      }
      return { build: { rollupOptions: { input: [...made.keys()] } } };
    },
    resolveId: (id) => (made.has(id) || id === SEARCH_INDEX ? id : undefined),
    load(id) {
      if (id !== SEARCH_INDEX) return made.get(id);
      if (searchIndex === undefined) return 'export default "/search.json";';
      const asset = this.emitFile({ type: "asset", name: "search.json", source: searchIndex });
      return `export default import.meta.ROLLUP_FILE_URL_${asset};`;
    },
    configureServer(server) {
      server.middlewares.use(async (request, response, next) => {
        const { pathname } = new URL(request.url ?? "/", "http://localhost");
        try {
          const { pages, render, searchIndex } = (await server.ssrLoadModule("/build/pages.ts")) as Made;
          const page = pages.find(({ path }) => [`/${path}`, `/${path}index.html`].includes(pathname));
          if (page) {
            const html = await server.transformIndexHtml(`/${page.path}index.html`, render(page, { policy: false }));
            response.setHeader("content-type", "text/html").end(html);
          } else if (pages.some(({ path }) => `/${path}` === `${pathname}/`)) {
            response.writeHead(302, { location: `${pathname}/` }).end();
          } else if (pathname === "/search.json") {
            response.setHeader("content-type", "application/json").end(searchIndex());
          } else if (pathname.startsWith("/benches/")) {
            // Pictures of the documents, which the build makes assets of.
            response.writeHead(302, { location: `/@fs${resolve(root, "..")}${pathname}` }).end();
          } else {
            next();
          }
        } catch (error) {
          next(error);
        }
      });
    },
  };
}
