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
  const indents = [...lines.matchAll(/^ *(?=\S)/gm)].map(([indent]) => indent.length);
  return lines.replaceAll(new RegExp(`^ {${Math.min(...indents)}}`, "gm"), "").trimEnd();
}

interface Step {
  id: string;
  /** The languages in which it does not exist, and why. */
  missing?: Partial<Record<Language["id"], string>>;
}

/** The code of every step by language. Fails where a step is missing without a reason, or has no place on the page. */
export function examples(steps: Step[]): Map<string, Map<Language["id"], string>> {
  const codes = new Map(steps.map(({ id }) => [id, new Map<Language["id"], string>()]));
  for (const language of LANGUAGES) {
    const program = cut(language);
    for (const { id, missing } of steps) {
      const code = program.get(id);
      if (code !== undefined) codes.get(id)?.set(language.id, code);
      const isDeclared = missing?.[language.id] !== undefined;
      if (isDeclared && code !== undefined) throw new Error(`${language.file} has the step ${id}, said to be missing`);
      if (!isDeclared && code === undefined) throw new Error(`${language.file} has no step ${id}`);
    }
    const unknown = [...program.keys()].find((name) => !codes.has(name));
    if (unknown) throw new Error(`${language.file} has the step ${unknown}, which nothing shows`);
  }
  return codes;
}
