// The first page: what it is, and the engine to try.
import type { Page } from "../build/page.ts";

export const playground: Page = {
  path: "",
  title: "the registry of auth connections",
  description: "The registry of auth connections: at most one per profile and domain, created atomically. Try the engine in this page.",
  section: "Playground",
  body: () => <h1>At most one connection per profile and domain</h1>,
};
