// The Worker with objects that can be measured from within, and the peer beside it.
import worker, { Shard as Deployed } from "../../bindings/edge/src/worker.js";
import type { Env as WorkerEnv, Place } from "../../bindings/edge/src/shard.js";
import { LAYOUT, type Layout } from "../../bindings/edge/src/tables.js";
import type { Peer } from "./peer.js";
import { request } from "../javascript/workload.mjs";

export { Peer } from "./peer.js";

interface Env extends Omit<WorkerEnv, "SHARDS"> {
  SHARDS: DurableObjectNamespace<Shard>;
  PEERS: DurableObjectNamespace<Peer>;
  LAYOUT?: Partial<Layout>;
}

const PLACE: Place = { project: "default", shard: 0, shards: 1, plan: "enterprise" };
const JSON_TYPE = ["content-type", "application/json"];
const encoder = new TextEncoder();

export class Shard extends Deployed {
  protected override layout(): Layout {
    return { ...LAYOUT, ...(this.env as unknown as Env).LAYOUT };
  }

  /** Answers `requests` one after the other, each of them durable before the next. */
  async loop(requests: Uint8Array[]): Promise<number[]> {
    const statuses: number[] = [];
    for (const body of requests) {
      const answer = await this.respond(PLACE, "POST", "/auth/connections", [JSON_TYPE], body);
      if (!("status" in answer)) throw new Error("the project has one shard");
      if (answer.status === 201) await this.ctx.storage.sync();
      statuses.push(answer.status);
    }
    return statuses;
  }

  /** Loads the first so many connections of the workload. */
  async fill(count: number): Promise<void> {
    const settings = { health_check_interval: 3600, health_checks: true, auto_reauth: true, save_credentials: true, record_session: false };
    const at = Date.now() - count;
    let n = -1;
    const profiles = [...new Set(Array.from({ length: count }, (_, n) => request(n).profile_name))].sort();
    let sent = 0;
    const dump = new ReadableStream({
      type: "bytes",
      pull(controller: ReadableByteStreamController) {
        let text = n < 0 ? '{"format":"connectory-dump","version":1}\n' : "";
        n = Math.max(n, 0);
        for (; text.length < 1 << 19 && sent < profiles.length; sent += 1) text += `${JSON.stringify({ profile: { name: profiles[sent] } })}\n`;
        for (; text.length < 1 << 19 && n < count; n += 1) {
          const { domain, profile_name } = request(n);
          text += `${JSON.stringify({ connection: { id: idOf(at + n, profile_name), domain, profile_name, ...settings } })}\n`;
        }
        if (text === "") controller.close();
        else controller.enqueue(encoder.encode(text));
      },
    } as unknown as UnderlyingSource<Uint8Array>);
    const refused = await this.load(PLACE, dump, false);
    if (refused) throw new Error(JSON.stringify(refused));
    await this.endLoad(true);
  }

  async written() {
    return { ...this.engine(PLACE).tables.counts, databaseBytes: this.ctx.storage.sql.databaseSize };
  }

  async evict(): Promise<void> {
    this.ctx.abort("evicted");
  }
}

/** An ID of this millisecond, with the profile's route. */
function idOf(ms: number, profile: string): string {
  let hash = 0xcbf29ce484222325n;
  for (const byte of encoder.encode(profile)) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  const route = ((hash >> 48n) ^ (hash >> 32n) ^ (hash >> 16n) ^ hash) & 0xffffn;
  const bits = (BigInt(ms) << 80n) | (1n << 16n) | route;
  let text = "";
  for (let shift = 125n; shift >= 0n; shift -= 5n) text += "0123456789abcdefghjkmnpqrstvwxyz"[Number((bits >> shift) & 31n)];
  return `ma_${text}`;
}

/** `?subject=`, an object; `from`, `count` and `of`, which requests of the workload. */
export default {
  async fetch(incoming: Request, env: Env): Promise<Response> {
    const url = new URL(incoming.url);
    const asked = /^\/(ours|peer)\/(\w+)$/.exec(url.pathname);
    if (!asked) return worker.fetch(incoming as never, env as unknown as WorkerEnv);
    const [, subject, what] = asked;
    const number = (name: string) => Number(url.searchParams.get(name) ?? 0);
    const ours = env.SHARDS.get(env.SHARDS.idFromName("default/0"));
    const peer = env.PEERS.get(env.PEERS.idFromName("default"));
    const requests = () => {
      const bodies: Uint8Array[] = [];
      for (let n = 0; n < number("count"); n += 1) {
        const at = url.searchParams.has("of") ? Math.imul(n + number("from"), 0x9e3779b1) >>> 0 : n + number("from");
        bodies.push(encoder.encode(JSON.stringify(request(url.searchParams.has("of") ? at % number("of") : at))));
      }
      return bodies;
    };
    switch (what) {
      case "loop": {
        const statuses = await (subject === "ours" ? ours.loop(requests()) : peer.loop(requests()));
        const counts: Record<number, number> = {};
        for (const status of statuses) counts[status] = (counts[status] ?? 0) + 1;
        return Response.json(counts);
      }
      case "fill":
        if (subject === "ours") await ours.fill(number("count"));
        else await peer.fill(requests());
        return Response.json({});
      case "written":
        return Response.json(await (subject === "ours" ? ours.written() : peer.written()));
      case "create": {
        // What the Worker does for a client, without its gate.
        const body = new Uint8Array(await incoming.arrayBuffer());
        const { status, body: text } = await peer.respond("POST", "/auth/connections", [JSON_TYPE], body);
        return new Response(text ?? null, { status });
      }
      case "evict":
        await ours.evict().catch(() => {});
        return Response.json({});
    }
    return new Response(null, { status: 404 });
  },
};
