// Every page of the site.
import { benchmarks } from "../pages/benchmarks.tsx";
import { code } from "../pages/code.tsx";
import { documents } from "../pages/documents.tsx";
import { playground } from "../pages/playground.tsx";
import type { Page } from "./page.ts";

export { render } from "./layout.tsx";
export { searchIndex } from "./search.ts";
export const pages: Page[] = [playground, code, benchmarks, ...documents];
