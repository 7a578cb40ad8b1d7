// An engine in WebAssembly as the cases see it: operations as calls, and what they return or throw as answers.
import { Store } from "./engine.mjs";

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

/** Every line of a store's dump. */
export function* linesOf(store) {
  const dump = store.dump();
  for (let line = dump.next(); line !== undefined; line = dump.next()) yield line;
  dump.free();
}

/** What was thrown, as the API's error body. */
function errorBody(error) {
  if (!(error instanceof Error) || typeof error.code !== "string") throw error;
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
  if (key !== undefined) options.idempotency_key = key;
  if (ensure === true) options.ensure = true;
  return options;
};

export class Subject {
  #opening;
  #stamps = stamps();
  #store;

  constructor(opening = {}) {
    this.#opening = opening;
    this.#store = this.#open();
  }

  #open() {
    return Store.open({ ...this.#opening, stamps: this.#stamps });
  }

  /** Does what the step says. */
  perform(operation) {
    try {
      return this.#perform(operation);
    } catch (error) {
      return refused(error);
    }
  }

  #perform({ name, value, ...options }) {
    const store = this.#store;
    switch (name) {
      case "create":
        return creation(store.create(value, createOptions(options)));
      case "create_many":
        return listed(store.createMany(value, createOptions(options)).map(creation));
      case "update":
        return found(store.update(...value));
      case "record":
        return found(store.record(...value));
      case "get":
        return there(store.get(value), `no auth connection has the ID ${value}`);
      case "find":
        return there(store.find(...value), `${value.join(" has no auth connection for ")}`);
      case "delete":
        store.delete(value);
        return done;
      case "list":
        return page(store.list(value));
      case "profiles":
        return page(store.profiles(value));
      case "delete_profile":
        store.deleteProfile(value);
        return done;
      case "register_proxy":
        return found(store.registerProxy(value[0], value[1] ?? undefined));
      case "proxies":
        return page(store.proxies(value));
      case "remove_proxy":
        store.removeProxy(value);
        return done;
      case "allows":
        return { is: String(store.allows(...value)) };
      case "changes": {
        const { changes, oldest } = store.changesSince(value.since, value.limit);
        return changes === undefined
          ? { is: "too_old", body: { oldest } }
          : listed(changes.map(found));
      }
      case "reopen":
        this.#reopen(value);
        return done;
      default:
        throw new TypeError(`${name} is not an operation`);
    }
  }

  #reopen(opening) {
    const before = this.#store;
    if (opening !== true) this.#opening = opening;
    this.#store = this.#open();
    this.#store.load(linesOf(before));
    before.close();
    before.free();
  }

  dump() {
    return [...linesOf(this.#store)].join("\n");
  }

  problems() {
    return this.#store.check().problems;
  }

  /** Closes the store and returns it as bytes. */
  bytes() {
    this.#store.close();
    const bytes = this.#store.toBytes();
    this.#store.free();
    return bytes;
  }
}
