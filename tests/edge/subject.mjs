// A project of the Worker as the cases see it: operations as requests to workerd, over real HTTP.
import { OverFetch } from "../npm/subject.mjs";

OverFetch.createFetch = ({ fetch }) => fetch;

/** `OverFetch` on a project of a running Worker with the objects of `worker.ts`. */
export class OverWorker extends OverFetch {
  #edge;
  #project;
  #shards;

  /** `restart` is called with what the project may do from now on. */
  static async at(edge, project, shards, restart) {
    const subject = await this.of(async () => ({
      fetch: (url, { headers, ...init }) => {
        const { pathname, search } = new URL(url);
        return edge.send(pathname + search, { ...init, headers: { ...headers, ...edge.headers({ project }) } });
      },
      close: async () => {},
    }));
    subject.#edge = edge;
    subject.#project = project;
    subject.#shards = shards;
    subject.restart = restart;
    return subject;
  }

  async ask({ name, value, ...options }) {
    switch (name) {
      // There is no such request; one after the other is the same.
      case "create_many": {
        const items = [];
        for (const row of value) items.push(await this.ask({ name: "create", value: row, ...options }));
        return { is: "listed", items };
      }
      // Nor is there a look-up by a pair; a list with both filters is one.
      case "find": {
        const [profile_name, domain] = value;
        const listed = await this.ask({ name: "list", value: { profile_name, domain } });
        if (listed.is !== "listed" || listed.items.length > 0) return listed.items?.[0] ?? listed;
        const [profile, host] = value.map((text) => JSON.stringify(text));
        return { is: "not_found", body: { code: "not_found", message: `profile ${profile} has no auth connection for ${host}` } };
      }
      case "reopen":
        if (value !== true) await this.restart(value);
        for (const place of this.#places()) await this.#edge.object("evict", place);
        return { is: "done" };
      default:
        return super.ask({ name, value, ...options });
    }
  }

  #places() {
    return Array.from({ length: this.#shards }, (_, shard) => ({
      project: this.#project, shard, shards: this.#shards, plan: "enterprise",
    }));
  }

  async dump() {
    const { status, text } = await this.#edge.request("GET", "/dump", { project: this.#project });
    if (status !== 200) throw new Error(`a dump was answered with ${status}: ${text}`);
    return text;
  }

  async problems() {
    const all = await Promise.all(this.#places().map((place) => this.#edge.object("problems", place)));
    return all.flat();
  }
}
