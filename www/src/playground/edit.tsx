// The dialog that changes a connection, with the request that it makes.
import { signal } from "@preact/signals";
import type { Connection, Violation } from "connectory";
import { RequestCard, Unplaced } from "./create.tsx";
import { Dialog } from "./dialog.tsx";
import { changesOf, type Settings, settingsOf } from "./draft.ts";
import { SettingsFields } from "./fields.tsx";
import { detailsOf, registry, type Request } from "./registry.ts";

interface Editing {
  connection: Connection;
  draft: Settings;
  violations: Violation[];
  /** What kept it from being changed, besides what is wrong with fields. */
  failure: string;
}

const editing = signal<Editing | undefined>(undefined);

/** Opens the dialog on the connection as it stands now, which the table may not show yet. */
export async function edit(id: string): Promise<void> {
  const { status, body } = await registry.ask({ method: "GET", path: `/auth/connections/${id}` });
  if (status !== 200) return registry.changed();
  const connection = body as Connection;
  editing.value = { connection, draft: settingsOf(connection), violations: [], failure: "" };
}

const close = () => (editing.value = undefined);

function requestOf({ connection, draft }: Editing): Request {
  return {
    method: "PATCH",
    path: `/auth/connections/${connection.id}`,
    body: changesOf(settingsOf(connection), draft),
  };
}

async function save(event: Event): Promise<void> {
  event.preventDefault();
  const now = editing.peek();
  if (!now) return;
  const answer = await registry.ask(requestOf(now));
  if (answer.status === 200) return void close();
  const violations = detailsOf(answer);
  const { message } = answer.body as { message: string };
  editing.value = { ...now, violations, failure: violations.length > 0 ? "" : message };
}

export function Edit() {
  const { value } = editing;
  if (!value) return null;
  const { connection, draft, violations, failure } = value;
  const change = (changed: Partial<Settings>) => (editing.value = { ...value, draft: { ...draft, ...changed } });
  return (
    <Dialog key={connection.id} title={`${connection.domain} of ${connection.profile_name}`} onClose={close}>
      <form class="stack" onSubmit={save} noValidate>
        <p class="muted">A domain and a profile never change: that would be another connection.</p>
        <SettingsFields draft={draft} change={change} violations={violations} />
        <RequestCard request={requestOf(value)} />
        <details>
          <summary>As the API answers it</summary>
          <pre tabIndex={0}>
            <code>{JSON.stringify(connection, null, 2)}</code>
          </pre>
        </details>
        <Unplaced violations={violations} />
        <p class="refusal" role="alert">
          {failure}
        </p>
        <div class="row actions">
          <button class="primary" type="submit">
            Save
          </button>
          <button type="button" onClick={close}>
            Cancel
          </button>
        </div>
      </form>
    </Dialog>
  );
}
