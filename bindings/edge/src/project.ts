// A project as the Worker sees it: the shards that make it up, and who of them answers what.
import { json, refusal } from "./answers.js";
import type { Admission, Answer, Glue } from "./glue.js";
import { byteStream, type ByteSource, type Lines, linesOf } from "./lines.js";
import { type Env, type Metrics, type Moved, type Place, stubOf } from "./shard.js";

/** A request whose body was read. */
export interface Call {
  method: string;
  target: string;
  headers: string[][];
  body: Uint8Array;
}

/** A response whose body may be a stream. */
export type Streamed = Answer<string | ReadableStream<Uint8Array>>;

/** More than needed of each shard's share of what is passed over: a page seldom has to ask twice. */
const SHARE = 1.25;
const SHARE_MORE = 16;

/** How many shards a project was last seen with, in this isolate. */
const seen = new Map<string, number>();

export class Project {
  readonly #env: Env;
  readonly #glue: Glue;
  readonly #admission: Admission;
  #shards: number;

  constructor(env: Env, glue: Glue, admission: Admission) {
    this.#env = env;
    this.#glue = glue;
    this.#admission = admission;
    const { project, cap } = admission;
    // What caps a project counts in one place.
    const configured = cap === undefined ? configuredShards(env, project) : 1;
    this.#shards = seen.get(project) ?? configured;
  }

  #place(shard: number): Place {
    const { project, plan, cap } = this.#admission;
    return { project, shard, shards: this.#shards, plan, ...(cap === undefined ? {} : { cap }) };
  }

  #stub(shard: number) {
    return stubOf(this.#env, this.#admission.project, shard);
  }

  /** All shards, by number. */
  get #all(): number[] {
    return Array.from({ length: this.#shards }, (_, shard) => shard);
  }

  /** Runs what asks shards; once more where the project has another number of them than was thought. */
  async #located<T>(run: () => Promise<T | Moved>): Promise<T> {
    for (;;) {
      const result = await run();
      if (!isMoved(result)) return result;
      this.#shards = result.shards;
      seen.set(this.#admission.project, result.shards);
    }
  }

  /** Answers a request of the HTTP API. */
  async respond(call: Call): Promise<Streamed> {
    return this.#located<Streamed>(async () => {
      // Of one shard, all but a dump is the shard's own.
      if (this.#shards === 1 && !call.target.startsWith("/dump")) return this.#ask(0, call);
      const destination = this.#glue.destination(call.method, call.target, call.body, this.#shards);
      switch (destination.to) {
        case "shard":
          return this.#ask(destination.shard, call);
        case "list":
          return this.#list(call, destination.offset);
        case "proxy":
          return this.#stub(0).changeProxy(this.#place(0), call);
        case "dump":
          return this.#dump();
        case "load":
          throw new Error("a load has a way of its own");
      }
    });
  }

