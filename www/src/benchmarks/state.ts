// The state of the page: what the run has told so far, and the two buttons.
import { computed, signal } from "@preact/signals";
import { version as connectory } from "connectory/package.json";
import { version as sqlite } from "@sqlite.org/sqlite-wasm/package.json";
import { asJson, type Measured } from "../../../benches/javascript/report.mjs";
import { labelOf } from "../charts/contenders.ts";
import { type Row, rowOf } from "../charts/model.ts";
import { spaced } from "../charts/units.ts";
import { CONTENDERS, planOf, rehearse } from "./plan.ts";

export const plan = planOf(globalThis.location?.search);
const { rows: expected } = await rehearse(CONTENDERS, plan);

export const phase = signal<"ready" | "running" | "cleaning">("ready");
export const progress = signal({ done: 0, steps: 1 });
/** What goes on, in words. */
export const now = signal("");
export const leftOut = signal<{ name: string; reason: string }[]>([]);
/** How the last run ended; it is said aloud. */
export const ending = signal("");
const measured = signal<Measured[]>([]);
const begun = signal({ unixSeconds: 0, at: 0 });

/** The run as the repository's own benchmark writes it. */
export const results = computed(() => {
  const { userAgent, hardwareConcurrency } = navigator;
  const { done, steps } = progress.value;
  const about = {
    machine: { browser: userAgent, cores: hardwareConcurrency, isolated: globalThis.crossOriginIsolated },
    versions: { connectory, "@sqlite.org/sqlite-wasm": sqlite },
    plan,
    unix_seconds: begun.value.unixSeconds,
    complete: done === steps,
    missing: leftOut.value,
  };
  return asJson(about, [{ host: "this browser", place: "durable", rows: measured.value }]);
});

export const hasResults = computed(() => measured.value.length > 0);

/** Every row that is to come, with what is there of it. */
export const rows = computed((): Row[] => {
  if (!hasResults.value) return expected;
  const there = results.value.sections.flatMap(({ rows }) => rows).map(rowOf);
  return expected.map((row) => {
    const found = there.find(({ name }) => spaced(name) === row.name);
    if (!found) return row;
    const bars = row.bars.map((bar) => found.bars.find(({ name }) => name === bar.name) ?? bar);
    return { ...row, bars, ...(found.verdict && { verdict: found.verdict }) };
  });
});

export const secondsLeft = computed(() => {
  const { done, steps } = progress.value;
  if (done === 0) return undefined;
  return Math.ceil((((performance.now() - begun.value.at) / done) * (steps - done)) / 1000);
});

let stopping = new AbortController();

export function stop(): void {
  stopping.abort(new DOMException("stopped", "AbortError"));
}

export async function startRun(): Promise<void> {
  stopping = new AbortController();
  phase.value = "running";
  measured.value = [];
  leftOut.value = [];
  progress.value = { done: 0, steps: 1 };
  begun.value = { unixSeconds: Math.floor(Date.now() / 1000), at: performance.now() };
  now.value = "loading the contenders";
  ending.value = "";
  try {
    const { run } = await import("./run.ts");
    await run(
      plan,
      {
        step(what, done, steps, figures) {
          now.value = inWords(what);
          progress.value = { done, steps };
          // Figures grow in place.
          measured.value = [...figures.rows];
        },
        leftOut: ({ name }, reason) => void (leftOut.value = [...leftOut.value, { name, reason }]),
        cleaning() {
          phase.value = "cleaning";
          now.value = "removing what was written";
        },
      },
      stopping.signal,
    );
    ending.value = "Done. Nothing of it is left in this browser.";
  } catch (error) {
    ending.value =
      error === stopping.signal.reason
        ? "Stopped. What was measured until then is shown; nothing of it is left in this browser."
        : `It did not work: ${error instanceof Error ? error.message.split("\n")[0] : error}.`;
  } finally {
    phase.value = "ready";
    now.value = "";
  }
}

/** With the contender as the charts name it. */
function inWords(what: string): string {
  const name = CONTENDERS.map(({ name }) => name)
    .filter((it) => what.endsWith(it))
    .at(-1);
  return name ? what.slice(0, -name.length) + labelOf(name) : what;
}
