// Ordinary work: what pages do with a store all the time. The functions that run meanwhile are those of first.wasm.
import { type Code, Engine } from "../src/engine.js";
import { createFetch } from "../src/fetch.js";
import type { File, Files } from "../src/host.js";
import { Store } from "../src/store.js";
import type { InMemory } from "../src/types.js";

type Options = Omit<InMemory, "memory">;

/** A file, as bytes that may be kept. */
class Bytes implements File {
  bytes = new Uint8Array(0);

  size(): number {
    return this.bytes.length;
  }

  read(at: number, into: Uint8Array): number {
    const read = this.bytes.subarray(at, at + into.length);
    into.set(read);
    return read.length;
  }

  write(at: number, bytes: Uint8Array): number {
    if (at + bytes.length > this.bytes.length) this.truncate(at + bytes.length);
    this.bytes.set(bytes, at);
    return bytes.length;
  }

  truncate(size: number): void {
    const bytes = new Uint8Array(size);
    bytes.set(this.bytes.subarray(0, size));
    this.bytes = bytes;
  }

  flush(): void {}
  close(): void {}
}

/** The files of a store, as a browser keeps them. */
class Kept implements Files {
  readonly onePhase = true;
  readonly tables = new Bytes();
  readonly log = new Bytes();

  begin(blank: () => Uint8Array): this {
    if (this.tables.size() === 0) this.tables.bytes = blank();
    return this;
  }

  /** What is left of them when their tab goes now. */
  left(): Kept {
    const left = new Kept();
    left.tables.bytes = this.tables.bytes.slice();
    left.log.bytes = this.log.bytes.slice();
    return left;
  }

  open(): File {
    return this.tables;
  }

  openLog(make: boolean): File | undefined {
    return make || this.log.size() > 0 ? this.log : undefined;
  }

  removeLog(): void {
    this.log.truncate(0);
  }

  close(): void {}
}

/** Does it, with a store in memory and with stores in files. */
export async function work(code: Code): Promise<void> {
  const opened = async (kept?: Kept, options: Options = {}): Promise<Store> =>
    new Store(await Engine.open(code, options, kept && ((blank) => kept.begin(blank))));

  const inMemory = await opened();
  await use(inMemory);
  await inMemory.close();

  const kept = new Kept();
  const first = await opened(kept);
  await use(first);
  const left = kept.left();
  await first.close();
  await tried([() => first.list()]);
  for (const files of [kept, left]) {
    const again = await opened(files);
    await readAll(again);
    await again.create({ domain: "again.example.com", profile_name: "ada" });
    await again.close();
  }

  const small = await opened(new Kept(), { plan: "startup", cap: 100_000, cacheBytes: 4 << 20, logBytes: 1 << 20 });
  for (let part = 0; part < 5; part += 1) await small.createMany(rows(4000, `${part}.example.com`));
  await readAll(small);
  await small.close();
}

/** Everything that a store can be asked for and does without reading all of it. */
async function use(store: Store): Promise<void> {
  await readAll(store);
  const [id, other] = await write(store);
  await refuse(store, id);
  await write(store, "more.example.com");
  await readAll(store);
  await respond(store, id);
  await store.checkpoint();
  await readAll(store);
  await shrink(store);
  await write(store, "later.example.com");
  await store.delete(other);
  await readAll(store);
}

const rows = (count: number, under: string) =>
  Array.from({ length: count }, (_, n) => ({ domain: `d${n}.${under}`, profile_name: `p${n % 37}` }));

