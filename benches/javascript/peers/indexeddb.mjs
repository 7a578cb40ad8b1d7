// IndexedDB with a unique index on pairs; every transaction that writes is strictly durable.
import { check, conflict, connectionOf, created, ids, pageOf } from "../rules.mjs";

const ANY_AFTER = (prefix) => IDBKeyRange.bound([prefix], [prefix, []]);

export async function open({ place }) {
  const opening = indexedDB.open(place, 1);
  opening.onupgradeneeded = () => {
    const connections = opening.result.createObjectStore("connections", { keyPath: "id" });
    connections.createIndex("pairs", ["profile_name", "domain"], { unique: true });
    connections.createIndex("profile_order", ["profile_name", "id"]);
    connections.createIndex("domain_order", ["domain", "id"]);
    opening.result.createObjectStore("profiles", { keyPath: "name" });
  };
  const db = await answerOf(opening);
  const connectionsNow = () => db.transaction("connections", "readonly").objectStore("connections");
  const [last] = await newest(connectionsNow(), null, 1);
  const newId = ids(last?.id);

  const createMany = (requests) => new Promise((resolve, reject) => {
    requests.forEach(check);
    const transaction = db.transaction(["connections", "profiles"], "readwrite", { durability: "strict" });
    const connections = transaction.objectStore("connections");
    const profiles = transaction.objectStore("profiles");
    const answers = [];
    const more = new Map();
    let waiting = requests.length;
    const countProfiles = () => {
      waiting -= 1;
      if (waiting > 0) return;
      let reading = more.size;
      if (reading === 0) return transaction.commit();
      for (const [name, count] of more) {
        profiles.get(name).onsuccess = ({ target: { result } }) => {
          profiles.put({ name, connections: (result?.connections ?? 0) + count });
          reading -= 1;
          if (reading === 0) transaction.commit();
        };
      }
    };
    for (const [n, request] of requests.entries()) {
      const connection = connectionOf(newId(), request);
      const { profile_name, domain } = connection;
      const adding = connections.add(connection);
      adding.onsuccess = () => {
        answers[n] = created(connection);
        more.set(profile_name, (more.get(profile_name) ?? 0) + 1);
        countProfiles();
      };
      adding.onerror = (event) => {
        if (adding.error.name !== "ConstraintError") return;
        event.preventDefault();
        event.stopPropagation();
        connections.index("pairs").getKey([profile_name, domain]).onsuccess = ({ target: { result } }) => {
          answers[n] = conflict(result);
          countProfiles();
        };
      };
    }
    if (requests.length === 0) transaction.commit();
    transaction.oncomplete = () => resolve(answers);
    transaction.onabort = () => reject(transaction.error);
  });
  return {
    create: async (request) => (await createMany([request]))[0],
    createMany,
    get: (id) => answerOf(connectionsNow().get(id)),
    async list({ profile_name, domain, limit = 20 }) {
      const connections = connectionsNow();
      const items = profile_name
        ? newest(connections.index("profile_order"), ANY_AFTER(profile_name), limit + 1)
        : domain
          ? newest(connections.index("domain_order"), ANY_AFTER(domain), limit + 1)
          : newest(connections, null, limit + 1);
      return pageOf(await items, limit);
    },
    async profiles({ limit = 20 }) {
      return { items: await answerOf(db.transaction("profiles").objectStore("profiles").getAll(null, limit)) };
    },
    close: () => db.close(),
  };
}

function answerOf(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/** The last records first: at once where the browser can, else by a cursor. */
async function newest(from, query, count) {
  if ("getAllRecords" in from) {
    const records = await answerOf(from.getAllRecords({ query, count, direction: "prev" }));
    return records.map(({ value }) => value);
  }
  return new Promise((resolve, reject) => {
    const items = [];
    const walking = from.openCursor(query, "prev");
    walking.onerror = () => reject(walking.error);
    walking.onsuccess = () => {
      const cursor = walking.result;
      if (!cursor) return resolve(items);
      items.push(cursor.value);
      if (items.length === count) return resolve(items);
      cursor.continue();
    };
  });
}
