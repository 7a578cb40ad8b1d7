// A run: contenders that can take part are started, measured, ended, and leave nothing behind.
import type { Contender } from "../../../benches/javascript/contenders.mjs";
import { Figures, type Plan } from "../../../benches/javascript/rounds.mjs";
import { LOCK, sweep } from "./leftovers.ts";
import { CONTENDERS, perform, rehearse } from "./plan.ts";
import { type Running, start } from "./running.ts";

/** What is shown is drawn before the clock begins. */
const DRAWING_MS = 20;

/** So long another tab may take to tidy up. */
const WAITING_MS = 3000;

/** What a run tells the page. */
export interface Audience {
  /** `done` of `steps` are behind it; `figures` are those of all that was measured so far. */
  step(what: string, done: number, steps: number, figures: Figures): void;
  leftOut(contender: Contender, reason: string): void;
  cleaning(): void;
}

/** Throws what `signal` was aborted with, or what went wrong. */
export async function run(plan: Plan, audience: Audience, signal: AbortSignal): Promise<void> {
  if (!("locks" in navigator)) throw new Error("this address is not secure, so the browser gives it no files");
  const patience = AbortSignal.timeout(WAITING_MS);
  const work = async () => {
    const stopped = new Promise<never>((_, reject) =>
      signal.addEventListener("abort", () => reject(signal.reason), { once: true }),
    );
    stopped.catch(() => {}); // whoever is asked then hears of it
    const taking: Running[] = [];
    try {
      await sweep();
      for (const contender of CONTENDERS) {
        const running = await tryOut(contender, stopped).catch((error) => {
          signal.throwIfAborted();
          audience.leftOut(contender, reasonOf(error));
        });
        if (running) taking.push(running);
      }
      await measureAll(taking, plan, audience);
    } finally {
      audience.cleaning();
      for (const running of taking) await running.end();
      await sweep();
    }
  };
  await navigator.locks.request(LOCK, { signal: AbortSignal.any([signal, patience]) }, work).catch((error) => {
    if (error !== patience.reason) throw error;
    throw new Error("it is running in another tab, and two at once would be unfair to both");
  });
}

async function tryOut(contender: Contender, stopped: Promise<never>): Promise<Running> {
  const running = await start(contender, stopped);
  try {
    await running.open("trial");
    await running.ask({ ask: "close" });
    return running;
  } catch (error) {
    await running.end();
    throw error;
  }
}

async function measureAll(taking: Running[], plan: Plan, audience: Audience): Promise<void> {
  const { steps } = await rehearse(taking, plan);
  const figures = new Figures();
  let done = 0;
  const say = async (what: string) => {
    audience.step(what, done, steps, figures);
    done += 1;
    await new Promise((resolve) => setTimeout(resolve, DRAWING_MS));
  };
  await perform(taking, plan, say, figures);
  audience.step("done", steps, steps, figures);
}

function reasonOf(error: unknown): string {
  const [first = ""] = String(error instanceof Error ? error.message : error).split("\n");
  if (/dynamically imported module|importing a module|fetch/i.test(first))
    return "its files could not be loaded; are you offline?";
  return first.replace(/^\w*Error: /, "");
}
