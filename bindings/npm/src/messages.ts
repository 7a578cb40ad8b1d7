// Calls on their way between threads, and their answers on their way back.
import { asThrown, type ConnectoryError, fromThrown, RefusedError, type Thrown } from "./errors.js";
import type { Link, Method } from "./link.js";

/** A call on its way to another thread. */
export type Call = [id: number, method: Method, args: unknown[]];
/** The answer to one, on its way back. */
export type Answer = [id: number, answer: { value: unknown } | { thrown: Thrown }];

/** Asks `link` and says what came of it. */
export async function answerOf(link: Link, [id, method, args]: Call): Promise<Answer> {
  try {
    return [id, { value: await link.call(method, args) }];
  } catch (error) {
    return [id, { thrown: asThrown(error) }];
  }
}

interface Asked {
  call: Call;
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

/** Calls that were asked for and not answered. Those of one turn are sent together. */
export class Calls {
  readonly #send: (calls: Call[]) => void;
  readonly #asked = new Map<number, Asked>();
  #leaving = new Set<number>();
  #count = 0;

  constructor(send: (calls: Call[]) => void) {
    this.#send = send;
  }

  ask(method: Method, args: unknown[]): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#count += 1;
      this.#asked.set(this.#count, { call: [this.#count, method, args], resolve, reject });
      this.send(this.#count);
    });
  }

  /** Sends a call, at the end of this turn. */
  send(id: number): void {
    if (this.#leaving.size === 0) queueMicrotask(() => this.#leave());
    this.#leaving.add(id);
  }

  #leave(): void {
    const calls = [...this.#leaving].flatMap((id) => {
      const asked = this.#asked.get(id);
      return asked ? [asked.call] : [];
    });
    this.#leaving = new Set();
    if (calls.length > 0) this.#sendWhole(calls);
  }

  #sendWhole(calls: Call[]): void {
    try {
      this.#send(calls);
    } catch (error) {
      // Something in them cannot go to another thread; the others can.
      const [call, ...others] = calls;
      if (call && others.length === 0) return this.fail(call[0], unsendable(error));
      for (const call of calls) this.#sendWhole([call]);
    }
  }

  /** Those that wait for an answer. */
  waiting(): Call[] {
    return [...this.#asked.values()].map(({ call }) => call);
  }

  settle([id, answer]: Answer): void {
    if ("thrown" in answer) return this.fail(id, fromThrown(answer.thrown));
    this.#take(id)?.resolve(answer.value);
  }

  fail(id: number, error: ConnectoryError): void {
    this.#take(id)?.reject(error);
  }

  #take(id: number): Asked | undefined {
    const asked = this.#asked.get(id);
    this.#asked.delete(id);
    return asked;
  }
}

function unsendable(error: unknown): ConnectoryError {
  const message = `cannot go to the store's thread: ${(error as Error).message}; send plain values`;
  return new RefusedError("bad_request", message, [{ code: "invalid_value", message }]);
}
