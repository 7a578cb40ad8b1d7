// What callers were answered, and so what a store may hold: a connection that was answered is there as it was answered, what
// failed for certain left nothing, and where nobody knows it is one or the other, as a whole.
import assert from "node:assert/strict";

/** What an answer says of a write: `done`, `refused` (nothing was written) or `unknown`. */
export async function outcomeOf(request) {
  let answer;
  try {
    answer = await request;
  } catch {
    return { is: "unknown" };
  }
  const { status, body, text } = answer;
  if (status < 300) return { is: "done", body };
  assert.equal(typeof body?.code, "string", `an answer has a code: ${status} ${text}`);
  if (status === 503 || body.code === "outcome_unknown") return { is: "unknown", status, body };
  assert.ok(status < 500 || ["internal_error", "storage_full"].includes(body.code), `${status} ${text}`);
  return { is: "refused", status, body };
}

/** One write, or some that race for one pair, since it was known last what is there. */
class Entry {
  /** What was there; `null` is nothing. */
  before;
  /** What was answered; `undefined` where nothing was. */
  answered;
  /** What may be there instead, where answers are missing. */
  possible = [];
  /** Who holds the pair, as conflicts say. */
  holders = new Set();

  constructor(before) {
    this.before = before;
  }

  done(state) {
    assert.equal(this.answered, undefined, "two were told that the pair is theirs");
    this.answered = state;
  }

  /** Whether this can be there now. */
  allows(found) {
    if (this.answered !== undefined) return same(found, this.answered);
    return [this.before, ...this.possible].some((state) => (state && !state.id ? includes(found, state) : same(found, state)));
  }
}

function same(a, b) {
  try {
    assert.deepEqual(a, b);
    return true;
  } catch {
    return false;
  }
}

function includes(found, fields) {
  return found !== null && Object.entries(fields).every(([name, value]) => same(found[name], value));
}

/** Without what is the same in all of them. */
function shown(value) {
  const isSame = (name, member) => member === null || typeof member === "boolean" || name === "allowed_domains";
  return JSON.stringify(value, (name, member) => (isSame(name, member) ? undefined : member));
}

const pairOf = ({ profile_name, domain }) => `${profile_name} ${domain}`;

export class Ledger {
  /** What is there, by pair; and proxies by ID. */
  connections = new Map();
  proxies = new Map();
  /** How many answers there were of each kind. */
  counts = { done: 0, refused: 0, unknown: 0 };
  #edge;
  #open = new Map();
  #openProxies = new Map();
  #read = [];
  #gone = new Set();

  constructor(edge) {
    this.#edge = edge;
  }

  /** Whether something was written to this pair or proxy since `settle`. */
  isOpen(key) {
    return this.#open.has(key) || this.#openProxies.has(key);
  }

