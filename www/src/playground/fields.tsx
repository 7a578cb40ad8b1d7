// The fields of a connection: what create and edit have in common, each with what the engine refused of it.
import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";
import type { Violation } from "connectory";
import type { Settings } from "./draft.ts";
import { proxies } from "./counted.ts";

export interface FieldsOf<T> {
  draft: T;
  change: (change: Partial<T>) => void;
  violations: Violation[];
}

/** What was refused of a field: the engine's sentences that begin with its name, without it. */
export function refusalsOf(violations: Violation[], field: string): string[] {
  return violations.flatMap(({ message }) => {
    const [, name, rest] = /^([\w.[\]-]+): ([^]*)$/.exec(message) ?? [];
    return name !== undefined && (name === field || name.startsWith(`${field}.`) || name.startsWith(`${field}[`))
      ? [name === field ? (rest ?? "") : message]
      : [];
  });
}

/** Those that show what was refused of them. */
export const FIELDS = [
  "domain",
  "profile_name",
  "login_url",
  "proxy",
  "credential",
  "allowed_domains",
  "health_check_interval",
  "Idempotency-Key",
];

interface Control {
  id: string;
  "aria-invalid": boolean;
  "aria-describedby"?: string;
}

/** A label, a control, a hint, and what was refused. */
export function Field({
  label,
  hint,
  refused,
  children,
}: {
  label: string;
  hint?: string;
  refused: string[];
  children: (control: Control) => ComponentChildren;
}) {
  const id = useId();
  const hints = [hint && `${id}-hint`, refused.length > 0 && `${id}-refused`].filter(Boolean).join(" ");
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {children({ id, "aria-invalid": refused.length > 0, ...(hints && { "aria-describedby": hints }) })}
      {hint && (
        <span class="hint" id={`${id}-hint`}>
          {hint}
        </span>
      )}
      <div id={`${id}-refused`}>
        {refused.map((message) => (
          <p class="refusal">{message}</p>
        ))}
      </div>
    </div>
  );
}

type Texts<T> = { [K in keyof T]: T[K] extends string ? K : never }[keyof T] & string;

/** A field of one line of text. */
export function TextField<T>({
  draft,
  change,
  violations,
  name,
  label = name,
  of = name,
  hint,
  ...attributes
}: FieldsOf<T> & {
  name: Texts<T>;
  label?: string;
  /** Its name in refusals. */ of?: string;
  hint?: string;
  placeholder?: string;
  inputMode?: "url" | "numeric";
}) {
  return (
    <Field label={label} {...(hint && { hint })} refused={refusalsOf(violations, of)}>
      {(control) => (
        <input
          {...control}
          {...attributes}
          name={name}
          type="text"
          autocomplete="off"
          autocapitalize="off"
          spellcheck={false}
          value={String(draft[name])}
          onInput={({ currentTarget }) => change({ [name]: currentTarget.value } as Partial<T>)}
        />
      )}
    </Field>
  );
}

/** A switch. */
export function Check({
  label,
  checked,
  onChange,
  hint,
}: {
  label: ComponentChildren;
  checked: boolean;
  onChange: (checked: boolean) => void;
  hint?: string;
}) {
  const id = useId();
  return (
    <div class="field">
      <label class="check" for={id}>
        <input
          id={id}
          type="checkbox"
          checked={checked}
          {...(hint && { "aria-describedby": `${id}-hint` })}
          onChange={({ currentTarget }) => onChange(currentTarget.checked)}
        />
        <span>{label}</span>
      </label>
      {hint && (
        <span class="hint" id={`${id}-hint`}>
          {hint}
        </span>
      )}
    </div>
  );
}

const SWITCHES = [
  ["health_checks", "whether health is checked at all"],
  ["auto_reauth", "whether a failed check may lead to another login"],
  ["save_credentials", "whether credentials that a login used are kept"],
  ["record_session", "whether browser sessions are recorded"],
] as const;

/** Everything that may be said besides the pair. */
export function SettingsFields(form: FieldsOf<Settings>) {
  const { draft, change, violations } = form;
  return (
    <div class="stack">
      <TextField
        {...form}
        name="login_url"
        placeholder="https://netflix.com/login"
        hint="the page where a login starts"
        inputMode="url"
      />
      <Field label="proxy" refused={refusalsOf(violations, "proxy")} hint="registered below, under Proxies">
        {(control) => (
          <select
            {...control}
            value={draft.proxy}
            onChange={({ currentTarget }) => change({ proxy: currentTarget.value })}
          >
            <option value="">none</option>
            {proxies.value.map(({ id }) => (
              <option value={`id:${id}`}>by id: {id}</option>
            ))}
            {[...new Set(proxies.value.flatMap(({ name }) => name ?? []))].map((name) => (
              <option value={`name:${name}`}>by name: {name}</option>
            ))}
            <option value="name:unheard-of">by name: unheard-of (to see it refused)</option>
          </select>
        )}
      </Field>
      <CredentialFields {...form} />
      <Field
        label="allowed_domains"
        refused={refusalsOf(violations, "allowed_domains")}
        hint="further hosts of the login, one a line"
      >
        {(control) => (
          <textarea
            {...control}
            rows={2}
            placeholder={"*.netflix.com\naccounts.google.com"}
            value={draft.allowed_domains}
            spellcheck={false}
            onInput={({ currentTarget }) => change({ allowed_domains: currentTarget.value })}
          />
        )}
      </Field>
      <TextField
        {...form}
        name="health_check_interval"
        placeholder="3600"
        hint="seconds, 300 to 86400"
        inputMode="numeric"
      />
      <fieldset class="switches">
        <legend class="visually-hidden">Switches</legend>
        {SWITCHES.map(([name, meaning]) => (
          <Check
            label={name}
            hint={meaning}
            checked={draft[name]}
            onChange={(checked) => change({ [name]: checked })}
          />
        ))}
      </fieldset>
    </div>
  );
}

function CredentialFields(form: FieldsOf<Settings>) {
  const { draft, change, violations } = form;
  const isFromProvider = draft.credential === "path" || draft.credential === "auto";
  return (
    <div class="stack">
      <Field
        label="credential"
        refused={refusalsOf(violations, "credential")}
        hint="where the secret is kept; never the secret itself"
      >
        {(control) => (
          <select
            {...control}
            value={draft.credential}
            onChange={({ currentTarget }) => change({ credential: currentTarget.value as Settings["credential"] })}
          >
            <option value="none">none</option>
            <option value="name">by name</option>
            <option value="path">by provider and path</option>
            <option value="auto">by provider, looked up for the domain</option>
          </select>
        )}
      </Field>
      {draft.credential === "name" && <TextField {...form} name="credential_name" label="credential.name" of="-" />}
      {isFromProvider && (
        <TextField {...form} name="credential_provider" label="credential.provider" of="-" placeholder="my-vault" />
      )}
      {draft.credential === "path" && (
        <TextField {...form} name="credential_path" label="credential.path" of="-" placeholder="Personal/Netflix" />
      )}
    </div>
  );
}
