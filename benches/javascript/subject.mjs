// One contender at work, wherever it runs: opens its registry, answers steps of the check, times operations.
import { picks, requests, request } from "./workload.mjs";

const AT_ONCE = 64;
const IMPORTED_AT_ONCE = 10_000;
/** The clock is looked at once in so many operations. */
const LOOK_EVERY = 16;

export class Subject {
  #load;
  #flushes;
  #opening;
  #peer;
  #ids = [];
  #numbers = new Map();
  #next = 0;

  /** `load(name)` imports a peer; `flushes` says how often the host's files were flushed by now. */
  constructor(load, flushes = () => 0) {
    this.#load = load;
    this.#flushes = flushes;
  }

  ask({ ask, ...options }) {
    return this[ask](options);
  }

  async open(opening) {
    this.#opening = opening;
    this.#ids = [];
    this.#numbers = new Map();
    this.#next = 0;
    await this.#open();
  }

  async #open() {
    const { open } = await this.#load(this.#opening.peer);
    this.#peer = await open(this.#opening);
  }

  async close() {
    await this.#peer.close();
  }

  async reopen() {
    await this.#peer.close();
    await this.#open();
  }

  /** Does a step of the check; the answer has numbers where IDs were. */
  async step({ step: [operation, value] }) {
    try {
      if (operation === "get") {
        const id = this.#ids[value];
        return id === undefined ? null : this.#numbered(await this.#peer.get(id));
      }
      const call = this.#peer[operation] ?? this.#peer.createMany;
      const answer = await call.call(this.#peer, value);
      if (Array.isArray(answer)) return answer.map((it) => this.#noted(it));
      if (operation === "create") return this.#noted(answer);
      const items = answer.items.map((it) => (it.id === undefined ? sorted(it) : this.#numbered(it)));
      return { items, more: operation === "list" && answer.next_cursor !== undefined };
    } catch (error) {
      if (error.code !== "bad_request") throw error;
      return { refused: error.code };
    }
  }

  #noted(answer) {
    if (answer.outcome !== "created") {
      return sorted({ ...answer, existing_id: this.#numbers.get(answer.existing_id) ?? `unknown ${answer.existing_id}` });
    }
    const { id } = answer.connection;
    if (this.#numbers.has(id)) throw new Error(`${id} was created twice`);
    this.#numbers.set(id, this.#ids.push(id) - 1);
    return { outcome: answer.outcome, connection: this.#numbered(answer.connection) };
  }

  #numbered(connection) {
    return sorted({ ...connection, id: this.#numbers.get(connection.id) ?? `unknown ${connection.id}` });
  }

  /** Fills the registry, 10 000 in a commit. Microseconds per create, whatever the engine does later included. */
  async import({ many }) {
    const parts = [];
    for (let from = 0; from < many; from += IMPORTED_AT_ONCE) {
      parts.push(requests(this.#next + from, Math.min(IMPORTED_AT_ONCE, many - from)));
    }
    const begun = performance.now();
    for (const part of parts) {
      for (const answer of await this.#peer.createMany(part)) this.#ids.push(answer.connection.id);
    }
    await this.#peer.settle?.();
    const us = ((performance.now() - begun) * 1000) / many;
    this.#next += many;
    return { us };
  }

  /** Times one of {@link OPERATIONS}: at most `many`, and none begins after `ms`. Microseconds for each. */
  async time({ operation, many, ms, round, size }) {
    if (operation === "together") return this.#together(many, ms);
    const peer = this.#peer;
    const { inputs, act, isRight } = this.#prepared(operation, many, round, size);
    const flushes = this.#flushes();
    const begun = performance.now();
    const end = begun + ms;
    let done = 0;
    if (peer.isSync) {
      while (done < inputs.length && (done % LOOK_EVERY !== 0 || performance.now() < end)) {
        isRight(act(inputs[done]));
        done += 1;
      }
    } else {
      while (done < inputs.length && (done % LOOK_EVERY !== 0 || performance.now() < end)) {
        isRight(await act(inputs[done]));
        done += 1;
      }
    }
    const taken = performance.now() - begun;
    return this.#timed(taken, done, this.#flushes() - flushes, operation === "create");
  }

  #prepared(operation, many, round, size) {
    const peer = this.#peer;
    const ids = this.#ids;
    const wrong = () => {
      throw new Error(`${operation} did not do what is timed`);
    };
    const picked = () => picks(round, many, size);
    const someItems = ({ items }) => items.length > 0 || wrong();
    const list = (query) => peer.list(query);
    switch (operation) {
      case "create":
        return {
          inputs: requests(this.#next, many),
          act: (it) => peer.create(it),
          isRight: (answer) => (answer.outcome === "created" ? ids.push(answer.connection.id) : wrong()),
        };
      case "conflict":
        return {
          inputs: picked().map(request),
          act: (it) => peer.create(it),
          isRight: (answer) => answer.outcome === "conflict" || wrong(),
        };
      case "get":
        return {
          inputs: picked().map((n) => ids[n]),
          act: (id) => peer.get(id),
          isRight: (answer) => answer?.domain || wrong(),
        };
      case "list":
        return { inputs: picked().map(() => ({ limit: 20 })), act: list, isRight: someItems };
      case "list by domain":
        return { inputs: picked().map((n) => ({ domain: request(n).domain, limit: 20 })), act: list, isRight: someItems };
      case "list by profile":
        return {
          inputs: picked().map((n) => ({ profile_name: request(n).profile_name, limit: 20 })),
          act: list,
          isRight: someItems,
        };
    }
  }

  /** Batches of 64 creates. Engines that gather writes by themselves are sent single ones, the others a batch. */
  async #together(many, ms) {
    const peer = this.#peer;
    const parts = [];
    for (let from = 0; from < many; from += AT_ONCE) parts.push(requests(this.#next + from, AT_ONCE));
    const flushes = this.#flushes();
    const begun = performance.now();
    let done = 0;
    while (done < parts.length && performance.now() < begun + ms) {
      const part = parts[done];
      const answers = peer.createTogether ? await peer.createTogether(part) : peer.isSync ? peer.createMany(part) : await peer.createMany(part);
      for (const answer of answers) {
        if (answer.outcome !== "created") throw new Error("a fresh pair was taken");
        this.#ids.push(answer.connection.id);
      }
      done += 1;
    }
    const taken = performance.now() - begun;
    const timed = await this.#timed(taken, done * AT_ONCE, this.#flushes() - flushes, true);
    return { ...timed, flushes: timed.flushes * AT_ONCE };
  }

  /** What an engine leaves for an idle moment is done now, and told apart. */
  async #timed(ms, done, flushes, isWriting) {
    const us = (ms * 1000) / done;
    if (!isWriting) return { us };
    this.#next += done;
    const begun = performance.now();
    await this.#peer.settle?.();
    return { us, usSettled: us + ((performance.now() - begun) * 1000) / done, flushes: flushes / done };
  }
}

/** With members in the order of their names, to be compared as text. */
function sorted(object) {
  return Object.fromEntries(Object.entries(object).sort(([one], [other]) => (one < other ? -1 : 1)));
}
