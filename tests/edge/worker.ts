// The Worker as the tests run it: stamps that can be repeated, and a way in beside the API for what tests ask of its objects.
import { Shard as Deployed, stubOf, type Env as DeployedEnv, type Place } from "../../bindings/edge/src/shard.js";
import type { EngineOptions } from "../../bindings/edge/src/engine.js";
import worker from "../../bindings/edge/src/worker.js";

interface Env extends DeployedEnv {
  /** `same`: each object has the stamps of the other runners. `rising`: later on any object is later. */
  STAMPS?: "same" | "rising";
  /** Objects have a past. */
  HISTORY?: boolean;
}

const MASK = (1n << 64n) - 1n;
let last = 0;

export class Shard extends Deployed {
  protected override stamps(): EngineOptions["stamps"] {
    const { STAMPS } = this.env as Env;
    if (STAMPS === "same") return () => this.#same();
    if (STAMPS === "rising") return rising;
    return undefined;
  }

  /** Those of `stamps` in ../npm/subject.mjs. The object may end in between, so where it is stands beside the store. */
  #same(): { now_ms: number; random: bigint } {
    const { kv } = this.ctx.storage;
    const n = kv.get<number>("stamps") ?? 0;
    kv.put("stamps", n + 1);
    const back_ms = n % 7 === 6 ? 5_000 : 0;
    return {
      now_ms: 1_700_000_000_000 + Math.floor(n / 3) - back_ms,
      random: (BigInt(n + 1) * 0x9e37_79b9_7f4a_7c15n) & MASK,
    };
  }

  /** Ends the object as the platform does. */
  evict(): void {
    this.ctx.abort("evicted by a test");
  }

  /** Answers requests that arrive at once, each with a place of its own. */
  together(requests: Parameters<Shard["respond"]>[]): Promise<unknown[]> {
    return Promise.all(requests.map((request) => this.respond(...request)));
  }

  /** A history for those who ask for one: there is none on a machine of one's own. */
  override async bookmark(at: number | undefined): Promise<string> {
    return (this.env as Env).HISTORY ? `${this.ctx.id}@${at ?? "now"}` : super.bookmark(at);
  }

  override async restore(bookmark: string): Promise<string> {
    if (!(this.env as Env).HISTORY) return super.restore(bookmark);
    const [id] = bookmark.split("@");
    if (id !== String(this.ctx.id)) throw new Error("this is another object's bookmark");
    return `${id}@undone`;
  }

  /** What is wrong with the store. */
  problems(place: Place): string[] {
    return this.engine(place).check().problems;
  }
}

/** All objects of a class are in one isolate here, so a later stamp is later on all of them. */
function rising(): { now_ms: number; random: bigint } {
  last = Math.max(last + 1, Date.now());
  return { now_ms: last, random: (BigInt(last) * 0x9e37_79b9_7f4a_7c15n) & MASK };
}

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const { pathname } = new URL(request.url);
    if (!pathname.startsWith("/-/")) return worker.fetch(request, env);
    const { place, args = [] } = (await request.json()) as { place: Place; args?: unknown[] };
    const object = stubOf(env, place.project, place.shard) as unknown as DurableObjectStub<Shard>;
    try {
      switch (pathname.slice("/-/".length)) {
        case "evict":
          return Response.json(await object.evict());
        case "problems":
          return Response.json(await object.problems(place));
        case "together": {
          const requests = args as [Place, string, string, string[][], string][];
          const encoder = new TextEncoder();
          return Response.json(await object.together(requests.map(([...request]) => {
            const [at, method, target, headers, body] = request;
            return [at, method, target, headers, encoder.encode(body)];
          })));
        }
      }
    } catch (error) {
      return Response.json({ thrown: String(error) }, { status: 500 });
    }
    return Response.json({}, { status: 404 });
  },
} satisfies ExportedHandler<Env>;
