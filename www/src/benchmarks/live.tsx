// The benchmark that runs in the visitor's browser: its buttons, how far it is, what came of it.
import { useSignal } from "@preact/signals";
import { Chart } from "../charts/chart.tsx";
import { labelOf } from "../charts/contenders.ts";
import { CONTENDERS } from "./plan.ts";
import {
  ending,
  hasResults,
  leftOut,
  now,
  phase,
  progress,
  results,
  rows,
  secondsLeft,
  startRun,
  stop,
} from "./state.ts";
import { download } from "../shell/download.ts";

/** `isAlive` once its script runs; until then nothing can be started. */
export function Live({ isAlive }: { isAlive: boolean }) {
  const isReady = phase.value === "ready";
  return (
    <>
      <div class="card stack control">
        <div class="row">
          <button class="primary" type="button" disabled={!isAlive || !isReady} onClick={() => void startRun()}>
            Start
          </button>
          <button type="button" disabled={phase.value !== "running"} onClick={stop}>
            Stop
          </button>
          <span class="left muted">{isReady ? "" : left()}</span>
        </div>
        <progress max={progress.value.steps} value={progress.value.done} aria-label="Progress of the benchmark" />
        <p class="now muted">
          {isReady ? ending.value || "About half a minute. Keep this tab in front meanwhile." : now.value}
        </p>
        <p class="visually-hidden" role="status">
          {isReady ? ending.value : "The benchmark is running."}
        </p>
        <p class="taking muted">
          {leftOut.value.length > 0 ? (
            <LeftOut />
          ) : (
            `Taking part: ${CONTENDERS.map(({ name }) => labelOf(name)).join("; ")}.`
          )}
        </p>
      </div>
      <Chart title="In this browser" rows={rows.value} />
      <Taking />
    </>
  );
}

function left(): string {
  const { done, steps } = progress.value;
  const seconds = secondsLeft.value;
  return seconds === undefined ? "" : `${done} of ${steps}, about ${seconds} s left`;
}

function LeftOut() {
  return (
    <>
      {leftOut.value.map(({ name, reason }) => (
        <span key={name} class="left-out">
          <b>{labelOf(name)} is left out</b>: {reason}{" "}
        </span>
      ))}
    </>
  );
}

/** The figures, to take along. */
function Taking() {
  const said = useSignal("");
  const text = () => `${JSON.stringify(results.value, undefined, 2)}\n`;
  const save = () => download(new Blob([text()], { type: "application/json" }), "connectory-benchmarks.json");
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text());
      said.value = "Copied.";
    } catch {
      said.value = "This browser does not let the page copy.";
    }
  };
  const cannot = !hasResults.value || phase.value !== "ready";
  return (
    <div class="row">
      <button type="button" disabled={cannot} onClick={save}>
        Download as JSON
      </button>
      <button type="button" disabled={cannot} onClick={() => void copy()}>
        Copy as JSON
      </button>
      <span class="muted" role="status">
        {said.value}
      </span>
    </div>
  );
}
