// Connectory as it is installed.
const DIST = globalThis.process ? "../../../bindings/npm/dist/node.js" : "/connectory/browser.js";

export async function open({ kind, place }, load = () => import(/* @vite-ignore */ DIST)) {
  const { open } = await load();
  const store = await open({ memory: { memory: true }, file: { path: place }, opfs: { name: place, persist: false } }[kind]);
  return {
    create: (request) => store.create(request),
    createMany: (requests) => store.createMany(requests),
    /** Creates that are asked for at once, each by itself. */
    createTogether: (requests) => Promise.all(requests.map((request) => store.create(request))),
    get: (id) => store.get(id),
    list: (query) => store.list(query),
    profiles: (query) => store.profiles(query),
    /** What the engine would do when nobody writes for a second. */
    settle: () => store.checkpoint(),
    close: () => store.close(),
  };
}