  #entry(open, known, key) {
    if (!open.has(key)) open.set(key, new Entry(known.get(key) ?? null));
    return open.get(key);
  }

  /** A change of what was answered since, or before. */
  #change(before) {
    const entry = this.#entry(this.#open, this.connections, pairOf(before));
    if (entry.answered) [entry.before, entry.answered] = [entry.answered, undefined];
    return entry;
  }

  async #outcome(request) {
    const outcome = await outcomeOf(request);
    this.counts[outcome.is] += 1;
    return outcome;
  }

  /** Creates a connection; it, if it was answered. */
  async create(input) {
    const entry = this.#entry(this.#open, this.connections, pairOf(input));
    const { is, status, body } = await this.#outcome(this.#edge.request("POST", "/auth/connections", { body: input }));
    const { proxy, ...fields } = input;
    const wanted = { ...fields, ...(proxy ? { proxy_id: proxy.id } : {}) };
    if (is === "done") {
      assert.ok(includes(body, wanted), "it is what was asked for");
      entry.done(body);
    } else if (is === "unknown") entry.possible.push(wanted);
    else if (status === 409) entry.holders.add(body.existing_id);
    else assert.ok(status >= 500 || proxy, `${status} ${body.message}`);
    return is === "done" ? body : undefined;
  }

  async update(before, patch) {
    const entry = this.#change(before);
    const after = { ...before, ...patch };
    const { is, status, body } = await this.#outcome(this.#edge.request("PATCH", `/auth/connections/${before.id}`, { body: patch }));
    if (is === "done") {
      assert.deepEqual(body, after);
      entry.done(body);
    } else if (is === "unknown") entry.possible.push(after);
    else assert.ok(status >= 500, `${status} ${body.message}`);
  }

  async delete(before) {
    const entry = this.#change(before);
    const { is, status, body } = await this.#outcome(this.#edge.request("DELETE", `/auth/connections/${before.id}`));
    if (is === "done") entry.done(null);
    else if (is === "unknown") entry.possible.push(null);
    else assert.ok(status >= 500, `${status} ${body.message}`);
  }

  async list(query) {
    const answer = await this.#edge.request("GET", `/auth/connections?limit=100&${query}`).catch(() => undefined);
    if (answer?.status === 200) this.#read.push(...answer.body);
  }

  async putProxy(id, name) {
    const entry = this.#entry(this.#openProxies, this.proxies, id);
    const { is } = await this.#outcome(this.#edge.request("PUT", `/proxies/${id}`, { body: { name } }));
    if (is === "done") entry.done({ id, name });
    else if (is === "unknown") entry.possible.push({ id, name });
  }

  async removeProxy(id) {
    const entry = this.#entry(this.#openProxies, this.proxies, id);
    const { is } = await this.#outcome(this.#edge.request("DELETE", `/proxies/${id}`));
    if (is === "done") entry.done(null);
    else if (is === "unknown") entry.possible.push(null);
  }

  /** Holds all that is there against all that was answered; from then on what is there is known. */
  async settle() {
    // What was under way where there are many shards is ended by the next change of a proxy.
    const { status, text } = await this.#edge.request("PUT", "/proxies/last", { body: {} });
    assert.equal(status, 200, text);
    await this.#compare();
    await this.#restarted();
    await this.#compare();
    this.#settled();
  }

  /** The same from storage alone. */
  async #restarted() {
    for (let shard = 0; shard < this.#edge.shards; shard += 1) {
      await this.#edge.evict(shard);
      assert.deepEqual(await this.#edge.call("problems", { shard }), []);
    }
  }

  #settled() {
    for (const [known, open] of [[this.connections, this.#open], [this.proxies, this.#openProxies]]) {
      for (const [key, { found }] of open) {
        if (found) known.set(key, found);
        else known.delete(key);
      }
      open.clear();
    }
    this.#read = [];
    this.#gone.clear();
  }

  async #compare() {
    const all = await this.#all("/auth/connections");
    const found = new Map(all.map((connection) => [pairOf(connection), connection]));
    assert.equal(found.size, all.length, "a pair is there once");
    this.#match(found, this.connections, this.#open);
    for (const [key, entry] of this.#open) await this.#byId(entry, key);
    for (const item of this.#read) {
      // What a reader was shown that is not what was there before is durable.
      const now = found.get(pairOf(item)) ?? null;
      const entry = this.#open.get(pairOf(item));
      assert.ok(same(item, now) || (entry && same(item, entry.before)), `${item.id} was read and is gone`);
    }
    for (let shard = 0; shard < this.#edge.shards; shard += 1) {
      const proxies = await this.#edge.call("proxies", { shard });
      const found = proxies.filter(({ id }) => id !== "last").map(({ id, name }) => [id, { id, name }]);
      this.#match(new Map(found), this.proxies, this.#openProxies);
    }
  }

  #match(found, known, open) {
    for (const key of new Set([...found.keys(), ...known.keys(), ...open.keys()])) {
      const now = found.get(key) ?? null;
      const entry = open.get(key) ?? new Entry(known.get(key) ?? null);
      // Looked at before, it stays what it was then.
      const isGood = entry.found === undefined ? entry.allows(now) : same(now, entry.found);
      assert.ok(isGood, `${key}: there is ${shown(now)}, not as ${shown(entry)}`);
      entry.found = now;
    }
  }

  async #byId({ before, found, holders }, key) {
    if (found) {
      const { status, body } = await this.#edge.request("GET", `/auth/connections/${found.id}`);
      assert.deepEqual([status, body], [200, found]);
      const again = await this.#edge.create(found.profile_name, found.domain);
      assert.deepEqual([again.status, again.body.existing_id], [409, found.id], key);
    }
    for (const holder of holders) assert.equal(holder, found?.id, `${key} was said to be held`);
    if (before && before.id !== found?.id) {
      assert.equal((await this.#edge.request("GET", `/auth/connections/${before.id}`)).status, 404);
    }
  }

  async #all(path) {
    const all = [];
    for (let cursor = ""; ; ) {
      const { status, headers, body, text } = await this.#edge.request("GET", `${path}?limit=100${cursor}`);
      assert.equal(status, 200, text);
      all.push(...body);
      const next = headers.get("x-next-cursor");
      if (!next) return all;
      cursor = `&cursor=${encodeURIComponent(next)}`;
    }
  }
}
