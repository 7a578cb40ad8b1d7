// What keeps the store from being opened or written, and what to do about it.
import type { ComponentChildren } from "preact";
import { signal } from "@preact/signals";
import type { Reason } from "connectory";
import { download } from "../shell/download.ts";
import { fileOf, removeFiles, TABLES } from "./files.ts";
import { registry } from "./registry.ts";

/** What a person can do, by why it was not opened. */
const ADVICE: Partial<Record<Reason, string>> = {
  in_use: "Something else in this browser has the store's files open. Close it, then try again. Nothing is lost.",
  handing_over:
    "The tab that had the store is gone or does not answer. Try again; if that does not help, close the other tabs of this site.",
  no_storage:
    "This page cannot keep files: perhaps it is a private window, an old browser, or not served over https. You can go on in memory.",
  storage_full:
    "The browser has no space for this site. Free some, or remove data of other sites, then try again. What was stored before is still there.",
  damaged: "The store's file is damaged. It was left as it is. Download it before you begin anew.",
  not_a_store:
    "The file in the store's place is something else. It was left as it is. Download it before you begin anew.",
  other_format: "The store was written by another version. Its dump can be loaded by this one. It was left as it is.",
};

/** What a person can do after a write that failed. */
const AFTER_WRITE: Partial<Record<Reason, string>> = {
  storage_full:
    "Nothing was written, and what was there is safe. Delete connections or free space in this browser, then try again: the store works again by itself.",
  outcome_unknown: "Look in the table whether it happened before you try again.",
  handing_over: "Another tab takes the store over. Try again.",
};

export function Trouble() {
  const { value: state } = registry.state;
  const { value: trouble } = registry.trouble;
  if (state.is === "failed") return <NotOpened reason={state.reason} message={state.message} />;
  if (!trouble) return null;
  return (
    <Alert title={trouble.message}>
      <p>{AFTER_WRITE[trouble.reason] ?? "The store is opened again by itself. What was acknowledged is there."}</p>
      <button type="button" onClick={() => (registry.trouble.value = undefined)}>
        Understood
      </button>
    </Alert>
  );
}

function NotOpened({ reason, message }: { reason: Reason; message: string }) {
  const isBroken = reason === "damaged" || reason === "not_a_store" || reason === "other_format";
  return (
    <Alert title={`The store was not opened: ${message}`}>
      <p>{ADVICE[reason] ?? "Try again; if that does not help, reload the page."}</p>
      <div class="row">
        <button type="button" class="primary" onClick={() => void registry.open()}>
          Try again
        </button>
        <button type="button" onClick={() => void registry.open("memory")}>
          Go on in memory for now
        </button>
        {isBroken && <BeginAnew />}
      </div>
    </Alert>
  );
}

const isSaved = signal(false);

/** The file is handed out first: what cannot be read here may be mended elsewhere. */
function BeginAnew() {
  const save = async () => {
    download(await fileOf(TABLES), TABLES);
    isSaved.value = true;
  };
  const remove = async () => {
    await removeFiles();
    await registry.open();
  };
  return (
    <>
      <button type="button" onClick={() => void save()}>
        Download the file
      </button>
      <button type="button" class="danger" disabled={!isSaved.value} onClick={() => void remove()}>
        Delete it and begin anew
      </button>
    </>
  );
}

function Alert({ title, children }: { title: string; children: ComponentChildren }) {
  return (
    <section class="note bad trouble" role="alert">
      <p>
        <b>{title}</b>
      </p>
      {children}
    </section>
  );
}
