// The page "Code".
import type { Page } from "../build/page.ts";

export const code: Page = {
  path: "code/",
  title: "Code",
  description: "Code of Connectory.",
  section: "Code",
  body: () => <h1>Code</h1>,
};
