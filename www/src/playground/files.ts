// The files of the playground's store, as the package's documentation names them.
export const NAME = "playground";
export const TABLES = `${NAME}.connectory`;
export const LOG = `${NAME}.connectory-log`;

async function directory(): Promise<FileSystemDirectoryHandle> {
  return (await navigator.storage.getDirectory()).getDirectoryHandle("connectory");
}

/** A file as it is now. */
export async function fileOf(name: string): Promise<File> {
  return (await (await directory()).getFileHandle(name)).getFile();
}

/** Removes the store, which nobody must have open. */
export async function removeFiles(): Promise<void> {
  for (const name of [TABLES, LOG]) await (await directory()).removeEntry(name);
}
