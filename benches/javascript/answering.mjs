// A worker's side of a contender: does what it is asked, and counts the flushes of its files.
import { Subject } from "./subject.mjs";

export function answer(load) {
  let flushes = 0;
  const handles = globalThis.FileSystemSyncAccessHandle?.prototype;
  if (handles) {
    const { flush } = handles;
    handles.flush = function () {
      flushes += 1;
      return flush.call(this);
    };
  }
  const subject = new Subject(load, () => flushes);
  self.addEventListener("message", async ({ data, ports: [port] }) => {
    if (!port) return;
    try {
      port.postMessage({ answer: await subject.ask(data) });
    } catch (error) {
      port.postMessage({ error: error.stack ?? String(error) });
    }
  });
  postMessage("ready");
}
