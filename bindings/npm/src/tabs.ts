// Any number of tabs on one store: a Web Lock elects the owner, who has the engine; the others ask it by message.
import { type Code, Engine, type OpenFiles } from "./engine.js";
import { asError, type ConnectoryError, FailedError, outcomeUnknown } from "./errors.js";
import { isReading, isRepeatable, type Link, Listeners, type Method } from "./link.js";
import { type Answer, answerOf, type Call, Calls } from "./messages.js";
import type { StoreOptions } from "./types.js";

/** So long a call waits for somebody to own the store. */
const OWNERLESS_MS = 5000;
/** So often those who wait look whether the owner is still there. */
const LOOK_MS = 250;

/** What tabs tell each other. An owner is known by the name of a lock that it holds for its term. */
type Message =
  | { type: "who" }
  | { type: "owner"; owner: string }
  | { type: "calls"; owner: string; from: string; calls: Call[] }
  | { type: "answers"; to: string; answers: Answer[] }
  /** The owner has answered what it has looked at, and will not look at anything else. */
  | { type: "left"; owner: string }
  | { type: "changed" };

/** What the owner opens. */
interface Opening {
  code: Code;
  options: StoreOptions;
  files: OpenFiles;
}

/** One of the tabs that share a store. */
export class Tab implements Link {
  readonly #name: string;
  readonly #id = crypto.randomUUID();
  readonly #opening: Opening;
  readonly #channel: BroadcastChannel;
  readonly #listeners = new Listeners();
  readonly #calls = new Calls((calls) => this.#send(calls));
  /** The owners that calls were sent to, by the number of the call. */
  readonly #sentTo = new Map<number, string>();
  readonly #closing = new AbortController();
  /** Set while this tab owns the store. */
  #engine: Engine | undefined;
  #resign = (): void => {};
  /** What others asked of this tab and is not answered yet. */
  readonly #answering = new Set<Promise<void>>();
  #owner: string | undefined;
  #hasOthers = false;
  #isNews = false;
  #ownerlessSince = performance.now();
  #looking: ReturnType<typeof setInterval> | undefined;
  /** Those who wait to have joined. */
  #joining: { resolve(): void; reject(error: ConnectoryError): void } | undefined;
  #standing: Promise<void> = Promise.resolve();

  private constructor(name: string, opening: Opening) {
    this.#name = `connectory:${name}`;
    this.#opening = opening;
    this.#channel = new BroadcastChannel(this.#name);
    this.#channel.onmessage = ({ data }: MessageEvent<Message>) => this.#hear(data);
  }

