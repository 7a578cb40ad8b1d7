// What a run keeps in this browser, and that nothing of it is left.

/** Everything that a run makes begins with this. */
export const PREFIX = "benchmarks-";

/** Whoever has it is alone in measuring, and in tidying up. */
export const LOCK = "benchmarks";

/** A worker that was terminated may hold its files for some seconds. */
const HELD_FOR_MS = 8000;
const RETRY_MS = 100;

/** Removes what was made by whoever has the lock, or had it. */
export async function sweep(): Promise<void> {
  const root = await navigator.storage.getDirectory().catch(() => undefined);
  if (root) {
    await sweepDirectory(root);
    const stores = await root.getDirectoryHandle("connectory").catch(() => undefined);
    if (stores) await sweepDirectory(stores);
  }
  for (const { name } of await indexedDB.databases()) {
    if (name?.startsWith(PREFIX)) await removeDatabase(name);
  }
}

/** Removes what a tab has left that was closed in the middle of a run. */
export async function tidyUp(): Promise<void> {
  if (!("locks" in navigator)) return;
  await navigator.locks.request(LOCK, { ifAvailable: true }, async (lock) => {
    if (lock) await sweep();
  });
}

async function sweepDirectory(directory: FileSystemDirectoryHandle): Promise<void> {
  const names: string[] = [];
  for await (const name of directory.keys()) names.push(name);
  for (const name of names) {
    if (name.startsWith(PREFIX)) await remove(directory, name);
  }
}

async function remove(directory: FileSystemDirectoryHandle, name: string): Promise<void> {
  for (const deadline = performance.now() + HELD_FOR_MS; ; ) {
    try {
      return await directory.removeEntry(name, { recursive: true });
    } catch (error) {
      if (error instanceof DOMException && error.name === "NotFoundError") return;
      if (performance.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}

function removeDatabase(name: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const removing = indexedDB.deleteDatabase(name);
    removing.onsuccess = () => resolve();
    removing.onerror = () => reject(removing.error);
  });
}
