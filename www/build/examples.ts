// The steps of the page "Code", cut out of the programs that the tests run.
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { REPOSITORY } from "./library.ts";

export const LANGUAGES = [
  { id: "rust", name: "Rust", file: "www/examples/steps.rs", highlighted: "rust" },
  { id: "typescript", name: "TypeScript", file: "www/examples/steps.ts", highlighted: "typescript" },
  { id: "sdk", name: "SDK", file: "www/examples/sdk.ts", highlighted: "typescript" },
  { id: "curl", name: "curl", file: "www/examples/steps.sh", highlighted: "bash" },
] as const;

export type Language = (typeof LANGUAGES)[number];

/** The steps of a program by name: the lines between `step: NAME` and `end`, as far to the left as they go. */
function cut({ file }: Language): Map<string, string> {
  const text = readFileSync(resolve(REPOSITORY, file), "utf8");
  const steps = [...text.matchAll(/^ *(?:\/\/|#) step: (\w+)\n(.*?)^ *(?:\/\/|#) end\n/gms)];
  return new Map(steps.map(([, name = "", lines = ""]) => [name, toTheLeft(lines)]));
}

function toTheLeft(lines: string): string {
  const indents = lines.split("\n").filter((line) => line.trim() !== "").map((line) => line.search(/\S/));
  return lines.replaceAll(new RegExp(`^ {${Math.min(...indents)}}`, "gm"), "").trimEnd();
}

/** The code of a step in a language, or why there is none; it fails where there is neither, or both. */
export function examples(steps: { id: string; missing?: Partial<Record<Language["id"], string>> }[]): Map<string, Map<Language["id"], string>> {
  const programs = LANGUAGES.map((language) => [language, cut(language)] as const);
  for (const [{ file }, found] of programs) {
    for (const name of found.keys()) if (!steps.some(({ id }) => id === name)) throw new Error(`${file}: nothing shows the step ${name}`);
  }
  return new Map(steps.map(({ id, missing }) => {
    const codes = programs.flatMap(([language, found]) => {
      const code = found.get(id);
      if ((code === undefined) !== (missing?.[language.id] !== undefined)) {
        throw new Error(`${language.file}: the step ${id} is ${code === undefined ? "missing" : "there, but declared missing"}`);
      }
      return code === undefined ? [] : [[language.id, code] as const];
    });
    return [id, new Map(codes)];
  }));
}
