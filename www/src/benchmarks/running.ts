// Contenders at work in this browser: each in a worker of its own, or in the page itself.
import { asking } from "../../../benches/javascript/asking.mjs";
import type { Contender } from "../../../benches/javascript/contenders.mjs";
import type { Answer, Asking, Command } from "../../../benches/javascript/rounds.mjs";
import { Subject } from "../../../benches/javascript/subject.mjs";
import { PREFIX } from "./leftovers.ts";
import * as ours from "./ours.ts";

export type Running = Asking & { end(): Promise<void> };

/** Starts a contender; whatever it is asked ends with `stopped`. */
export async function start(contender: Contender, stopped: Promise<never>): Promise<Running> {
  const { ask, end } = contender.inPage ? inPage() : await inWorker(stopped);
  const running: Running = {
    ...contender,
    end,
    ask: (command) => Promise.race([ask(command), stopped]),
    async open(place) {
      const name = `${contender.name}-${contender.kind}-${place}`.replaceAll(/[^A-Za-z0-9-]+/g, "-");
      await running.ask({ ask: "open", peer: contender.peer, kind: contender.kind, place: PREFIX + name });
    },
  };
  return running;
}

interface Place {
  ask(command: Command): Promise<Answer>;
  end(): Promise<void>;
}

async function inWorker(stopped: Promise<never>): Promise<Place> {
  const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
  const end = async () => worker.terminate();
  try {
    return { ask: await Promise.race([asking(worker), stopped]), end };
  } catch (error) {
    await end();
    throw error;
  }
}

function inPage(): Place {
  const subject = new Subject(async () => ours);
  let underWay: Promise<unknown> = Promise.resolve();
  const quietly = (promise: Promise<unknown>) => promise.catch(() => {});
  const close = () => quietly(subject.ask({ ask: "close" }));
  return {
    ask(command) {
      const answer = subject.ask(command);
      underWay = quietly(answer);
      return answer;
    },
    async end() {
      // What is under way fails then; a store that was just being opened is closed once it is open.
      await close();
      await underWay;
      await close();
    },
  };
}
