// The worker that a page starts for a store in files.
import { asThrown } from "../errors.js";
import { answerOf } from "../messages.js";
import { opfs } from "../opfs.js";
import { Parts } from "../parts.js";
import type { FromWorker, ToWorker } from "../remote.js";
import { Tab } from "../tabs.js";

let tab: Tab | undefined;

function say(message: FromWorker, transfer: Transferable[] = []): void {
  (self as unknown as { postMessage(message: FromWorker, transfer: Transferable[]): void }).postMessage(message, transfer);
}

async function failing(run: () => Promise<FromWorker>): Promise<void> {
  try {
    say(await run());
  } catch (error) {
    say({ type: "failed", thrown: asThrown(error) });
  }
}

self.onmessage = async ({ data }: MessageEvent<ToWorker>) => {
  switch (data.type) {
    case "open":
      return failing(async () => {
        const { name, module, rest, options, life } = data;
        await new Promise<void>((resolve, reject) => {
          // Held until this worker ends, however it does: then its page learns of it.
          navigator.locks.request(life, () => (resolve(), new Promise(() => {}))).catch(reject);
        });
        const code = rest === undefined ? { module } : new Parts(module, rest);
        tab = await Tab.join(name, { code, options, files: opfs(name) });
        tab.onChange(() => say({ type: "changed" }));
        return { type: "opened" };
      });
    case "calls": {
      const joined = tab;
      if (!joined) return;
      const answers = await Promise.all(data.calls.map((call) => answerOf(joined, call)));
      const bytes = answers.flatMap(([, answer]) =>
        "value" in answer && answer.value instanceof Uint8Array ? [answer.value.buffer as ArrayBuffer] : [],
      );
      return say({ type: "answers", answers }, bytes);
    }
    case "close":
      return failing(async () => {
        await tab?.close();
        return { type: "closed" };
      });
  }
};
