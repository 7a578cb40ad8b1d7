// Stores in files of the browser: in this thread where it may wait for files, else in a worker.
import type { Code } from "./engine.js";
import type { Link } from "./link.js";
import { invalid, type Openers } from "./open.js";
import { hasOpfs, noStorage, opfs } from "./opfs.js";
import { Remote } from "./remote.js";
import { Tab } from "./tabs.js";
import type { InBrowser } from "./types.js";

/** Opens stores by name. */
export function inBrowser(
  code: () => Promise<Code>,
  worker: () => Worker,
): Openers<"name">["name"] {
  return async ({ name, persist = true }: InBrowser, options): Promise<Link> => {
    if (typeof name !== "string" || !/^[A-Za-z0-9._-]{1,64}$/.test(name)) {
      throw invalid("name: send 1 to 64 letters, digits, '.', '_' and '-'");
    }
    if (typeof navigator === "undefined" || !("storage" in navigator) || !("locks" in navigator)) {
      throw noStorage("it is no secure context, or an old browser");
    }
    // Only pages may ask. Whether it says yes is told by navigator.storage.persisted().
    if (persist) void navigator.storage.persist?.().catch(() => false);
    if (isDedicatedWorker() && hasOpfs()) return Tab.join(name, { code: await code(), options, files: opfs(name) });
    if (options.stamps) throw invalid("stamps: a function cannot go to the store's worker; open the store in a worker of yours");
    return Remote.open(worker(), name, options, await code());
  };
}

function isDedicatedWorker(): boolean {
  return "DedicatedWorkerGlobalScope" in globalThis;
}
