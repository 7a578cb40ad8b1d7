// A store as the cases see it: operations as calls, and what they return or throw as answers.

const MASK = (1n << 64n) - 1n;

/** The same stamps as those of the Rust runner, so that both make the same IDs. */
export function stamps() {
  let n = 0;
  return () => {
    const back_ms = n % 7 === 6 ? 5_000 : 0;
    const now_ms = 1_700_000_000_000 + Math.floor(n / 3) - back_ms;
    const random = (BigInt(n + 1) * 0x9e37_79b9_7f4a_7c15n) & MASK;
    n += 1;
    return { now_ms, random };
  };
}

/** The text of a dump. */
export async function textOf(store) {
  return new Response(store.dump()).text();
}

/** What was thrown, as the API's error body. */
function errorBody(error) {
  if (typeof error.code !== "string") throw error;
  const { code, message, details } = error;
  return details === undefined ? { code, message } : { code, message, details };
}

const done = { is: "done" };
const found = (body) => ({ is: "found", body });
const listed = (items, next) => ({ is: "listed", items, next });
const page = ({ items, next_cursor }) => listed(items.map(found), next_cursor);
const refused = (error) => {
  const body = errorBody(error);
  return { is: body.code, body };
};

/** An object there, or the error that other doors answer with. */
function there(body, message) {
  if (body !== undefined) return found(body);
  return { is: "not_found", body: { code: "not_found", message } };
}

function creation({ outcome, connection, error, ...rest }) {
  if (outcome === "conflict") return { is: outcome, body: rest };
  if (Object.keys(rest).length > 0) throw new TypeError(`unknown members ${Object.keys(rest)}`);
  if (outcome === "refused" || outcome === "failed") return refused(error);
  return { is: outcome, body: connection };
}

const createOptions = ({ key, ensure }) => {
  const options = {};
  if (key != null) options.idempotency_key = key;
  if (ensure === true) options.ensure = true;
  return options;
};

/** A store opened by `open`, which is given the options, and a new place each time. */
export class Subject {
  #open;
  #opening;
  #stamps = stamps();

  static async of(open, opening = {}) {
    const subject = new this();
    subject.#open = open;
    await subject.#begin(opening);
    return subject;
  }

  async #begin(opening) {
    this.#opening = opening;
    this.store = await this.#open({ ...opening, stamps: this.#stamps });
  }

  /** Does what the step says. */
  async perform(operation) {
    try {
      return await this.ask(operation);
    } catch (error) {
      return refused(error);
    }
  }

  async ask({ name, value, ...options }) {
    const { store } = this;
    switch (name) {
      case "create":
        return creation(await store.create(value, createOptions(options)));
      case "create_many":
        return listed((await store.createMany(value, createOptions(options))).map(creation));
      case "update":
        return found(await store.update(...value));
      case "record":
        return found(await store.record(...value));
      case "get":
        return there(await store.get(value), `no auth connection has the ID ${JSON.stringify(value)}`);
      case "find": {
        const [profile, domain] = value.map((text) => JSON.stringify(text));
        return there(await store.find(...value), `profile ${profile} has no auth connection for ${domain}`);
      }
      case "delete":
        await store.delete(value);
        return done;
      case "list":
        return page(await store.list(value));
      case "profiles":
        return page(await store.profiles(value));
      case "delete_profile":
        await store.deleteProfile(value);
        return done;
      case "register_proxy":
        return found(await store.registerProxy(value[0], value[1] ?? undefined));
      case "proxies":
        return page(await store.proxies(value));
      case "remove_proxy":
        await store.removeProxy(value);
        return done;
      case "allows":
        return { is: String(await store.allows(...value)) };
      case "changes": {
        const { changes, oldest } = await store.changes(value.since, value.limit);
        return changes === undefined ? { is: "too_old", body: { oldest } } : listed(changes.map(found));
      }
      case "reopen":
        await this.#reopen(value);
        return done;
      default:
        throw new TypeError(`${name} is not an operation`);
    }
  }

  async #reopen(opening) {
    const before = this.store;
    await this.#begin(opening === true ? this.#opening : opening);
    await this.store.load(before.dump());
    await before.close();
  }

  dump() {
    return textOf(this.store);
  }

  async problems() {
    return (await this.store.check()).problems;
  }
}

const BASE = "http://connectory.example";
const PATHS = { list: "/auth/connections", profiles: "/profiles", proxies: "/proxies" };

/** The same behind `createFetch`; what has no form over HTTP is asked of the store. */
export class OverFetch extends Subject {
  static createFetch;

  async #send(method, path, { body, headers = {} } = {}) {
    const init = { method, headers };
    if (body !== undefined) {
      init.body = typeof body === "string" ? body : JSON.stringify(body);
      init.headers = { "content-type": "application/json", ...headers };
    }
    const response = await OverFetch.createFetch(this.store)(BASE + path, init);
    const text = await response.text();
    return { response, body: text === "" ? undefined : JSON.parse(text) };
  }

  async ask({ name, value, ...options }) {
    const given = (answer, is = "found") => {
      const { response, body } = answer;
      return response.ok ? { is, body } : { is: body.code, body };
    };
    const id = (text) => encodeURIComponent(text);
    switch (name) {
      case "create": {
        const headers = {};
        if (options.key != null) headers["idempotency-key"] = options.key;
        if (options.ensure === true) headers.prefer = "resolution=ignore-duplicates";
        const { response, body } = await this.#send("POST", "/auth/connections", { body: value, headers });
        if (response.status === 409) return { is: "conflict", body };
        if (!response.ok) return { is: body.code, body };
        if (response.headers.get("idempotency-replayed") === "true") return { is: "replayed", body };
        return { is: response.status === 201 ? "created" : "existing", body };
      }
      case "update":
        return given(await this.#send("PATCH", `/auth/connections/${id(value[0])}`, { body: value[1] }));
      case "get":
        return given(await this.#send("GET", `/auth/connections/${id(value)}`));
      case "delete":
        return given(await this.#send("DELETE", `/auth/connections/${id(value)}`), "done");
      case "delete_profile":
        return given(await this.#send("DELETE", `/profiles/${id(value)}`), "done");
      case "register_proxy": {
        const body = value[1] == null ? {} : { name: value[1] };
        return given(await this.#send("PUT", `/proxies/${id(value[0])}`, { body }));
      }
      case "remove_proxy":
        return given(await this.#send("DELETE", `/proxies/${id(value)}`), "done");
      case "list":
      case "profiles":
      case "proxies": {
        const query = new URLSearchParams(Object.entries(value));
        const { response, body } = await this.#send("GET", `${PATHS[name]}?${query}`);
        if (!response.ok) return { is: body.code, body };
        return listed(body.map(found), response.headers.get("x-next-cursor") ?? undefined);
      }
      default:
        return super.ask({ name, value, ...options });
    }
  }
}
