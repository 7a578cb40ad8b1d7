// Every case, and ten thousand operations, on stores of some runtime; beside what the native engine said of them.
import { Run, rendered, scenariosOf } from "./cases.mjs";

/** One failure leads to others: the first ones tell. */
const SHOWN = 5;

const always = () => true;
const asIs = (text) => text;

/**
 * Replays every file of cases on subjects of `make`, which is given a scenario's options; `native` has the native
 * engine's answers and dumps. `exact` says whether a step's answer must be the native one's, `ended` sees each store last.
 * `has` says whether a scenario can be replayed at all, `does` whether one of its steps can. `names` is called with a
 * scenario for each side of it, and what it returns with every text before they are compared.
 */
export async function replay(
  files, native, make, { exact = always, ended = async () => {}, has = always, does = always, names = () => asIs } = {},
) {
  const count = { files: 0, scenarios: 0, steps: 0, answers: 0, dumps: 0 };
  const failures = [];
  for (const [name, file] of Object.entries(files)) {
    count.files += 1;
    for (const [n, { about, store, steps, ...rest }] of scenariosOf(file).entries()) {
      if (Object.keys(rest).length > 0) throw new Error(`a scenario has no ${Object.keys(rest)}`);
      if (!has({ store, steps })) continue;
      const [ours, theirs] = [names({ steps }), names({ steps })];
      const subject = await make(store ?? {});
      const run = new Run(subject);
      const expected = native[name][n];
      const at = (what) => `${name}, ${about}, ${what}`;
      for (const [m, step] of steps.entries()) {
        const wanted = theirs(expected.answers[m]);
        if (!does(step)) continue;
        count.steps += 1;
        for (const fault of await run.step(step)) failures.push(at(`step ${m + 1} ${JSON.stringify(step)}: ${fault}`));
        const answer = ours(run.answers.at(-1));
        if (!exact(step)) continue;
        count.answers += 1;
        if (answer !== wanted) failures.push(at(`step ${m + 1}: it said ${answer}, the native engine ${wanted}`));
      }
      for (const problem of await subject.problems()) failures.push(at(problem));
      if (ours(await subject.dump()) !== theirs(expected.dump)) failures.push(at("the dump is not the native one's"));
      count.dumps += 1;
      await ended(subject, expected);
      await subject.store.close();
      count.scenarios += 1;
    }
  }
  return { count, failures: failures.slice(0, SHOWN) };
}

/** Does operations one after the other; what was not answered as the native engine answered it. */
export async function perform(subject, { operations, answers, dump }) {
  const failures = [];
  for (const [n, operation] of operations.entries()) {
    const answer = rendered(await subject.perform(operation));
    if (answer !== answers[n]) failures.push(`operation ${n}: it said ${answer}, the native engine ${answers[n]}`);
  }
  if ((await subject.dump()) !== dump) failures.push("the dump is not the native one's");
  return failures.slice(0, SHOWN);
}
