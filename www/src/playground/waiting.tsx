// Deletes that wait, wherever the table is by now, each with the way to call it back.
import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { callBack, WAIT_MS, waiting } from "./deletions.ts";

const now = signal(0);

/** How long it still waits. */
export function Countdown({ due }: { due: number }) {
  const left = Math.min(WAIT_MS, Math.max(0, due - now.value));
  return <span class="muted small-text">in {Math.ceil(left / 1000)} s</span>;
}

/** As many as there is room for. */
const SHOWN = 3;

export function Waiting() {
  const all = [...waiting.value.values()];
  const isCounting = all.length > 0;
  useEffect(() => {
    if (!isCounting) return;
    const tick = () => (now.value = Date.now());
    tick();
    const timer = setInterval(tick, 500);
    return () => clearInterval(timer);
  }, [isCounting]);
  return (
    <div class="waiting" role="status">
      {all.slice(-SHOWN).map(({ connection: { id, domain, profile_name }, due }) => (
        <div key={id} class="row spread">
          <span class="long">
            Deleting {domain} of {profile_name} <Countdown due={due} />
          </span>
          <button
            type="button"
            class="small"
            onClick={() => callBack(id)}
            aria-label={`Undo the delete of ${domain} of ${profile_name}`}
          >
            Undo
          </button>
        </div>
      ))}
      {all.length > SHOWN && <p class="muted small-text">and {all.length - SHOWN} more</p>}
    </div>
  );
}