/** Creates, changes and deletes; returns two of the connections that are left. */
async function write(store: Store, under = "example.com"): Promise<[string, string]> {
  const { connection } = await store.ensure({ domain: `Netflix.${under}`, profile_name: "ada" });
  await store.create({ domain: `netflix.${under}`, profile_name: "ada" });
  await store.ensure({ domain: `netflix.${under}`, profile_name: "ada" });
  await store.registerProxy("px_1", "europe").catch(() => {});
  await store.registerProxy("px_2");
  const github = {
    domain: `github.${under}`,
    profile_name: "ada",
    login_url: `https://github.${under}:8443/login?next=%2F#top`,
    allowed_domains: [`accounts.github.${under}`],
    credential: { name: "github-ada" },
    proxy: { id: "px_1" },
    save_credentials: false,
    health_checks: true,
    auto_reauth: true,
    record_session: false,
    health_check_interval: 3600,
  };
  const slack = { domain: `slack.${under}`, profile_name: "ada" };
  for (const connection of [github, slack]) {
    for (let times = 0; times < 2; times += 1) await store.create(connection, { idempotency_key: connection.domain });
  }
  for (const row of rows(20, `one.${under}`)) await store.create({ ...row, profile_name: "ada" });
  const created = await store.createMany(rows(6000, under));
  await store.createMany(rows(50, under));

  const { id } = connection;
  await store.update(id, { login_url: `https://netflix.${under}/login`, allowed_domains: [`a.netflix.${under}`] });
  await store.record(id, { status: "AUTHENTICATED", last_auth_check_at: "2026-01-01T00:00:00Z" });
  const flow = { flow_status: "IN_PROGRESS", flow_type: "LOGIN", flow_step: "AWAITING_INPUT" } as const;
  const email = { name: "email", type: "email", label: "Email", selector: "#email", required: true } as const;
  for (const more of [
    { discovered_fields: [email], mfa_options: [{ type: "sms", label: "Text message" }] },
    { pending_sso_buttons: [{ provider: "google", label: "Google", selector: "#google" }], sso_provider: "google" },
    { error_code: "invalid_credentials", error_message: "Falsches \"Paßwort\"\n", website_error: "wrong password" },
    { sign_in_options: [{ id: "email", label: "Email" }] },
    { hosted_url: "https://example.com/flow", live_view_url: "https://example.com/live", browser_session_id: "one" },
  ]) {
    await store.record(id, { flow: { ...flow, ...more } as never });
    await store.update(id, { record_session: true, credential: github.credential });
  }
  await store.record(id, { flow: null });
  const ids = created.flatMap((row) => ("connection" in row ? [row.connection.id] : []));
  await store.delete(ids[5] as string);
  for await (const one of store.list({ profile_name: "p4", limit: 100 })) await store.delete(one.id);
  await store.deleteProfile("p4");
  await store.removeProxy("px_2");
  return [id, ids[7] as string];
}

/** Profiles of every size, from one connection to more than a row holds, that lose some and then all of them. */
async function shrink(store: Store): Promise<void> {
  for (const lost of [1, 2, Infinity]) {
    for (let size = 1; size <= 20; size += 1) {
      const profile_name = `of-${size}`;
      const domains = rows(size, `of-${lost}.example.com`);
      await store.createMany(domains.map(({ domain }) => ({ domain, profile_name })));
      if (lost === 2) await store.checkpoint();
      const { items } = await store.list({ profile_name, limit: 100 });
      for (const { id } of items.reverse().slice(0, lost)) {
        await store.update(id, { login_url: "https://example.com/login" });
        await store.delete(id);
      }
    }
    await store.checkpoint();
  }
  for (let size = 1; size <= 20; size += 1) await store.deleteProfile(`of-${size}`);
}

async function readAll(store: Store): Promise<void> {
  let last: string | undefined;
  for (const list of [
    store.list(),
    store.list({ limit: 100 }),
    store.list({ profile_name: "p1", limit: 7 }),
    store.list({ domain: "d3.example.com" }),
    store.list({ profile_name: "p1", domain: "d1.example.com" }),
    store.list({ profile_name: "nobody" }),
    store.list({ query: "d1" }),
    store.list({ query: "p1", profile_name: "p1" }),
    store.list({ query: "d1", domain: "d1.example.com" }),
  ]) {
    let left = 300;
    for await (const { id } of list) {
      last = id;
      if ((left -= 1) === 0) break;
    }
  }
  for await (const _ of store.profiles({ limit: 9 }));
  for await (const _ of store.proxies());
  if (last !== undefined) {
    await store.get(last);
    await store.list({ query: last });
    await store.allows(last, "www.d1.example.com");
  }
  await store.get("ma_none");
  await store.find("p1", "d1.example.com");
  await store.find("p1", "none.example.com");

  const { last_change } = await store.stats();
  for (const since of [0, last_change - 2, last_change]) await store.changes(Math.max(since, 0), 100);
  const change = store.create({ domain: `n${last_change}.example.com`, profile_name: "ada" });
  for await (const _ of store.subscribe({ since: last_change })) break;
  await change;
}

