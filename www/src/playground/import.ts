// An import: a create for every line of a file, a part at a time so that the page stays quick, an outcome for each.
import type { CreatedRow, NewConnection, Store } from "connectory";

/** So many lines are created together: their answers take a few milliseconds of the page's thread. */
const PART = 200;

export interface Progress {
  done: number;
  /** Part of the file that was read, 0 to 1. */
  share: number;
  created: number;
  conflicts: number;
  refused: number;
  /** The first refusals, as the engine words them. */
  refusals: { line: number; message: string }[];
}

const SHOWN_REFUSALS = 5;

export const NOTHING: Progress = { done: 0, share: 0, created: 0, conflicts: 0, refused: 0, refusals: [] };

/**
 * Imports `file`, a JSON object on each line, and tells how far it is after each part. `report` gets a line of JSON for each
 * row. It ends where nobody asks on; a failure of the store ends it too.
 */
export async function* importLines(store: Store, file: Blob, report: string[]): AsyncGenerator<Progress> {
  const progress = { ...NOTHING, refusals: [] };
  for await (const { lines, share } of parts(file)) {
    const rows = lines.filter(({ text }) => text.trim() !== "");
    const answers = await store.createMany(rows.map(({ text }) => read(text)));
    answers.forEach((answer, at) => count(progress, rows[at]?.line ?? 0, answer, report));
    progress.done += rows.length;
    progress.share = share;
    yield { ...progress };
  }
}

function count(progress: Progress, line: number, answer: CreatedRow, report: string[]): void {
  const { outcome } = answer;
  const said = (rest: object) => report.push(`${JSON.stringify({ line, outcome, ...rest })}\n`);
  switch (answer.outcome) {
    case "failed":
      throw answer.error;
    case "refused": {
      const { code, message, details } = answer.error;
      progress.refused += 1;
      if (progress.refusals.length < SHOWN_REFUSALS)
        progress.refusals.push({ line, message: details?.[0]?.message ?? message });
      return void said({ code, message, ...(details && { details }) });
    }
    case "conflict":
      progress.conflicts += 1;
      return void said({ existing_id: answer.existing_id });
    default:
      progress.created += 1;
      said({ id: answer.connection.id });
  }
}

/** What is no JSON goes as the text that it is: the engine refuses it. */
function read(text: string): NewConnection {
  try {
    return JSON.parse(text) as NewConnection;
  } catch {
    return text as unknown as NewConnection;
  }
}

interface Line {
  line: number;
  text: string;
}

/** The lines of a file in parts, with the share of it that was read by then. */
async function* parts(file: Blob): AsyncGenerator<{ lines: Line[]; share: number }> {
  const decoder = new TextDecoder();
  let bytesRead = 0;
  let line = 0;
  let rest = "";
  let lines: Line[] = [];
  const reader = file.stream().getReader();
  try {
    for (let chunk = await reader.read(); ; chunk = await reader.read()) {
      bytesRead += chunk.value?.length ?? 0;
      const texts = (rest + decoder.decode(chunk.value, { stream: !chunk.done })).split("\n");
      rest = chunk.done ? "" : (texts.pop() ?? "");
      for (const text of texts) {
        line += 1;
        lines.push({ line, text });
        if (lines.length < PART) continue;
        yield { lines, share: file.size === 0 ? 1 : bytesRead / file.size };
        lines = [];
      }
      if (chunk.done) break;
    }
    yield { lines, share: 1 };
  } finally {
    await reader.cancel();
  }
}

/** A file to try it with: connections of made-up profiles to made-up domains, some of them twice. */
export function madeUp(rows: number): Blob {
  const sites = [
    "netflix.com",
    "github.com",
    "amazon.com",
    "linkedin.com",
    "notion.so",
    "stripe.com",
    "figma.com",
    "x.com",
  ];
  const text = Array.from({ length: rows }, (_, n) => {
    const domain = n % 10 === 9 ? `shop-${n % 97}.example.com` : sites[n % sites.length];
    return `${JSON.stringify({ domain, profile_name: `user-${String(Math.floor(n / sites.length)).padStart(5, "0")}` })}\n`;
  });
  return new Blob(text, { type: "application/jsonl" });
}