  /**
   * Joins the tabs that share the store of this name; the first one opens it.
   *
   * Rejects with what kept this tab from opening the store, or if nobody has it open in five seconds.
   */
  static async join(name: string, opening: Opening): Promise<Tab> {
    const tab = new Tab(name, opening);
    const joined = new Promise<void>((resolve, reject) => (tab.#joining = { resolve, reject }));
    tab.#say({ type: "who" });
    tab.#standing = tab.#stand();
    tab.#look();
    try {
      await joined;
    } catch (error) {
      await tab.close();
      throw error;
    }
    tab.#joining = undefined;
    return tab;
  }

  call(method: Method, args: unknown[]): Promise<unknown> {
    if (this.#closing.signal.aborted) return Promise.reject(closed());
    if (method === "isOwner") return Promise.resolve(this.#engine !== undefined);
    if (this.#engine) return this.#engine.call(method, args);
    this.#look();
    return this.#calls.ask(method, args);
  }

  onChange(listener: () => void): () => void {
    return this.#listeners.add(listener);
  }

  /** Leaves; an owner closes the store first, and hands over. */
  async close(): Promise<void> {
    if (!this.#closing.signal.aborted) {
      this.#closing.abort();
      clearInterval(this.#looking);
      this.#fail((reading) => (reading ? closed() : outcomeUnknown("the store was closed meanwhile")), closed);
      this.#resign();
    }
    try {
      await this.#standing;
    } finally {
      this.#channel.close();
      this.#listeners.tell();
    }
  }

  /** Stands for election, again and again, until this tab leaves. */
  async #stand(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      try {
        await navigator.locks.request(this.#name, { signal }, () => this.#own());
      } catch (error) {
        if (signal.aborted && error instanceof DOMException) return;
        if (signal.aborted) throw error;
        // It could not be opened. Whoever waits here learns why; the next one in line tries, and this tab later.
        const why = asError(error);
        this.#joining?.reject(why);
        this.#fail(() => why, () => why);
        await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
      }
    }
  }

  /** Owns the store until this tab leaves or the engine ends. */
  async #own(): Promise<void> {
    const owner = `${this.#name}:${crypto.randomUUID()}`;
    await navigator.locks.request(owner, async () => {
      const { code, options, files } = this.#opening;
      const engine = await Engine.open(code, options, files);
      if (this.#closing.signal.aborted) return engine.close();
      const term = new Promise<void>((resolve) => (this.#resign = resolve));
      engine.onEnd = this.#resign;
      engine.onChange(() => {
        this.#listeners.tell();
        this.#sayChanged();
      });
      this.#engine = engine;
      this.#say({ type: "owner", owner });
      this.#follow(owner);
      await term;
      this.#engine = undefined;
      this.#ownerIsGone();
      try {
        await engine.close();
      } finally {
        await Promise.all(this.#answering);
        this.#say({ type: "left", owner });
      }
    });
  }

  #say(message: Message): void {
    this.#channel.postMessage(message);
  }

  /** Tells others of changes: after the answers to whoever made them, and only if anybody was ever heard of. */
  #sayChanged(): void {
    if (!this.#hasOthers || this.#isNews) return;
    this.#isNews = true;
    setTimeout(() => {
      this.#isNews = false;
      // Whoever owns the store after this tab tells the others to look.
      if (!this.#closing.signal.aborted) this.#say({ type: "changed" });
    });
  }

  #hear(message: Message): void {
    this.#hasOthers = true;
    switch (message.type) {
      case "who":
        if (this.#engine && this.#owner) this.#say({ type: "owner", owner: this.#owner });
        return;
      case "owner":
        return this.#follow(message.owner);
      case "calls":
        if (message.owner === this.#owner && this.#engine) this.#answer(this.#engine, message);
        return;
      case "answers":
        if (message.to === this.#id) for (const answer of message.answers) this.#settle(answer);
        return;
      case "left":
        for (const [id, owner] of this.#sentTo) if (owner === message.owner) this.#sentTo.delete(id);
        if (message.owner === this.#owner) this.#ownerIsGone();
        return;
      case "changed":
        return this.#listeners.tell();
    }
  }

  #answer(engine: Engine, { from, calls }: Message & { type: "calls" }): void {
    const answering = Promise.all(calls.map((call) => answerOf(engine, call))).then((answers) => {
      this.#answering.delete(answering);
      this.#say({ type: "answers", to: from, answers });
    });
    this.#answering.add(answering);
  }

  /** From now on the store belongs to `owner`: what it was not sent goes there. */
  #follow(owner: string): void {
    if (owner === this.#owner) return;
    this.#ownerIsGone();
    this.#owner = owner;
    this.#joining?.resolve();
    for (const [id] of this.#calls.waiting()) this.#calls.send(id);
    // Those who follow changes read what they may have missed.
    this.#listeners.tell();
  }

  /** Answers the writes that were sent to the last owner and cannot be sent again: nobody can tell what became of them. */
  #ownerIsGone(): void {
    if (this.#owner !== undefined) this.#ownerlessSince = performance.now();
    this.#owner = undefined;
    for (const [id, method, args] of this.#calls.waiting()) {
      if (!this.#sentTo.has(id) || isRepeatable(method, args)) continue;
      const why = "the tab that owned the store is gone";
      this.#settleWith(id, isReading(method, args) ? handingOver(why) : outcomeUnknown(why));
    }
  }

  /** Sends calls to the owner, or asks the engine if that is here. Without an owner they wait for one. */
  #send(calls: Call[]): void {
    const owner = this.#owner;
    if (owner === undefined) return;
    for (const [id] of calls) this.#sentTo.set(id, owner);
    const engine = this.#engine;
    if (!engine) return this.#say({ type: "calls", owner, from: this.#id, calls });
    for (const call of calls) void answerOf(engine, call).then((answer) => this.#settle(answer));
  }

  #settle(answer: Answer): void {
    this.#sentTo.delete(answer[0]);
    this.#calls.settle(answer);
  }

  #settleWith(id: number, error: ConnectoryError): void {
    this.#sentTo.delete(id);
    this.#calls.fail(id, error);
  }

  /** Answers everybody who waits: those whose call was sent, and those whose call was not. */
  #fail(sent: (isReading: boolean) => ConnectoryError, unsent: () => ConnectoryError): void {
    for (const [id, method, args] of this.#calls.waiting()) {
      this.#settleWith(id, this.#sentTo.has(id) ? sent(isReading(method, args)) : unsent());
    }
  }

  /** Looks after those who wait: whether the owner is still there, and how long there has been none. */
  #look(): void {
    this.#looking ??= setInterval(() => void this.#lookOnce(), LOOK_MS);
  }

  async #lookOnce(): Promise<void> {
    if (!this.#joining && this.#calls.waiting().length === 0) {
      clearInterval(this.#looking);
      this.#looking = undefined;
      return;
    }
    const owner = this.#owner;
    if (owner !== undefined) {
      const { held } = await navigator.locks.query();
      const isThere = held?.some(({ name }) => name === owner);
      if (owner === this.#owner && !isThere) this.#ownerIsGone();
    } else if (performance.now() - this.#ownerlessSince > OWNERLESS_MS) {
      const error = handingOver("none has taken it over in five seconds");
      this.#joining?.reject(error);
      this.#fail((reading) => (reading ? error : outcomeUnknown(error.message)), () => error);
    }
  }
}

function closed(): FailedError {
  return new FailedError("closed", "the store is closed");
}

function handingOver(why: string): FailedError {
  return new FailedError("handing_over", `the store is on its way from one tab to another: ${why}; try again`);
}
