// A contender in a process of its own: answers what the run asks, or starts cold and says how long that took.
import { Subject } from "./subject.mjs";

const load = (peer) => import(`./peers/${peer}.mjs`);

if (process.argv[2] === "cold") {
  const { open } = await load(process.argv[3]);
  const begun = performance.now();
  const peer = await open({ kind: "memory" });
  const { outcome } = await peer.create({ domain: "netflix.com", profile_name: "user-123" });
  const ms = performance.now() - begun;
  if (outcome !== "created") throw new Error("nothing was created");
  process.stdout.write(`${ms}\n`, () => process.exit());
} else {
  const subject = new Subject(load);
  process.on("message", async ({ id, command }) => {
    try {
      process.send({ id, answer: (await subject.ask(command)) ?? null });
    } catch (error) {
      process.send({ id, error: error.stack ?? String(error) });
    }
  });
  process.on("disconnect", () => process.exit());
}
