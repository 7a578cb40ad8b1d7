// The floor: the registry in a Map of this process, with nothing kept.
import { check, conflict, connectionOf, created, ids, pageOf } from "../rules.mjs";

export async function open() {
  const newId = ids();
  const byId = new Map();
  const pairs = new Map();
  const all = [];
  const domains = new Map();
  const profiles = new Map();

  const append = (lists, key, connection) => {
    const list = lists.get(key);
    if (list) list.push(connection);
    else lists.set(key, [connection]);
  };
  const create = (request) => {
    check(request);
    const pair = `${request.profile_name} ${request.domain}`;
    const holder = pairs.get(pair);
    if (holder !== undefined) return conflict(holder.id);
    const connection = connectionOf(newId(), request);
    byId.set(connection.id, connection);
    pairs.set(pair, connection);
    all.push(connection);
    append(domains, connection.domain, connection);
    append(profiles, connection.profile_name, connection);
    return created({ ...connection });
  };
  return {
    isSync: true,
    create,
    createMany: (requests) => requests.map(create),
    get(id) {
      const connection = byId.get(id);
      return connection && { ...connection };
    },
    list({ profile_name, domain, limit = 20 }) {
      const list = (profile_name ? profiles.get(profile_name) : domain ? domains.get(domain) : all) ?? [];
      return pageOf(list.slice(-limit - 1).reverse().map((connection) => ({ ...connection })), limit);
    },
    profiles({ limit = 20 }) {
      const names = [...profiles.keys()].sort().slice(0, limit);
      return { items: names.map((name) => ({ name, connections: profiles.get(name).length })) };
    },
    close() {},
  };
}
