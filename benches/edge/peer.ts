// The same registry as one would write it by hand on the object's SQL: the database keeps the pair unique.
//
// It checks less than the engine does (no international names, no idempotency, no proxies), which is to its advantage.
import { DurableObject } from "cloudflare:workers";
import type { Answer } from "../../bindings/edge/src/glue.js";

const NAME = /^[A-Za-z0-9._-]{1,255}$/;
const DOMAIN = /^[a-z0-9-]+(\.[a-z0-9-]+)*$/;
const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";
const JSON_TYPE = ["content-type", "application/json"];

export class Peer extends DurableObject {
  #rows = 0;
  #bytes = 0;
  #last = 0n;

  constructor(ctx: DurableObjectState, env: unknown) {
    super(ctx, env);
    const { sql } = ctx.storage;
    // An ID names its row; the pair is unique; lists go by domain and by profile, newest first.
    sql.exec("CREATE TABLE IF NOT EXISTS connections (id TEXT PRIMARY KEY, profile TEXT NOT NULL, domain TEXT NOT NULL, data TEXT NOT NULL) WITHOUT ROWID");
    sql.exec("CREATE UNIQUE INDEX IF NOT EXISTS pair ON connections (profile, domain)");
    sql.exec("CREATE INDEX IF NOT EXISTS by_domain ON connections (domain, id)");
    sql.exec("CREATE TABLE IF NOT EXISTS profiles (name TEXT PRIMARY KEY) WITHOUT ROWID");
  }

  /** As the engine's IDs: 128 bits that rise. */
  #id(): string {
    const [high = 0n, low = 0n] = crypto.getRandomValues(new BigUint64Array(2));
    const next = (BigInt(Date.now()) << 80n) | ((high >> 1n) << 16n) | (low & 0xffffn);
    this.#last = next > this.#last ? next : this.#last + (low & 0xffff_ffffn) + 1n;
    let text = "";
    for (let shift = 125n; shift >= 0n; shift -= 5n) text += ALPHABET[Number((this.#last >> shift) & 31n)];
    return `ma_${text}`;
  }

  async respond(method: string, _target: string, _headers: string[][], body: Uint8Array): Promise<Answer> {
    if (method !== "POST") return { status: 405, headers: [] };
    const request = JSON.parse(new TextDecoder().decode(body)) as { profile_name?: unknown; domain?: unknown };
    const { profile_name, domain } = request;
    if (typeof profile_name !== "string" || !NAME.test(profile_name) || typeof domain !== "string" || !DOMAIN.test(domain)) {
      return { status: 400, headers: [JSON_TYPE], body: JSON.stringify({ code: "bad_request" }) };
    }
    const { sql } = this.ctx.storage;
    const [taken] = sql.exec<{ id: string }>("SELECT id FROM connections WHERE profile = ? AND domain = ?", profile_name, domain);
    if (taken) {
      const conflict = { code: "already_exists", message: "this profile already has an auth connection for this domain", existing_id: taken.id };
      return { status: 409, headers: [JSON_TYPE, ["x-should-retry", "false"]], body: JSON.stringify(conflict) };
    }
    const id = this.#id();
    const data = JSON.stringify(fresh(id, profile_name, domain));
    const profile = sql.exec("INSERT OR IGNORE INTO profiles (name) VALUES (?)", profile_name);
    const row = sql.exec("INSERT INTO connections (id, profile, domain, data) VALUES (?, ?, ?, ?)", id, profile_name, domain, data);
    this.#rows += profile.rowsWritten + row.rowsWritten;
    this.#bytes += data.length;
    return { status: 201, headers: [JSON_TYPE, ["location", `/auth/connections/${id}`]], body: data };
  }

  /** Answers `requests` one after the other, each of them durable before the next. */
  async loop(requests: Uint8Array[]): Promise<number[]> {
    const statuses: number[] = [];
    for (const body of requests) {
      const { status } = await this.respond("POST", "/auth/connections", [JSON_TYPE], body);
      if (status === 201) await this.ctx.storage.sync();
      statuses.push(status);
    }
    return statuses;
  }

  async fill(requests: Uint8Array[]): Promise<void> {
    for (const body of requests) await this.respond("POST", "/auth/connections", [JSON_TYPE], body);
  }

  async written(): Promise<{ rowsWritten: number; bytesWritten: number; databaseBytes: number }> {
    return { rowsWritten: this.#rows, bytesWritten: this.#bytes, databaseBytes: this.ctx.storage.sql.databaseSize };
  }
}

function fresh(id: string, profile_name: string, domain: string) {
  return {
    id,
    profile_name,
    domain,
    status: "NEEDS_AUTH",
    can_reauth: false,
    can_reauth_reason: "no_prior_successful_login",
    flow_status: null,
    flow_step: null,
    flow_type: null,
    flow_expires_at: null,
    discovered_fields: null,
    mfa_options: null,
    sign_in_options: null,
    pending_sso_buttons: null,
    external_action_message: null,
    website_error: null,
    sso_provider: null,
    error_message: null,
    error_code: null,
    hosted_url: null,
    live_view_url: null,
    browser_session_id: null,
    health_check_interval: 3600,
    health_checks: true,
    auto_reauth: true,
    save_credentials: true,
    record_session: false,
  };
}
