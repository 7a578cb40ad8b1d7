// The fields of a connection besides its pair: what create and edit have in common.
import { Check, Choice, Field, type FieldsOf, refusalsOf, TextField } from "./controls.tsx";
import { proxies } from "./counted.ts";
import type { Settings } from "./draft.ts";

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
      <Choice
        label="proxy"
        hint="registered below, under Proxies"
        refused={refusalsOf(violations, "proxy")}
        value={draft.proxy}
        options={[["", "none"], ...proxyChoices(), ["name:unheard-of", "by name: unheard-of (to see it refused)"]]}
        onChange={(proxy) => change({ proxy })}
      />
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

function proxyChoices(): [string, string][] {
  const names = new Set(proxies.value.flatMap(({ name }) => name ?? []));
  return [
    ...proxies.value.map(({ id }): [string, string] => [`id:${id}`, `by id: ${id}`]),
    ...[...names].map((name): [string, string] => [`name:${name}`, `by name: ${name}`]),
  ];
}

const CREDENTIALS = [
  ["none", "none"],
  ["name", "by name"],
  ["path", "by provider and path"],
  ["auto", "by provider, looked up for the domain"],
] as const;

/** The texts of each kind of credential. */
const CREDENTIAL_TEXTS = {
  none: [],
  name: [["credential_name", "credential.name", ""]],
  path: [
    ["credential_provider", "credential.provider", "my-vault"],
    ["credential_path", "credential.path", "Personal/Netflix"],
  ],
  auto: [["credential_provider", "credential.provider", "my-vault"]],
} as const;

function CredentialFields(form: FieldsOf<Settings>) {
  const { draft, change, violations } = form;
  const texts = CREDENTIAL_TEXTS[draft.credential];
  // What a text of it shows is not said twice.
  const others = violations.filter((one) => texts.every(([, label]) => refusalsOf([one], label).length === 0));
  return (
    <div class="stack">
      <Choice
        label="credential"
        hint="where the secret is kept; never the secret itself"
        refused={refusalsOf(others, "credential")}
        value={draft.credential}
        options={CREDENTIALS}
        onChange={(credential) => change({ credential })}
      />
      {texts.map(([name, label, placeholder]) => (
        <TextField key={name} {...form} name={name} label={label} of={label} placeholder={placeholder} />
      ))}
    </div>
  );
}
