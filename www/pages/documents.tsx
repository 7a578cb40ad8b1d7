// The pages under "Documents".
import type { Page } from "../build/page.ts";

export const documents: Page[] = [
  {
    path: "documents/",
    title: "Documents",
    description: "Documents of Connectory.",
    section: "Documents",
    body: () => <h1>Documents</h1>,
  },
];
