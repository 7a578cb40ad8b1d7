// Replays tests/cases as the Rust runner does, in Node.js and in browsers; tests/src/cases/mod.rs says what the keys of a
// step mean.

/** A value as text, its keys in order. */
export function canonical(value) {
  const sorted = (key, value) =>
    typeof value === "object" && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value;
  return JSON.stringify(value, sorted);
}

/** An answer as the native engine's are written down. */
export function rendered(answer) {
  const plain = ({ is, body = null, items = [], next = null }) => ({ is, body, items: items.map(plain), next });
  return JSON.stringify(plain(answer));
}

/** A file of cases as scenarios. */
export function scenariosOf({ about, scenarios, ...rest }) {
  return scenarios ?? [{ about, ...rest }];
}

const EXPECTATIONS = new Set([
  "is", "as", "whole", "with", "without", "details", "says", "ids", "kinds", "items", "more", "next", "each", "about",
]);
const OPERATIONS = new Set([
  "create", "create_text", "create_many", "update", "update_text", "record", "get", "find", "delete", "list",
  "profiles", "delete_profile", "register_proxy", "proxies", "remove_proxy", "allows", "changes", "reopen",
]);
const MODIFIERS = {
  create: ["key", "ensure"],
  create_many: ["key", "ensure"],
  create_text: ["key", "ensure", "pad_to"],
};

/** Takes the operation out of a step; texts of requests are requests. */
function operationOf(step) {
  const names = Object.keys(step).filter((name) => OPERATIONS.has(name));
  if (names.length !== 1) throw new Error(`a step has one operation, not ${names}`);
  const [name] = names;
  const { [name]: value, ...rest } = step;
  const operation = { name: name.replace("_text", ""), value };
  for (const modifier of MODIFIERS[name] ?? []) {
    if (modifier in rest) operation[modifier] = rest[modifier];
    delete rest[modifier];
  }
  if ("pad_to" in operation) {
    operation.value = value + " ".repeat(operation.pad_to - new TextEncoder().encode(value).length);
    delete operation.pad_to;
  }
  return [operation, rest];
}

const WRITES = {
  create: ({ is }) => is === "created",
  create_many: ({ items = [] }) => items.some(({ is }) => is === "created"),
  update: ({ is }) => is === "found",
  record: ({ is }) => is === "found",
  register_proxy: ({ is }) => is === "found",
  delete: ({ is }) => is === "done",
  delete_profile: ({ is }) => is === "done",
  remove_proxy: ({ is }) => is === "done",
};

const shown = (answer) => JSON.stringify(answer);

/** A scenario under way on a subject. */
export class Run {
  #names = new Map();
  /** Every answer so far. */
  answers = [];

  constructor(subject) {
    this.subject = subject;
  }

