// The floor of what is durable: one small write into a file that is there, flushed, for every create or batch.
const WRITE_BYTES = 320;
const FILE_BYTES = 16 << 20;

export async function open({ kind, place }) {
  const file = kind === "file" ? nodeFile(place) : await opfsFile(place);
  const bytes = new Uint8Array(WRITE_BYTES).fill(7);
  for (const piece = new Uint8Array(1 << 20); file.at < FILE_BYTES; file.at += piece.length) file.write(piece, file.at);
  file.flush();
  const create = () => {
    file.at = (file.at + WRITE_BYTES) % (FILE_BYTES - 4096);
    file.write(bytes, file.at);
    file.flush();
    return { outcome: "created", connection: { id: "" } };
  };
  return {
    isSync: true,
    create,
    createMany: (requests) => requests.length > 0 ? Array(requests.length).fill(create()) : [],
    close: () => file.close(),
  };
}

function nodeFile(place) {
  const { openSync, writeSync, fdatasyncSync, closeSync } = process.getBuiltinModule("node:fs");
  const file = openSync(place, "w+");
  return {
    at: 0,
    write: (bytes, at) => writeSync(file, bytes, 0, bytes.length, at),
    flush: () => fdatasyncSync(file),
    close: () => closeSync(file),
  };
}

async function opfsFile(place) {
  const root = await navigator.storage.getDirectory();
  const handle = await (await root.getFileHandle(place, { create: true })).createSyncAccessHandle();
  return {
    at: 0,
    write: (bytes, at) => handle.write(bytes, { at }),
    flush: () => handle.flush(),
    close: () => handle.close(),
  };
}
