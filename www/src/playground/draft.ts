// A connection as a form holds it, and the requests that are made of it.
import type { Connection, ConnectionChanges, Credential, NewConnection, ProxyChoice } from "connectory";

/** What may be said of a connection besides its pair, as texts and switches. */
export interface Settings {
  login_url: string;
  /** `""`, or how the proxy is named: `id:…`, `name:…`. */
  proxy: string;
  credential: "none" | "name" | "path" | "auto";
  credential_name: string;
  credential_provider: string;
  credential_path: string;
  /** One a line. */
  allowed_domains: string;
  health_check_interval: string;
  health_checks: boolean;
  auto_reauth: boolean;
  save_credentials: boolean;
  record_session: boolean;
}

/** Everything that a create may say. */
export interface Draft extends Settings {
  domain: string;
  profile_name: string;
  ensure: boolean;
  idempotency_key: string;
}

const DEFAULTS: Settings = {
  login_url: "",
  proxy: "",
  credential: "none",
  credential_name: "",
  credential_provider: "",
  credential_path: "",
  allowed_domains: "",
  health_check_interval: "",
  health_checks: true,
  auto_reauth: true,
  save_credentials: true,
  record_session: false,
};

export const FIRST_DRAFT: Draft = {
  ...DEFAULTS,
  domain: "netflix.com",
  profile_name: "user-123",
  ensure: false,
  idempotency_key: "",
};

const SWITCHES = ["health_checks", "auto_reauth", "save_credentials", "record_session"] as const;

/** The body of a create: what differs from the defaults. */
export function newConnection(draft: Draft): NewConnection {
  const { domain, profile_name } = draft;
  return { domain, profile_name, ...said(draft, DEFAULTS) } as NewConnection;
}

/** The headers of a create. */
export function createHeaders({ ensure, idempotency_key }: Draft): Record<string, string> {
  return {
    ...(ensure && { prefer: "resolution=ignore-duplicates" }),
    ...(idempotency_key !== "" && { "idempotency-key": idempotency_key }),
  };
}

/** The body of an update: what was changed, and how what was emptied is taken away. */
export function changesOf(before: Settings, after: Settings): ConnectionChanges {
  const cleared: Record<string, unknown> = { login_url: "", proxy: null, credential: null, allowed_domains: [] };
  const now = values(after);
  const taken = Object.keys(values(before)).filter((name) => !(name in now) && name in cleared);
  return {
    ...said(after, before),
    ...Object.fromEntries(taken.map((name) => [name, cleared[name]])),
  } as ConnectionChanges;
}

/** The settings of a connection that is there. */
export function settingsOf(connection: Connection): Settings {
  const { credential } = connection;
  const parts = (credential ?? {}) as { name?: string; provider?: string; path?: string; auto?: boolean };
  return {
    ...DEFAULTS,
    login_url: connection.login_url ?? "",
    proxy: connection.proxy_id === undefined ? "" : `id:${connection.proxy_id}`,
    credential: credential === undefined ? "none" : parts.name !== undefined ? "name" : parts.auto ? "auto" : "path",
    credential_name: parts.name ?? "",
    credential_provider: parts.provider ?? "",
    credential_path: parts.path ?? "",
    allowed_domains: (connection.allowed_domains ?? []).join("\n"),
    health_check_interval: String(connection.health_check_interval),
    ...Object.fromEntries(SWITCHES.map((name) => [name, connection[name]])),
  };
}

/** What one form says that another does not. */
function said(form: Settings, other: Settings): Record<string, unknown> {
  const body = values(form);
  const others = values(other);
  const differs = ([name, value]: [string, unknown]) => JSON.stringify(value) !== JSON.stringify(others[name]);
  return Object.fromEntries(Object.entries(body).filter(differs));
}

/** A form as the API names and types its values; nothing for what is left empty. */
function values(form: Settings): Record<string, unknown> {
  const domains = form.allowed_domains.split("\n").filter((line) => line !== "");
  return {
    ...(form.login_url !== "" && { login_url: form.login_url }),
    ...(form.proxy !== "" && { proxy: proxyOf(form.proxy) }),
    ...(form.credential !== "none" && { credential: credentialOf(form) }),
    ...(domains.length > 0 && { allowed_domains: domains }),
    ...(form.health_check_interval !== "" && { health_check_interval: numberOr(form.health_check_interval) }),
    ...Object.fromEntries(SWITCHES.map((name) => [name, form[name]])),
  };
}

function proxyOf(chosen: string): ProxyChoice {
  const colon = chosen.indexOf(":");
  return { [chosen.slice(0, colon)]: chosen.slice(colon + 1) } as ProxyChoice;
}

function credentialOf(form: Settings): Credential {
  if (form.credential === "name") return { name: form.credential_name };
  const provider = form.credential_provider;
  return form.credential === "auto" ? { provider, auto: true } : { provider, path: form.credential_path };
}

/** What is no number goes as it is: the engine says what would be right. */
function numberOr(text: string): number | string {
  const number = Number(text);
  return text.trim() === "" || Number.isNaN(number) ? text : number;
}