  /** Does a step and says what was not as expected. */
  async step(step) {
    const resolved = Object.fromEntries(
      // Expectations may name what this very step binds.
      Object.entries(step).map(([key, value]) => [key, EXPECTATIONS.has(key) ? value : this.#resolve(value)]),
    );
    const [operation, rest] = operationOf(resolved);
    const before = await this.subject.dump();
    const answer = await this.subject.perform(operation);
    this.answers.push(rendered(answer));
    this.#bind(rest, answer);
    const faults = [];
    expect(this.#resolve(rest), answer, faults);
    shape(operation.name, answer, faults);
    if (!WRITES[operation.name]?.(answer) && (await this.subject.dump()) !== before) {
      faults.push("it should have left the store as it was");
    }
    return faults.length > 0 ? [...faults, `the answer was ${shown(answer)}`] : faults;
  }

  /** What names stand for, in their places. */
  #resolve(value) {
    if (typeof value === "string" && value.startsWith("$")) {
      const name = value.slice(1);
      if (!this.#names.has(name)) throw new Error(`nothing is named ${name}`);
      return this.#names.get(name);
    }
    if (Array.isArray(value)) return value.map((item) => this.#resolve(item));
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, this.#resolve(member)]));
  }

  #bind(expected, answer) {
    const { id, existing_id } = answer.body ?? {};
    for (const [name, bound] of [[expected.as, id ?? existing_id], [expected.next, answer.next]]) {
      if (name === undefined) continue;
      if (bound === undefined) throw new Error(`nothing to name ${name} in the answer ${shown(answer)}`);
      if (this.#names.has(name)) throw new Error(`${name} is named twice`);
      this.#names.set(name, bound);
    }
    for (const [n, item] of (expected.each ?? []).entries()) {
      if (n < (answer.items?.length ?? 0)) this.#bind(item, answer.items[n]);
    }
  }
}

/** Compares an answer with what a step, or an item of one, expects of it. */
function expect(expected, answer, faults) {
  const { body = null, items = [] } = answer;
  const same = (what, wanted, found) => {
    if (canonical(wanted) !== canonical(found)) {
      faults.push(`${what} should be ${JSON.stringify(wanted)}, not ${JSON.stringify(found)}`);
    }
  };
  const { is, as, next, about, whole, without = [], details, says = [], each, ...rest } = expected;
  if (is === undefined) throw new Error("is is missing");
  if (String(is) !== answer.is) faults.push(`it should be ${is}, not ${answer.is}`);
  if (whole !== undefined) same("the answer", whole, body);
  for (const [name, wanted] of Object.entries(rest.with ?? {})) {
    same(name, wanted, name in (body ?? {}) ? body[name] : "absent");
  }
  for (const [key, name] of [["ids", "id"], ["kinds", "kind"]]) {
    if (key in rest) same(key, rest[key], items.map((item) => item.body[name]));
  }
  if ("items" in rest) same("items", rest.items, items.map((item) => item.body));
  if ("more" in rest) same("more", rest.more, answer.next !== undefined);
  for (const name of without) {
    if (name in (body ?? {})) faults.push(`${name} should be absent`);
  }
  if (details !== undefined) compareDetails(details, body?.details ?? [], faults);
  for (const phrase of [says].flat()) {
    if (!body?.message?.includes(phrase)) faults.push(`the message should say ${JSON.stringify(phrase)}`);
  }
  if (each !== undefined) {
    if (each.length !== items.length) faults.push(`there should be ${each.length} items, not ${items.length}`);
    for (const [n, item] of items.slice(0, each.length).entries()) {
      const ofItem = [];
      expect(each[n], item, ofItem);
      faults.push(...ofItem.map((fault) => `item ${n}: ${fault}`));
    }
  }
  for (const key of Object.keys(rest)) {
    if (!["with", "ids", "kinds", "items", "more"].includes(key)) throw new Error(`${key} is not a key of a case`);
  }
}

/** Compares "code field" with violations, of which each message begins with its field. */
function compareDetails(expected, found, faults) {
  const left = [...found];
  for (const detail of expected) {
    const [, code, field] = /^(\S+)(?: (.*))?$/s.exec(detail);
    const start = field ? `${field}: ` : "";
    const n = left.findIndex((one) => one.code === code && one.message.startsWith(start));
    if (n < 0) faults.push(`${detail} should be among the details`);
    else left.splice(n, 1);
  }
  faults.push(...left.map((one) => `${JSON.stringify(one)} should not be among the details`));
}

const ALWAYS = [
  "id", "profile_name", "domain", "status", "save_credentials", "record_session", "health_checks", "auto_reauth",
  "health_check_interval", "can_reauth", "can_reauth_reason",
];
const PRESENT_OR_NULL = [
  "flow_status", "flow_step", "flow_type", "flow_expires_at", "discovered_fields", "mfa_options", "sign_in_options",
  "pending_sso_buttons", "external_action_message", "website_error", "sso_provider", "error_message", "error_code",
  "hosted_url", "live_view_url", "browser_session_id",
];
const ABSENT_WHEN_UNSET = [
  "login_url", "credential", "proxy_id", "allowed_domains", "last_auth_check_at", "last_auth_at", "post_login_url",
];

/** Checks what is true of every answer, whatever a step says of it. */
function shape(operation, answer, faults) {
  const { is, body, items = [] } = answer;
  switch (is) {
    case "created":
    case "replayed":
    case "existing":
      return connectionShape(body, faults);
    case "found":
      return foundShape(operation, body, faults);
    case "listed":
      return items.forEach((item) => shape(operation, item, faults));
    case "done":
    case "true":
    case "false":
    case "too_old":
      return;
    case "conflict":
      only(body, ["code", "message", "existing_id"], [], faults);
      if (body.code !== "already_exists") faults.push("a conflict's code is already_exists");
      return;
    default:
      only(body, ["code", "message"], ["details"], faults);
      if (body.code !== is || body.message === "") faults.push("an error has its code and a message");
      if ((is === "bad_request") !== Array.isArray(body.details)) {
        faults.push("a bad request has details, and nothing else has");
      }
  }
}

function foundShape(operation, body, faults) {
  switch (operation) {
    case "changes":
      only(body, ["seq", "kind", "id"], ["connection"], faults);
      if ((body.kind === "deleted") === "connection" in body) {
        faults.push("a change has a connection, unless that is gone");
      } else if (body.connection) {
        connectionShape(body.connection, faults);
      }
      return;
    case "profiles":
      return only(body, ["name", "connections"], [], faults);
    case "proxies":
    case "register_proxy":
      return only(body, ["id", "connections"], ["name"], faults);
    default:
      connectionShape(body, faults);
  }
}

function connectionShape(body, faults) {
  only(body, [...ALWAYS, ...PRESENT_OR_NULL], ABSENT_WHEN_UNSET, faults);
  for (const name of [...ALWAYS, ...ABSENT_WHEN_UNSET]) {
    if (body[name] === null) faults.push(`${name} should never be null`);
  }
}

/** Checks that an object has the members that it must have, no others but the optional ones, and each a value. */
function only(body, required, optional, faults) {
  for (const name of required) if (!(name in body)) faults.push(`${name} should never be absent`);
  for (const [name, value] of Object.entries(body)) {
    if (![...required, ...optional].includes(name)) faults.push(`${name} is not a member of such an answer`);
    if (value === undefined) faults.push(`${name} should be absent, not undefined`);
  }
}
