// The same registry as one would write it by hand on the object's SQL: the database keeps the pair unique.
//
// It checks less than the engine does (no international names, no idempotency, no proxies), which is to its advantage.
import { DurableObject } from "cloudflare:workers";
import type { Answer } from "../../bindings/edge/src/glue.js";
import { check, conflict, connectionOf } from "../javascript/rules.mjs";

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
    const request = JSON.parse(new TextDecoder().decode(body)) as { profile_name: string; domain: string };
    check(request);
    const { profile_name, domain } = request;
    const { sql } = this.ctx.storage;
    const [taken] = sql.exec<{ id: string }>("SELECT id FROM connections WHERE profile = ? AND domain = ?", profile_name, domain);
    if (taken) {
      const body = JSON.stringify({ ...conflict(taken.id), outcome: undefined });
      return { status: 409, headers: [JSON_TYPE, ["x-should-retry", "false"]], body };
    }
    const id = this.#id();
    const data = JSON.stringify(connectionOf(id, request));
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
