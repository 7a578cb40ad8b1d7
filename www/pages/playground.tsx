// The first page: what it is, and the engine to try.
import type { Page } from "../build/page.ts";
import { Playground } from "../src/playground/playground.tsx";

export const playground: Page = {
  path: "",
  title: "the registry of auth connections",
  description:
    "The registry of auth connections: at most one per profile and domain, created atomically. Try the engine in this page.",
  section: "Playground",
  script: "/src/playground/main.tsx",
  styles: ["/src/playground/playground.css"],
  body: (root) => (
    <>
      <h1>At most one connection per profile and domain</h1>
      <p class="lead">
        Agents keep browser profiles logged in to domains. Connectory is the registry of those connections: whoever
        creates one is told that it is created, or who holds the pair. The engine below runs in this page, on files of
        this browser, and would do the same in <a href={`${root}code/`}>your Rust program, in Node.js or at the edge</a>
        .
      </p>
      <noscript>
        <p class="note warn">The engine is WebAssembly, which needs JavaScript.</p>
      </noscript>
      <div id="playground">
        <Playground />
      </div>
    </>
  ),
};
