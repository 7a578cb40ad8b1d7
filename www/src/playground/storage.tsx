// What is stored, where, and by which tab; and what happened last.
import { signal } from "@preact/signals";
import type { ChangeEvent } from "connectory";
import { fileOf, LOG, TABLES } from "./files.ts";
import { registry } from "./registry.ts";

interface Kept {
  files: { name: string; bytes: number }[];
  usedBytes: number;
  quotaBytes: number;
  isPersisted: boolean;
  isOwner: boolean;
}

const kept = signal<Kept | undefined>(undefined);

/** Looks anew, now and then and when something has changed: the browser tells nobody. */
export function keepLooking(): void {
  registry.tick.subscribe(() => void look());
  setInterval(() => {
    if (document.visibilityState === "visible") void look();
  }, 2000);
}

async function look(): Promise<void> {
  const store = registry.store.peek();
  const state = registry.state.peek();
  if (!store || state.is !== "open" || state.kept !== "files") return void (kept.value = undefined);
  try {
    const [{ usage = 0, quota = 0 }, isPersisted, isOwner, files] = await Promise.all([
      navigator.storage.estimate(),
      navigator.storage.persisted(),
      store.isOwner(),
      sizes(),
    ]);
    kept.value = { files, usedBytes: usage, quotaBytes: quota, isPersisted, isOwner };
  } catch {
    // What was seen last stays.
  }
}

async function sizes(): Promise<Kept["files"]> {
  return Promise.all([TABLES, LOG].map(async (name) => ({ name, bytes: (await fileOf(name)).size })));
}

function size(bytes: number): string {
  const units = ["B", "KB", "MB", "GB", "TB"];
  const power = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(bytes, 1)) / 3));
  return `${(bytes / 1000 ** power).toFixed(power === 0 ? 0 : 1)} ${units[power]}`;
}

export function Storage() {
  const { value: state } = registry.state;
  const { value } = kept;
  return (
    <section class="card" aria-labelledby="storage-title">
      <h2 id="storage-title">Where it is kept</h2>
      {state.is === "open" && state.kept === "memory" && (
        <p>In the memory of this page, and nowhere else: it goes with the page.</p>
      )}
      <dl class="facts" id="storage">
        {value ? (
          <>
            {value.files.map(({ name, bytes }) => (
              <>
                <dt>{name}</dt>
                <dd>{size(bytes)}</dd>
              </>
            ))}
            <dt>this site in all</dt>
            <dd>
              {size(value.usedBytes)} of {size(value.quotaBytes)}
            </dd>
            <dt>persisted</dt>
            <dd>{value.isPersisted ? "yes: the browser keeps it" : "no: it may be cleared when space is short"}</dd>
            <dt>owner</dt>
            <dd>{value.isOwner ? "this tab" : "another tab, which answers for this one"}</dd>
          </>
        ) : (
          state.is === "opening" && <dt class="muted">Opening...</dt>
        )}
      </dl>
      <p class="muted small-text">
        In files of this browser that belong to this site (OPFS). Nothing is sent anywhere. Open a second tab: it shares
        the store.
      </p>
    </section>
  );
}

export function Latest() {
  return (
    <section class="card" aria-labelledby="latest-title">
      <h2 id="latest-title">Latest changes, of every tab</h2>
      <ol class="plain latest">
        {registry.latest.value.map((change) => (
          <li key={change.seq}>{sentence(change)}</li>
        ))}
      </ol>
    </section>
  );
}

function sentence(change: ChangeEvent): string {
  if (change.kind === "reset") return "many at once";
  if (change.kind === "deleted") return `deleted ${change.id}`;
  return `${change.kind} ${change.connection.domain} of ${change.connection.profile_name}`;
}
