// The form that creates a connection, the request that it makes, and the answer.
import { signal } from "@preact/signals";
import type { Violation } from "connectory";
import { useEffect } from "preact/hooks";
import { Check, refusalsOf, TextField } from "./controls.tsx";
import { FIELDS, SettingsFields } from "./fields.tsx";
import { createHeaders, type Draft, FIRST_DRAFT, newConnection } from "./draft.ts";
import { jumpTo } from "./listing.ts";
import { type Answer, detailsOf, registry, type Request } from "./registry.ts";

const draft = signal<Draft>(FIRST_DRAFT);
const answer = signal<Answer | undefined>(undefined);
const violations = signal<Violation[]>([]);

function change(changed: Partial<Draft>): void {
  draft.value = { ...draft.peek(), ...changed };
}

function requestOf(draft: Draft): Request {
  return { method: "POST", path: "/auth/connections", headers: createHeaders(draft), body: newConnection(draft) };
}

/** After the frame that shows the press, for which browsers let everything else wait: the time told is the answer's own. */
const shown = () => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));

async function create(event: Event): Promise<void> {
  event.preventDefault();
  // What stood there when it was pressed.
  const request = requestOf(draft.peek());
  await shown();
  answer.value = await registry.ask(request);
  violations.value = detailsOf(answer.value);
}

export function Create() {
  const form = { draft: draft.value, change, violations: violations.value };
  const isReady = registry.state.value.is === "open";
  useEffect(() => document.querySelector<HTMLElement>('#create [aria-invalid="true"]')?.focus(), [violations.value]);
  return (
    <section class="create" aria-labelledby="create-title">
      <form id="create" class="card stack" onSubmit={create} noValidate>
        <h2 id="create-title">Create a connection</h2>
        <TextField {...form} name="domain" hint="a bare host name" inputMode="url" />
        <TextField {...form} name="profile_name" hint="letters, digits, '.', '_' and '-'" />
        <Check
          label={
            <>
              <code>ensure</code>: if it is there, give it to me
            </>
          }
          checked={draft.value.ensure}
          onChange={(ensure) => change({ ensure })}
        />
        <details>
          <summary>More fields</summary>
          <div class="stack more">
            <SettingsFields {...form} />
            <TextField
              {...form}
              name="idempotency_key"
              label="Idempotency-Key"
              of="Idempotency-Key"
              hint="send it twice: the second answer is the first one's connection"
            />
          </div>
        </details>
        <Unplaced violations={violations.value} />
        <div class="row">
          <button class="primary" type="submit" disabled={!isReady}>
            Create
          </button>
          <button type="button" class="quiet" onClick={() => (change(FIRST_DRAFT), (violations.value = []))}>
            Reset
          </button>
        </div>
      </form>
      <div class="stack exchange">
        <RequestCard request={requestOf(draft.value)} />
        <AnswerCard />
      </div>
    </section>
  );
}

/** What was refused of nothing that the form has a field for. */
export function Unplaced({ violations }: { violations: Violation[] }) {
  const messages = violations.filter((violation) =>
    FIELDS.every((field) => refusalsOf([violation], field).length === 0),
  );
  return (
    <div role="alert">
      {messages.map(({ message }) => (
        <p class="refusal">{message}</p>
      ))}
    </div>
  );
}

/** A request as it goes to the engine. */
export function RequestCard({ request: { method, path, headers, body } }: { request: Request }) {
  return (
    <section class="card" aria-label="The request">
      <h3>Request</h3>
      <pre class="exchanged" tabIndex={0} aria-label="The request as text">
        <code>
          {`${method} ${path}\n`}
          {Object.entries(headers ?? {}).map(([name, value]) => `${name}: ${value}\n`)}
          {`\n${JSON.stringify(body, null, 2)}`}
        </code>
      </pre>
    </section>
  );
}

const SHOWN_HEADERS = ["location", "preference-applied", "idempotency-replayed", "x-should-retry", "retry-after"];
const MEANINGS: Record<number, string> = {
  200: "OK: it was there",
  201: "Created",
  400: "Bad Request",
  403: "Forbidden",
  409: "Conflict",
  413: "Payload Too Large",
  422: "Unprocessable Content",
  500: "Internal Server Error",
  503: "Service Unavailable",
  507: "Insufficient Storage",
};

function AnswerCard() {
  const { value } = answer;
  const holder = (value?.body as { existing_id?: string } | undefined)?.existing_id;
  const id = (value?.body as { id?: string } | undefined)?.id;
  return (
    <section class="card answer" aria-label="The answer">
      <div class="row spread">
        <h3>Answer</h3>
        <span role="status">
          {value && (
            <>
              <span class={`badge ${kindOf(value.status)}`}>
                {value.status} {MEANINGS[value.status]}
              </span>{" "}
              <span class="muted took">{value.tookMs.toFixed(1)} ms</span>
            </>
          )}
        </span>
      </div>
      <p class="verdict">
        {holder && (
          <>
            The pair is taken. <JumpTo id={holder}>Go to the holder</JumpTo>
          </>
        )}
        {id && <JumpTo id={id}>Show it in the table</JumpTo>}
      </p>
      <pre class="exchanged" tabIndex={0} aria-label="The answer as text">
        <code>{value ? textOf(value) : "Press Create. Then press it again."}</code>
      </pre>
    </section>
  );
}

function textOf({ headers, body }: Answer): string {
  const lines = headers.filter(([name]) => SHOWN_HEADERS.includes(name)).map(([name, value]) => `${name}: ${value}\n`);
  return `${lines.join("")}${lines.length > 0 ? "\n" : ""}${JSON.stringify(body, null, 2)}`;
}

function kindOf(status: number): string {
  return status < 300 ? "good" : status === 409 ? "warn" : "bad";
}

function JumpTo({ id, children }: { id: string; children: string }) {
  return (
    <a href={`#${id}`} onClick={() => jumpTo(id)}>
      {children}
    </a>
  );
}
