// Contenders in turns: round by round in the same minutes, so that a slow minute is everybody's.
import { steps } from "./workload.mjs";

const READS = ["conflict", "get", "list", "list by domain", "list by profile"];
/** What a floor of the disk cannot do: it keeps nothing. */
const isDisk = ({ peer }) => peer === "disk";

/** Every contender once, another one first each round. */
export function turns(round, contenders) {
  return contenders.map((_, n) => contenders[(round + n) % contenders.length]);
}

/** Figures by row and contender, one for each round. */
export class Figures {
  rows = [];

  push(name, unit, contender, figure) {
    let row = this.rows.find((it) => it.name === name);
    if (!row) this.rows.push((row = { name, unit, figures: {} }));
    (row.figures[contender] ??= []).push(figure);
  }
}

/** Fails unless all contenders give the same answers to a small random workload, also after they were opened again. */
export async function agree(contenders, seed, say) {
  const subjects = contenders.filter((it) => !isDisk(it));
  const compare = async (step) => {
    let expected;
    for (const subject of subjects) {
      const answer = JSON.stringify(await subject.ask({ ask: "step", step }));
      expected ??= answer;
      if (answer !== expected) {
        throw new Error(`${JSON.stringify(step)}: ${subjects[0].name} answers ${expected}, but ${subject.name} ${answer}`);
      }
    }
  };
  await say("checking that all answer alike");
  for (const subject of subjects) await subject.open("agree");
  for (const step of steps(seed, 300)) await compare(step);
  if (subjects.every(({ kind }) => kind !== "memory")) {
    for (const subject of subjects) await subject.ask({ ask: "reopen" });
    for (const step of steps(seed + 1, 100)) await compare(step);
  }
  for (const subject of subjects) await subject.ask({ ask: "close" });
  await say(`${subjects.map(({ name }) => name).join(", ")} answer alike.`);
}

/** Times every operation on stores that hold `size` connections, into `figures`. The first round only warms up. */
export async function measure(contenders, isDurable, plan, say, figures = new Figures()) {
  for (const contender of contenders) {
    await say(`filling ${contender.name}`);
    await contender.open("rounds");
    if (!isDisk(contender)) await contender.ask({ ask: "import", many: plan.size });
  }
  const operations = isDurable
    ? [["create", plan.durable], ["together", plan.together], ...READS.map((it) => [it, plan.reads])]
    : ["create", ...READS].map((it) => [it, plan.memory]);
  for (let round = 0; round <= plan.rounds; round += 1) {
    for (const [operation, many] of operations) {
      for (const contender of turns(round, contenders)) {
        if (isDisk(contender) && !["create", "together"].includes(operation)) continue;
        if (contender.operations && !contender.operations.includes(operation)) continue;
        await say(`round ${round} of ${plan.rounds}: ${operation}, ${contender.name}`);
        const asked = { ask: "time", operation, many, ms: plan.ms, round, size: plan.size };
        const { us, usSettled, flushes, ...others } = await contender.ask(asked);
        if (round === 0) continue;
        const where = isDurable ? "durable" : "memory";
        const name = { create: `create, ${where}`, together: "create, durable, 64 in flight" }[operation] ?? operation;
        figures.push(name, "us", contender.name, us);
        if (isDurable && usSettled) figures.push(`${name}, with the checkpoint after it`, "us", contender.name, usSettled);
        const of = operation === "together" ? "64" : "a";
        if (isDurable && flushes) figures.push(`flushes for ${of === "a" ? "a create" : "64 creates"}`, "flushes", contender.name, flushes);
        for (const [form, figure] of Object.entries(others)) figures.push(name, "us", `${contender.name} ${form}`, figure);
      }
    }
  }
  for (const contender of contenders) await contender.ask({ ask: "close" });
  return figures.rows;
}

/** Imports into a store that is empty, each round a new one. */
export async function imports(contenders, isDurable, plan, say, figures = new Figures()) {
  for (let round = 0; round < plan.imports; round += 1) {
    for (const contender of turns(round, contenders.filter((it) => !isDisk(it)))) {
      await say(`import ${round + 1} of ${plan.imports}: ${contender.name}`);
      await contender.open(`import-${round}`);
      const { us } = await contender.ask({ ask: "import", many: plan.imported });
      figures.push(`import, ${isDurable ? "durable" : "memory"}, each of ${plan.imported}`, "us", contender.name, us);
      await contender.ask({ ask: "close" });
    }
  }
  return figures.rows;
}

/** From the import of the library to the first answered create, `start(contender)` each time in a fresh process or page. */
export async function coldStarts(contenders, start, plan, say) {
  const figures = new Figures();
  for (let round = 0; round <= plan.starts; round += 1) {
    for (const contender of turns(round, contenders)) {
      await say(`cold start ${round} of ${plan.starts}: ${contender.name}`);
      const ms = await start(contender);
      // The first puts code and media into the caches of the disk.
      if (round > 0) figures.push("cold start to the first answered create", "ms", contender.name, ms);
    }
  }
  return figures.rows;
}
