// Into the store and out of it: import, dump, load, and the store itself as a file.
import { signal } from "@preact/signals";
import { RefusedError, type Store } from "connectory";
import { Dialog } from "./dialog.tsx";
import { importLines, madeUp, NOTHING, type Progress } from "./import.ts";
import { download } from "../shell/download.ts";
import { NAME, TABLES } from "./files.ts";
import { registry } from "./registry.ts";

type Running = { what: string; share?: number; stop?: AbortController };

const running = signal<Running | undefined>(undefined);
const outcome = signal<{ progress: Progress; report: Blob; ended: string } | undefined>(undefined);
const said = signal("");
const isDragged = signal(false);
/** Whether to delete everything is asked first; and then perhaps a dump is loaded. */
const asking = signal<{ toLoad?: Blob } | undefined>(undefined);

/** Does one thing at a time, and says what came of it. */
async function run(what: string, work: (store: Store) => Promise<string>): Promise<void> {
  const store = registry.store.peek();
  if (!store || running.peek()) return;
  running.value = { what };
  said.value = "";
  try {
    said.value = await work(store);
  } catch (error) {
    said.value = error instanceof RefusedError ? error.message : registry.notice(error).message;
  }
  running.value = undefined;
  registry.changed();
}

/** Imports lines of JSON; a dump, which begins with its format, is loaded. */
async function take(file: Blob | undefined): Promise<void> {
  if (!file) return;
  const isDump = /^\s*\{\s*"(format|version)"/.test(await file.slice(0, 64).text());
  return isDump ? load(file) : importFile(file);
}

function importFile(file: Blob): Promise<void> {
  outcome.value = undefined;
  return run("Importing", async (store) => {
    const stop = new AbortController();
    const report: string[] = [];
    let progress = NOTHING;
    let ended = "";
    try {
      for await (progress of importLines(store, file, report)) {
        running.value = { what: `Importing: ${progress.done.toLocaleString("en")} rows`, share: progress.share, stop };
        if (!stop.signal.aborted) continue;
        ended = "Stopped. What came before is there.";
        break;
      }
    } catch (error) {
      const { message } = registry.notice(error);
      ended = `${message}. What came before is there; import the file again once this is mended: rows that are there are conflicts.`;
    }
    outcome.value = { progress, report: new Blob(report, { type: "application/jsonl" }), ended };
    return "";
  });
}

function load(file: Blob): Promise<void> {
  return run("Loading the dump", async (store) => {
    try {
      const loaded = await store.load(file.stream());
      return `${loaded.toLocaleString("en")} connections loaded.`;
    } catch (error) {
      if (error instanceof RefusedError && error.code === "resource_in_use") asking.value = { toLoad: file };
      throw error;
    }
  });
}

/** Deletes everything, a commit for many at once. */
async function empty(store: Store): Promise<void> {
  for (;;) {
    const { items } = await store.list({ limit: 100 });
    if (items.length === 0) break;
    await Promise.all(items.map(({ id }) => store.delete(id).catch(unlessRefused)));
    const { connections } = await store.stats();
    running.value = { what: `Emptying: ${connections.toLocaleString("en")} left` };
  }
  for await (const { items } of store.profiles({ limit: 100 }).pages()) {
    await Promise.all(items.map(({ name }) => store.deleteProfile(name).catch(unlessRefused)));
  }
  for await (const { items } of store.proxies({ limit: 100 }).pages()) {
    await Promise.all(items.map(({ id }) => store.removeProxy(id).catch(unlessRefused)));
  }
}

/** Another tab may have been quicker. */
function unlessRefused(error: unknown): void {
  if (!(error instanceof RefusedError)) throw error;
}

const dump = () =>
  run("Dumping", async (store) => {
    download(await new Response(store.dump()).blob(), `${NAME}.jsonl`);
    return `${NAME}.jsonl is in your downloads.`;
  });

const backup = () =>
  run("Copying the store", async (store) => {
    download(new Blob([(await store.backup()) as BlobPart]), TABLES);
    return `${TABLES} is in your downloads.`;
  });

export function Transfer() {
  const isIdle = running.value === undefined && registry.store.value !== undefined;
  return (
    <section class="card stack" aria-labelledby="transfer-title">
      <h2 id="transfer-title">In and out</h2>
      <label
        class={`drop ${isDragged.value ? "dragged" : ""}`}
        onDragOver={(event) => (event.preventDefault(), (isDragged.value = true))}
        onDragLeave={() => (isDragged.value = false)}
        onDrop={(event) => {
          event.preventDefault();
          isDragged.value = false;
          void take(event.dataTransfer?.files[0]);
        }}
      >
        <span>
          Drop a file here, or <span class="linklike">choose one</span>: a create on each line as JSON to <b>import</b>,
          or a dump to <b>load</b>.
        </span>
        <input
          class="visually-hidden"
          type="file"
          accept=".jsonl,.ndjson,.json,.txt"
          disabled={!isIdle}
          onChange={({ currentTarget }) => (void take(currentTarget.files?.[0]), (currentTarget.value = ""))}
        />
      </label>
      <div class="row">
        <button type="button" disabled={!isIdle} onClick={() => void importFile(madeUp(10_000))}>
          Import 10,000 made-up rows
        </button>
      </div>
      <div class="running" aria-live="polite">
        {running.value && <RunningBar {...running.value} />}
        {outcome.value && <ImportOutcome {...outcome.value} />}
        {said.value && <p>{said.value}</p>}
      </div>
      <div class="row">
        <button type="button" disabled={!isIdle} onClick={dump}>
          Dump
        </button>
        <button type="button" disabled={!isIdle} onClick={backup}>
          Download the store
        </button>
        <button type="button" class="danger" disabled={!isIdle} onClick={() => (asking.value = {})}>
          Delete everything
        </button>
      </div>
      <p class="muted small-text">
        The store is one file. <code>connectory --store . --project {NAME} list</code>, in the folder it was saved to,
        opens it natively.
      </p>
      {asking.value && <EmptyFirst {...asking.value} />}
    </section>
  );
}

function RunningBar({ what, share, stop }: Running) {
  return (
    <div class="stack">
      <span>{what}</span>
      <div class="row bar">
        <progress aria-label={what} {...(share !== undefined && { value: share })} max={1} />
        {stop && (
          <button type="button" class="small" onClick={() => stop.abort()}>
            Stop
          </button>
        )}
      </div>
    </div>
  );
}

function ImportOutcome({ progress, report, ended }: { progress: Progress; report: Blob; ended: string }) {
  const { created, conflicts, refused, refusals } = progress;
  const count = (number: number) => number.toLocaleString("en");
  return (
    <div class="note">
      <p>
        {count(created)} created, {count(conflicts)} conflicts, {count(refused)} refused. {ended}
      </p>
      {refusals.length > 0 && (
        <ul>
          {refusals.map(({ line, message }) => (
            <li>
              line {line}: {message}
            </li>
          ))}
        </ul>
      )}
      <button type="button" class="small" onClick={() => download(report, "import-report.jsonl")}>
        Download the report, a line for each row
      </button>
    </div>
  );
}

function EmptyFirst({ toLoad }: { toLoad?: Blob }) {
  const close = () => (asking.value = undefined);
  const agree = async () => {
    close();
    await run("Emptying", async (store) => (await empty(store), "Everything is deleted."));
    if (toLoad) await load(toLoad);
  };
  return (
    <Dialog title={toLoad ? "A dump goes into an empty store" : "Delete everything?"} onClose={close}>
      <p>
        This one has {registry.stats.value?.connections.toLocaleString("en")} connections. They go for good, in every
        tab{toLoad ? ", and the dump takes their place" : ""}. Dump them first if you may want them back.
      </p>
      <div class="row">
        <button type="button" class="danger" onClick={() => void agree()}>
          {toLoad ? "Delete everything and load" : "Delete everything"}
        </button>
        <button type="button" onClick={close}>
          Keep them
        </button>
      </div>
    </Dialog>
  );
}