/** What is often wrong with requests. */
async function refuse(store: Store, id: string): Promise<void> {
  const pair = { domain: "netflix.org", profile_name: "ada" };
  const wrong = [
    {}, null, { ...pair, domain: "https://netflix.com/login" }, { ...pair, domain: "co_uk" },
    { ...pair, domain: "a..b" }, { ...pair, profile_name: "" }, { ...pair, profile_name: "José" },
    { ...pair, unknown: 1.5e10 }, { ...pair, domain: 5 }, { ...pair, credential: [] },
    { ...pair, login_url: "http:/" }, { ...pair, health_check_interval: 1 }, { ...pair, proxy: { id: "none" } },
  ];
  await tried([
    ...wrong.map((connection) => () => store.create(connection as never)),
    () => store.createMany(wrong as never),
    () => store.create(pair, { idempotency_key: "slack.example.com" }),
    () => store.create(pair, { idempotency_key: "" }),
    () => store.registerProxy("one"),
    () => store.get(5 as never),
    () => store.find("ada", "https://netflix.com"),
    () => store.update("ma_none", { login_url: null as never }),
    () => store.update(id, { domain: "other.example.com" } as never),
    () => store.record(id, { status: "UNKNOWN" } as never),
    () => store.delete("ma_none"),
    () => store.deleteProfile("ada"),
    () => store.deleteProfile("nobody"),
    () => store.removeProxy("px_1"),
    () => store.removeProxy("px_none"),
    () => store.list({ cursor: "none" }),
    () => store.list({ limit: 1000 }),
    () => store.list({ unknown: 1 } as never),
    () => store.changes(1e9),
  ]);
}

/** Does what is refused. */
async function tried(calls: (() => PromiseLike<unknown>)[]): Promise<void> {
  for (const call of calls) {
    try {
      await call();
    } catch {
      // It ran.
    }
  }
}

/** The HTTP API. */
async function respond(store: Store, id: string): Promise<void> {
  const fetch = createFetch(store);
  const ask = async (method: string, path: string, body?: unknown, further = {}): Promise<void> => {
    const headers = { "content-type": "application/json", ...further };
    await fetch(`http://offline${path}`, { method, headers, body: JSON.stringify(body) ?? null });
  };
  const path = "/auth/connections";
  const pair = { domain: "http.example.com", profile_name: "ada" };
  for (let times = 0; times < 2; times += 1) await ask("POST", path, pair);
  const keyed = { ...pair, domain: "key.example.com" };
  for (const body of [keyed, keyed, { ...keyed, record_session: true }]) {
    await ask("POST", path, body, { "idempotency-key": "key" });
  }
  await ask("POST", path, pair, { prefer: "resolution=ignore-duplicates" });
  await ask("POST", path, { domain: "/" });
  await ask("GET", path);
  await ask("GET", `${path}?profile_name=ada&limit=5&offset=2`);
  await ask("GET", `${path}/${id}`);
  await ask("GET", `${path}/ma_none`);
  await ask("PATCH", `${path}/${id}`, { login_url: "https://netflix.example.com/" });
  await ask("PATCH", `${path}/ma_none`, {});
  await ask("DELETE", `${path}/${id}`);
  await ask("DELETE", `${path}/ma_none`);
  for (const list of [path, "/profiles", "/proxies"]) await ask("GET", `${list}?limit=1`);
  await ask("GET", `${path}?domain=netflix.com&query=net`);
  await ask("PUT", "/proxies/px_http", { name: "http" });
  await ask("PUT", "/proxies/px_http", {});
  await ask("DELETE", "/proxies/px_http");
  for (const name of ["ada", "nobody"]) await ask("DELETE", `/profiles/${name}`);
  await ask("GET", "/none");
  await ask("PUT", path, {});
  await fetch(`http://offline${path}`, { method: "POST", body: "{", headers: { "content-type": "application/json" } });
}
