// A contender in a dedicated worker, which counts the flushes of its files.
import { Subject } from "./subject.mjs";

let flushes = 0;
const handles = FileSystemSyncAccessHandle.prototype;
const { flush } = handles;
handles.flush = function () {
  flushes += 1;
  return flush.call(this);
};

const subject = new Subject((peer) => import(`./peers/${peer}.mjs`), () => flushes);
self.addEventListener("message", async ({ data, ports: [port] }) => {
  if (!port) return;
  try {
    port.postMessage({ answer: await subject.ask(data) });
  } catch (error) {
    port.postMessage({ error: error.stack ?? String(error) });
  }
});
postMessage("ready");
