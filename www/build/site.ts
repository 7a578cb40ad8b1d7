// The pages as Vite sees them: made when it asks, by the development server or the build, and nowhere on disk.
import { resolve } from "node:path";
import { type Plugin, runnerImport } from "vite";
import type { Page } from "./page.ts";

type Made = { pages: Page[]; render: (page: Page, options: { policy: boolean }) => string };

export function site(): Plugin {
  const root = resolve(import.meta.dirname, "..");
  const made = new Map<string, string>();
  return {
    name: "site",
    async config(_, { command }) {
      if (command !== "build") return;
      const { module } = await runnerImport<Made>(resolve(root, "build/pages.ts"), { root });
      for (const page of module.pages) {
        made.set(resolve(root, page.path, "index.html"), module.render(page, { policy: true }));
      }
      return { build: { rollupOptions: { input: [...made.keys()] } } };
    },
    resolveId: (id) => (made.has(id) ? id : undefined),
    load: (id) => made.get(id),
    configureServer(server) {
      server.middlewares.use(async (request, response, next) => {
        const { pathname } = new URL(request.url ?? "/", "http://localhost");
        try {
          const { pages, render } = (await server.ssrLoadModule("/build/pages.ts")) as Made;
          const page = pages.find(({ path }) => [`/${path}`, `/${path}index.html`].includes(pathname));
          if (page) {
            const html = await server.transformIndexHtml(`/${page.path}index.html`, render(page, { policy: false }));
            response.setHeader("content-type", "text/html").end(html);
          } else if (pages.some(({ path }) => `/${path}` === `${pathname}/`)) {
            response.writeHead(302, { location: `${pathname}/` }).end();
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
