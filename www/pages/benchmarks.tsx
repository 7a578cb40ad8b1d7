// The page "Benchmarks".
import type { Page } from "../build/page.ts";

export const benchmarks: Page = {
  path: "benchmarks/",
  title: "Benchmarks",
  description: "Benchmarks of Connectory.",
  section: "Benchmarks",
  body: () => <h1>Benchmarks</h1>,
};
