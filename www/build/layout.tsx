// What every page has around it: head, header, navigation, footer.
import renderToString from "preact-render-to-string";
import { type Page, rootOf, SECTIONS } from "./page.ts";

/** Nothing from elsewhere, nothing inline. WebAssembly is compiled, not evaluated. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "worker-src 'self'",
  "manifest-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
].join("; ");

/** The page as HTML; the development server needs scripts of its own, so the policy is for what is built. */
export function render(page: Page, { policy }: { policy: boolean }): string {
  const root = rootOf(page.path);
  const html = (
    <html lang="en" data-root={root}>
      <head>
        <meta charset="utf-8" />
        {policy && <meta httpEquiv="Content-Security-Policy" content={POLICY} />}
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>{page.path === "" ? `Connectory: ${page.title}` : `${page.title} - Connectory`}</title>
        <meta name="description" content={page.description} />
        <meta name="color-scheme" content="light dark" />
        <link rel="icon" type="image/svg+xml" href={`${root}icon.svg`} />
        <script src={`${root}theme.js`} {...{ "vite-ignore": true }} />
        <link rel="stylesheet" href="/src/shell/style.css" />
        {page.styles?.map((href) => <link rel="stylesheet" href={href} />)}
        <script type="module" src="/src/shell/shell.ts" />
        {page.script && <script type="module" src={page.script} />}
      </head>
      <body>
        <a class="skip" href="#main">Skip to content</a>
        <header class="header">
          <a class="brand" href={root}>
            <img src={`${root}icon.svg`} alt="" width="24" height="24" />
            Connectory
          </a>
          <nav aria-label="Site">
            {SECTIONS.map(({ path, name }) => (
              <a href={root + path} aria-current={name === page.section ? "page" : undefined}>{name}</a>
            ))}
          </nav>
          <button class="quiet" id="theme" type="button" aria-label="Dark colours" aria-pressed="false">
            <span class="theme-icon" aria-hidden="true" />
          </button>
        </header>
        <main id="main" tabIndex={-1}>{page.body(root)}</main>
        <footer class="footer">
          <p>Connectory is an embedded storage engine, in Rust on redb. MIT or Apache 2.0, as you like.</p>
          <p id="offline" role="status" />
        </footer>
      </body>
    </html>
  );
  return `<!doctype html>\n${renderToString(html)}\n`;
}
