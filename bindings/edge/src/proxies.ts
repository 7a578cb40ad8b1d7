// Changes of proxies, which are kept on every shard: one at a time, by the first shard.
//
// A proxy is removed where a connection may still come to use it. So it is taken away shard by shard: each shard refuses if it
// uses the proxy, and from then on knows no such proxy, which is a mark that no new use can pass. Where all agreed it is gone;
// where one refused it is put back on the others. What is under way is written down first, and ended by whoever comes next, or
// by an alarm, if the object ends in the middle.
import { failure } from "./answers.js";
import type { Answer } from "./glue.js";
import type { Place } from "./shard.js";

/** A request for a proxy. */
export interface ProxyRequest {
  method: string;
  target: string;
  headers: string[][];
  body: Uint8Array;
}

/** What is under way. */
interface Intent {
  place: Place;
  request: ProxyRequest;
  /** The proxy as it was, to put it back. */
  before: { name?: string } | undefined;
}

const RETRY_MS = 5000;

export class ProxyChanges {
  readonly #storage: DurableObjectStorage;
  readonly #place: Place;
  readonly #send: (shard: number, request: ProxyRequest) => Promise<Answer>;
  #last: Promise<unknown> = Promise.resolve();

  constructor(storage: DurableObjectStorage, place: Place, send: (shard: number, request: ProxyRequest) => Promise<Answer>) {
    this.#storage = storage;
    this.#place = place;
    this.#send = send;
  }

  /** The project of which a change was not ended. */
  static unfinished(storage: DurableObjectStorage): Place | undefined {
    return storage.kv.get<Intent>("proxy")?.place;
  }

  /** Does what a request asks for, after those before it. */
  change(request: ProxyRequest): Promise<Answer> {
    return this.#inTurn(async () => {
      await this.#end();
      const before = request.method === "DELETE" ? await this.#find(request.target) : undefined;
      const intent = { place: this.#place, request, before };
      const { kv } = this.#storage;
      try {
        kv.put("proxy", intent);
      } catch (error) {
        // What is not written down nobody goes on with.
        if (kv.get("proxy") === undefined) return failure(error);
        throw error;
      }
      return this.#goOn(intent);
    });
  }

  /** Ends what was under way. */
  finish(): Promise<void> {
    return this.#inTurn(() => this.#end());
  }

  #inTurn<T>(run: () => Promise<T>): Promise<T> {
    const result = this.#last.then(run);
    this.#last = result.catch(() => {});
    return result;
  }

  /** Does what is written down. */
  async #goOn(intent: Intent): Promise<Answer> {
    await this.#storage.setAlarm(Date.now() + RETRY_MS);
    const answer = await this.#carryOut(intent);
    this.#storage.kv.delete("proxy");
    await this.#storage.deleteAlarm();
    return answer;
  }

  async #end(): Promise<void> {
    const intent = this.#storage.kv.get<Intent>("proxy");
    if (intent) await this.#goOn(intent);
  }

  /** Where this throws, what it was about stays written down. */
  async #carryOut({ request, before }: Intent): Promise<Answer> {
    const others = Array.from({ length: this.#place.shards - 1 }, (_, n) => n + 1);
    if (request.method !== "DELETE") {
      // The first shard says whether it can be at all.
      const answer = await this.#ask(0, request);
      if (answer.status >= 400) return answer;
      return summed([answer, ...(await this.#all(others, request))]);
    }
    const answers = await Promise.all(others.map((shard) => this.#ask(shard, request)));
    let refusal = answers.find(({ status }) => status !== 204 && status !== 404);
    const own = refusal ?? (await this.#ask(0, request));
    if (own.status !== 204 && own.status !== 404) refusal = own;
    if (refusal && before) {
      const body = new TextEncoder().encode(JSON.stringify(before));
      const headers: string[][] = [["content-type", "application/json"]];
      await this.#all([0, ...others], { method: "PUT", target: request.target, headers, body });
    }
    return refusal ?? (before ? { status: 204, headers: [] } : own);
  }

  /** What a shard says that it did, or did not do; throws where it does not know. */
  async #ask(shard: number, request: ProxyRequest): Promise<Answer> {
    const answer = await this.#send(shard, request);
    const { code } = JSON.parse(answer.body || "{}") as { code?: string };
    if (code === "outcome_unknown") throw new Error(`shard ${shard} does not know: ${answer.cause}`);
    return answer;
  }

  async #all(shards: number[], request: ProxyRequest): Promise<Answer[]> {
    const answers = await Promise.all(shards.map((shard) => this.#send(shard, request)));
    const failed = answers.find(({ status }) => status >= 400);
    if (failed) throw new Error(`a shard answered ${failed.status}: ${failed.cause ?? failed.body}`);
    return answers;
  }

  /** The proxy that is meant, as the first shard has it. */
  async #find(target: string): Promise<{ name?: string } | undefined> {
    const id = decoded(target.slice(target.lastIndexOf("/") + 1));
    let cursor = "";
    for (;;) {
      const page = await this.#send(0, { method: "GET", target: `/proxies?limit=100${cursor}`, headers: [], body: new Uint8Array() });
      const proxies = JSON.parse(page.body ?? "[]") as { id: string; name?: string }[];
      const found = proxies.find((proxy) => proxy.id === id);
      if (found) return found.name === undefined ? {} : { name: found.name };
      const next = page.headers.find(([name]) => name === "x-next-cursor");
      if (!next) return undefined;
      cursor = `&cursor=${encodeURIComponent(next[1] ?? "")}`;
    }
  }
}

/** What does not decode is no proxy's ID as it stands. */
function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

/** The first of the shards' answers, with the connections of all. */
function summed(answers: Answer[]): Answer {
  const proxies = answers.map(({ body }) => JSON.parse(body ?? "{}") as { connections: number });
  const connections = proxies.reduce((sum, proxy) => sum + proxy.connections, 0);
  return { ...answers[0]!, body: JSON.stringify({ ...proxies[0], connections }) };
}