  #ask(shard: number, { method, target, headers, body }: Call): Promise<Answer | Moved> {
    return this.#stub(shard).respond(this.#place(shard), method, target, headers, body) as Promise<Answer | Moved>;
  }

  /** A page of the lists of all shards, after passing over the first `offset` connections of all. */
  async #list(call: Call, offset: number): Promise<Answer | Moved> {
    let target = call.target;
    if (offset > 0) {
      const last = await this.#passOver(target, offset);
      if (typeof last === "object") return last;
      if (last === undefined) return this.#glue.merge(call.target, [], []);
      target = this.#glue.pageAfter(target, last);
    }
    const pages = await Promise.all(this.#all.map((shard) => this.#ask(shard, { ...call, target })));
    const odd = pages.find((page) => isMoved(page) || page.status !== 200);
    if (odd) return odd;
    const good = pages as Answer[];
    const goesOn = ({ headers }: Answer) => headers.some(([name, value]) => name === "x-has-more" && value === "true");
    return this.#glue.merge(call.target, good.map(({ body }) => body ?? "[]"), good.map(goesOn));
  }

  /** The ID of the last of the first `offset` connections of all shards; `undefined` where there are not so many. */
  async #passOver(target: string, offset: number): Promise<string | undefined | Answer | Moved> {
    const share = Math.ceil((offset / this.#shards) * SHARE) + SHARE_MORE;
    const lists: string[][] = this.#all.map(() => []);
    const isWhole = this.#all.map(() => false);
    let wanted = this.#all;
    for (;;) {
      const more = await Promise.all(
        wanted.map((shard) => {
          const last = lists[shard]?.at(-1);
          const from = last === undefined ? target : this.#glue.pageAfter(target, last);
          return this.#stub(shard).ids(this.#place(shard), from, share) as Promise<string[] | Answer | Moved>;
        }),
      );
      for (const [n, ids] of more.entries()) {
        if (!Array.isArray(ids)) return ids;
        const shard = wanted[n] ?? 0;
        lists[shard]?.push(...ids);
        isWhole[shard] = ids.length < share;
      }
      // IDs are in the order of their texts.
      const last = lists.flat().sort().at(-offset);
      // Only a shard whose known part ends above that one could have others in between.
      wanted = this.#all.filter((shard) => !isWhole[shard] && (last === undefined || (lists[shard]?.at(-1) ?? "") > last));
      if (wanted.length === 0) return last;
    }
  }

  /** One moment of every shard, merged into the order of a dump. */
  async #dump(): Promise<Streamed | Moved> {
    const streams = await Promise.all(this.#all.map((shard) => this.#stub(shard).dump(this.#place(shard))));
    const moved = streams.find(isMoved);
    if (moved) {
      for (const stream of streams) if (!isMoved(stream)) await stream.cancel();
      return moved;
    }
    const [first, ...others] = streams as ReadableStream<Uint8Array>[];
    const body = others.length === 0 ? first : mergedDump([first!, ...others]);
    return { status: 200, headers: [["content-type", "application/jsonl"]], body };
  }

  /** Answers `POST /load`: every shard reads its lines, and when all have, all make them theirs. */
  async load(body: ReadableStream<Uint8Array>): Promise<Answer> {
    // The number of shards has to be known before the body is spent.
    await this.#located(async () => {
      const shards = await this.#stub(0).settled(this.#place(0), false);
      return shards === this.#shards ? undefined : { shards };
    });
    const loads = this.#shards === 1 ? [this.#load(0, body, false)] : this.#split(body);
    const answers = await Promise.allSettled(loads);
    const bad = answers.find((answer) => answer.status === "rejected" || answer.value);
    const counts = await Promise.all(this.#all.map((shard) => this.#stub(shard).endLoad(!bad)));
    if (bad?.status === "rejected") {
      const answer = refusal(bad.reason);
      if (answer) return answer;
      throw bad.reason;
    }
    if (bad?.value) return bad.value as Answer;
    const connections = counts.reduce((sum, count) => sum + count, 0);
    return json(200, { connections });
  }

  async #load(shard: number, lines: ReadableStream<Uint8Array>, isNumbered: boolean): Promise<Answer | undefined> {
    const answer = await this.#stub(shard).load(this.#place(shard), lines, isNumbered);
    if (answer && isMoved(answer)) throw new Error(`shard ${shard} says that there are ${answer.shards}`);
    return answer;
  }

  /** The shard of a line. What is refused wherever it goes is the first one's, which says why and in which line. */
  #ofLine(line: string): number | undefined {
    try {
      return this.#glue.shardOfLine(line, this.#shards);
    } catch (error) {
      if ((error as { code?: string }).code === "bad_request") return 0;
      throw error;
    }
  }

  /** Sends each line to the shard to which it belongs. */
  #split(body: ReadableStream<Uint8Array>): Promise<Answer | undefined>[] {
    const pipes = this.#all.map(() => new IdentityTransformStream());
    const writers = pipes.map(({ writable }) => writable.getWriter());
    const encoder = new TextEncoder();
    const send = async ({ first, text }: Lines) => {
      const pieces = this.#all.map(() => "");
      for (const [n, line] of text.split("\n").entries()) {
        // The first line says what it is that follows, and every shard looks for itself.
        const shard = first + n === 1 ? undefined : this.#ofLine(line);
        for (const to of shard === undefined ? this.#all : [shard]) pieces[to] += `${first + n}\t${line}\n`;
      }
      await Promise.all(pieces.map((piece, to) => (piece === "" ? undefined : writers[to]?.write(encoder.encode(piece)))));
    };
    const loads = pipes.map(({ readable }, shard) => this.#load(shard, readable, true));
    // A shard that refuses reads no further, so nothing more may wait for it.
    const refusal = Promise.race(loads.map((load) => load.then((answer) => answer ?? new Promise<never>(() => {}))));
    refusal.catch(() => {});
    const sent = (async () => {
      try {
        for await (const lines of linesOf(body)) {
          const sending = send(lines);
          sending.catch(() => {});
          const answer = await Promise.race([sending, refusal]);
          if (answer) return answer;
        }
      } finally {
        // The others are at their end, and told what becomes of what they have.
        for (const writer of writers) writer.close().catch(() => {});
      }
      return undefined;
    })();
    return [sent, ...loads];
  }

  /** What the objects of all shards count. */
  metrics(): Promise<Metrics[]> {
    return this.#located(async () => {
      const all = await Promise.all(this.#all.map((shard) => this.#stub(shard).metrics(this.#place(shard))));
      return all.find(isMoved) ?? (all as Metrics[]);
    });
  }

  /** Where each shard can go back to. */
  bookmarks(at: number | undefined): Promise<string[]> {
    return this.#located(async () => {
      const shards = await this.#stub(0).settled(this.#place(0), false);
      if (shards !== this.#shards) return { shards };
      return Promise.all(this.#all.map((shard) => this.#stub(shard).bookmark(at)));
    });
  }

  /** Has every shard go back to its bookmark; the bookmarks that undo it. */
  restore(bookmarks: string[]): Promise<string[]> {
    return Promise.all(bookmarks.map((bookmark, shard) => this.#stub(shard).restore(bookmark)));
  }
}

function configuredShards({ CONNECTORY_SHARDS: all = {} }: Env, project: string): number {
  const shards = Object.hasOwn(all, project) ? all[project] : 1;
  if (typeof shards === "number" && shards <= 256 && Number.isInteger(Math.log2(shards))) return shards;
  throw new Error(`CONNECTORY_SHARDS: ${project} cannot have ${shards} shards; set a power of two, 1 to 256`);
}

function isMoved(value: unknown): value is Moved {
  return typeof value === "object" && value !== null && "shards" in value && !("status" in value);
}

/** A line of a dump with its place in the order. */
interface Placed {
  line: string;
  order: string;
}

/** The place of a line: the header, proxies, profiles and connections, each by what they are called. */
function placed(line: string): Placed {
  const { proxy, profile, connection } = JSON.parse(line) as Record<string, { id?: string; name?: string } | undefined>;
  if (connection) return { line, order: `3${connection.id}` };
  if (profile) return { line, order: `2${profile.name}` };
  if (proxy) return { line, order: `1${proxy.id}` };
  return { line, order: "0" };
}

async function* placedLines(stream: ReadableStream<Uint8Array>): AsyncGenerator<Placed[]> {
  for await (const { text } of linesOf(stream)) yield text.split("\n").map(placed);
}

/** Dumps as one: what is on every shard once, everything in order. */
function mergedDump(streams: ReadableStream<Uint8Array>[]): ReadableStream<Uint8Array> {
  const sources = streams.map((stream) => ({ lines: placedLines(stream), ready: [] as Placed[], at: 0, isOver: false }));
  const encoder = new TextEncoder();
  const refill = async () => {
    await Promise.all(
      sources.map(async (source) => {
        if (source.isOver || source.at < source.ready.length) return;
        const { value, done } = await source.lines.next();
        source.isOver = done === true;
        source.ready = value ?? [];
        source.at = 0;
      }),
    );
  };
  let last = "";
  const pull: ByteSource["pull"] = async (controller) => {
    for (let piece = ""; piece === ""; ) {
      await refill();
      // Until a source has to be asked for more.
      for (;;) {
        const open = sources.filter((source) => source.at < source.ready.length || !source.isOver);
        if (open.some((source) => source.at === source.ready.length)) break;
        let next: (typeof open)[number] | undefined;
        for (const source of open) {
          if (!next || source.ready[source.at]!.order < next.ready[next.at]!.order) next = source;
        }
        if (!next) break;
        const { line, order } = next.ready[next.at]!;
        next.at += 1;
        if (order !== last) piece += `${line}\n`;
        last = order;
      }
      if (piece !== "") controller.enqueue(encoder.encode(piece));
      if (sources.every((source) => source.isOver && source.at === source.ready.length)) return controller.close();
    }
  };
  const cancel = async () => {
    await Promise.all(sources.map((source) => source.lines.return(undefined)));
  };
  return byteStream({ pull, cancel });
}
