// Objects are evicted, ended in the middle of a turn, and killed with their process, while requests are on their way. What was
// answered is there exactly so, what failed for certain left nothing, and the rest is there as a whole or not at all.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Faulty, numbers } from "./faulty.mjs";
import { Ledger } from "./ledger.mjs";

const seed = Number(process.env.CONNECTORY_SEED ?? Math.floor(Math.random() * 2 ** 31));
const long = process.env.CONNECTORY_LONG !== undefined;
console.log(`CONNECTORY_SEED=${seed}`);

const PROFILES = 12;
const DOMAINS = 12;
const PROXIES = ["px-1", "px-2", "px-3"];

/** One store, and what is done to it. */
class Rounds {
  #below;
  #shards;
  #made = 0;
  /** How often each fault was met. */
  met = {};

  static async start(shards, seed) {
    const rounds = new Rounds();
    rounds.#below = numbers(seed);
    rounds.#shards = shards;
    rounds.edge = await Faulty.start({ shards });
    rounds.ledger = new Ledger(rounds.edge);
    return rounds;
  }

  #any(values) {
    return values[this.#below(values.length)];
  }

  /** A write to what nothing else is written to in this round; creates may race for a pair. */
  #write() {
    const { ledger } = this;
    const kind = this.#below(20);
    if (kind === 0) return ledger.list(`profile_name=p${this.#below(PROFILES)}`);
    if (kind <= 2) return this.#changeProxy();
    const profile_name = `p${this.#below(PROFILES)}`;
    const domain = `d${this.#below(DOMAINS)}.example.com`;
    const key = `${profile_name} ${domain}`;
    if (ledger.isOpen(key)) return ledger.list(`query=${domain}`);
    const before = ledger.connections.get(key);
    if (!before) return this.#create(profile_name, domain);
    if (kind <= 4) return this.#create(profile_name, domain);
    this.#made += 1;
    if (kind <= 12) return ledger.update(before, { login_url: `https://example.com/${this.#made}`, health_checks: kind % 2 === 0 });
    return ledger.delete(before);
  }

  #create(profile_name, domain) {
    const proxy = this.#below(4) === 0 ? { proxy: { id: this.#any(PROXIES) } } : {};
    const one = () => {
      this.#made += 1;
      const login_url = `https://example.com/${this.#made}`;
      const allowed_domains = Array.from({ length: this.#below(40) }, (_, n) => `d${n}.example.com`);
      return this.ledger.create({ profile_name, domain, login_url, ...(allowed_domains.length > 0 ? { allowed_domains } : {}), ...proxy });
    };
    return Promise.all(Array.from({ length: 1 + (this.#below(3) === 0 ? this.#below(8) : 0) }, one));
  }

  #changeProxy() {
    const id = this.#any(PROXIES);
    if (this.ledger.isOpen(id)) return this.ledger.list("");
    this.#made += 1;
    return this.#below(2) === 0 ? this.ledger.putProxy(id, `name ${this.#made}`) : this.ledger.removeProxy(id);
  }

  /** Some that are sent at once; `also` runs when so many of them were sent, or were answered. */
  async #wave(also) {
    const size = 1 + this.#below(12);
    const after = this.#below(size + 1);
    const isOfAnswers = this.#below(2) === 0;
    let answered = 0;
    let other;
    const strike = (count, isAnswered) => {
      if (also && count === after && isAnswered === isOfAnswers) other = also();
    };
    strike(0, isOfAnswers);
    const sent = [];
    while (sent.length < size) {
      sent.push(this.#write().then(() => strike((answered += 1), true)));
      strike(sent.length, false);
    }
    await Promise.all(sent);
    await other;
  }

  async #cut() {
    const shard = this.#below(this.#shards);
    const fault = {
      at: 1 + this.#below(this.#any([2, 6, 20])),
      act: this.#any(["throw", "abort"]),
      when: this.#any(["before", "after"]),
      isSticky: this.#below(3) === 0,
      ...(this.#below(4) === 0 ? { message: "database or disk is full: SQLITE_FULL" } : {}),
    };
    await this.edge.arm(fault, shard);
    return `${fault.act} ${fault.when}`;
  }

  /** What was under way, and a fault of this kind. */
  async round(kind) {
    const waves = 1 + this.#below(3);
    const struck = this.#below(waves);
    let met = kind;
    for (let wave = 0; wave < waves; wave += 1) {
      if (wave !== struck) await this.#wave();
      else if (kind === "evicted") await this.#wave(() => this.edge.evict(this.#below(this.#shards)));
      else if (kind === "killed") {
        await this.#wave(() => this.edge.kill());
        await this.edge.restart();
      } else {
        met = await this.#cut();
        await this.#wave();
      }
    }
    this.met[met] = (this.met[met] ?? 0) + 1;
    for (let shard = 0; shard < this.#shards; shard += 1) await this.edge.arm(undefined, shard);
    await this.ledger.settle();
  }

  /** So many rounds, of which so many end in a kill. */
  async run(rounds, kills) {
    for (let n = 0; n < rounds; n += 1) {
      const isKill = Math.floor(((n + 1) * kills) / rounds) > Math.floor((n * kills) / rounds);
      const kind = isKill ? "killed" : this.#any(["evicted", "cut", "cut"]);
      try {
        await this.round(kind);
      } catch (error) {
        error.message = `round ${n} of seed ${seed}, ${kind}: ${error.message}`;
        throw error;
      }
    }
    const { counts, connections } = this.ledger;
    console.log(JSON.stringify({ rounds, ...this.met, ...counts, connections: connections.size }));
    assert.ok(counts.done > counts.unknown, "most of it was done");
    assert.ok(counts.unknown > 0 && counts.refused > 0, "some of it was cut");
  }
}

for (const { shards, rounds, kills } of long
  ? [{ shards: 1, rounds: 320, kills: 40 }, { shards: 4, rounds: 180, kills: 25 }]
  : [{ shards: 1, rounds: 45, kills: 3 }, { shards: 4, rounds: 20, kills: 2 }]) {
  test(`${shards} shards: nothing answered is lost and nothing is there in part, ${rounds} rounds`, async (t) => {
    const all = await Rounds.start(shards, seed + shards);
    t.after(() => all.edge.stop());
    await all.run(rounds, kills);
  });
}
