// What the page measures: who takes part, how much work it is, and which rows come of it.
import { type Contender, contendersOf } from "../../../benches/javascript/contenders.mjs";
import {
  type Answer,
  type Asking,
  agree,
  type Command,
  Figures,
  imports,
  measure,
  type Plan,
  type Say,
} from "../../../benches/javascript/rounds.mjs";
import type { Row } from "../charts/model.ts";
import { spaced } from "../charts/units.ts";

/** SQLite takes part at its best: with WAL. */
export const CONTENDERS = contendersOf("chromium", true).filter(({ kind }) => kind !== "opfs-journal");

const PLAN: Plan = {
  size: 4000,
  rounds: 5,
  durable: 128,
  together: 64 * 12,
  reads: 2000,
  ms: 150,
  imported: 4000,
  imports: 3,
};

/** The plan, as the page's address may change it. */
export function planOf(query = ""): Plan {
  const asked = new URLSearchParams(query);
  const number = (name: string, usual: number) =>
    Math.min(100_000, Math.max(1, Math.floor(Number(asked.get(name)) || usual)));
  const rounds = number("rounds", PLAN.rounds);
  const size = number("rows", PLAN.size);
  return { ...PLAN, rounds, imports: Math.min(rounds, PLAN.imports), ms: number("ms", PLAN.ms), size, imported: size };
}

/** All of it, in the order of the repository's own benchmark, into `figures`. */
export async function perform(contenders: Asking[], plan: Plan, say: Say, figures: Figures): Promise<void> {
  await agree(contenders, 1, say);
  await measure(contenders, true, plan, say, figures);
  await imports(contenders, true, plan, say, figures);
}

/** A run in which nobody does anything: how many steps it has, and which rows. */
export async function rehearse(contenders: Contender[], plan: Plan): Promise<{ steps: number; rows: Row[] }> {
  let steps = 0;
  const figures = new Figures();
  await perform(contenders.map(idle), plan, () => (steps += 1), figures);
  const rows = figures.rows.map(
    ({ name, unit, figures }): Row => ({
      name: spaced(name),
      unit,
      better: unit === "flushes" ? "neither" : "less",
      bars: Object.keys(figures).map((name) => ({ name })),
    }),
  );
  return { steps, rows };
}

function idle(contender: Contender): Asking {
  const countsFlushes = contender.kind.startsWith("opfs") && !contender.inPage;
  const ask = async ({ operation }: Command): Promise<Answer> => {
    if (operation !== "create" && operation !== "together") return { us: 1 };
    return { us: 1, usSettled: 1, flushes: countsFlushes ? 1 : 0 };
  };
  return { ...contender, open: async () => {}, ask };
}
