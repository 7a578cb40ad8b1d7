// The Worker with shards that fail when they are told to, in a process that can be killed.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { start } from "./edge.mjs";

/** Checkpoints every few writes, over many chunks. */
export const SMALL = { chunkBytes: 4096, logRows: 16 };

/** A repeatable source of numbers below `n`. */
export function numbers(state) {
  return (n) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
}

/** The processes of workerd that this one has started. */
function children() {
  const found = [];
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      const [, name, parent] = /\((.*)\) \S (\d+)/s.exec(readFileSync(`/proc/${pid}/stat`, "utf8"));
      if (name === "workerd" && Number(parent) === process.pid) found.push(Number(pid));
    } catch (error) {
      // One that has ended meanwhile.
      if (!["ENOENT", "ESRCH"].includes(error.code)) throw error;
    }
  }
  return found;
}

export class Faulty {
  /** The project of which the rest speaks. */
  project = "default";
  persist = mkdtempSync(join(tmpdir(), "connectory-edge-"));

  /** `layout` is that of the stores, `null` the default one; `shards` how many the project has, `projects` others. */
  static async start({ layout = SMALL, shards = 1, projects = [] } = {}) {
    const faulty = new Faulty();
    faulty.shards = shards;
    faulty.options = {
      entry: "faulty.ts",
      cf: false,
      projects: Object.fromEntries(projects.map((project) => [project, { plan: "enterprise" }])),
      shards: { default: shards },
      bindings: layout ? { LAYOUT: layout } : {},
    };
    await faulty.begin();
    return faulty;
  }

  async begin() {
    const before = children();
    this.running = await start({ ...this.options, persist: this.persist });
    this.pid = children().find((pid) => !before.includes(pid));
  }

  request(method, path, options) {
    return this.running.request(method, path, { project: this.project, ...options });
  }

  create(profile_name, domain) {
    return this.request("POST", "/auth/connections", { body: { profile_name, domain } });
  }

  /** The same, of another project. */
  of(project) {
    return Object.create(this, { project: { value: project }, shards: { value: 1 } });
  }

  get log() {
    return this.running.log;
  }

  /** Calls a method of `faulty.ts` on a shard; what it returns. */
  async call(method, place = {}, ...args) {
    const body = { project: this.project, shard: 0, shards: this.shards, ...place, args };
    const answer = await this.request("POST", `/faulty/${method}`, { body });
    if (answer.status !== 200) throw new Error(`${method}: ${answer.text}`);
    return answer.body;
  }

  arm(fault, shard = 0) {
    return this.call("arm", { shard }, fault);
  }

  /** Ends an object between two events. */
  async evict(shard = 0) {
    const ended = await this.call("evict", { shard }).then(() => undefined, (error) => error.message);
    if (!ended?.includes("evicted by a test")) throw new Error(`it was not evicted: ${ended}`);
  }

  /** Ends the process as it stands. */
  kill() {
    process.kill(this.pid, "SIGKILL");
  }

  /** Starts it again over what it has left. */
  async restart() {
    await this.running.stop();
    await this.begin();
  }

  async stop() {
    await this.running.stop();
    rmSync(this.persist, { recursive: true });
  }
}
