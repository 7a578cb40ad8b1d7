// The registry on SQLite, whichever binding runs it: prepared statements, one transaction for each create or batch.
import { check, conflict, connectionOf, created, ids, pageOf } from "../rules.mjs";

// Rows are too long for WITHOUT ROWID; keys grow with IDs, so every index has its rows in the order of time.
const SCHEMA = `
  CREATE TABLE IF NOT EXISTS profiles (
    key INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, connections INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS connections (
    key INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, profile INTEGER NOT NULL, domain TEXT NOT NULL, connection TEXT NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX IF NOT EXISTS pairs ON connections (profile, domain);
  CREATE INDEX IF NOT EXISTS profile_order ON connections (profile);
  CREATE INDEX IF NOT EXISTS domain_order ON connections (domain);
`;
const STATEMENTS = {
  begin: "BEGIN IMMEDIATE",
  commit: "COMMIT",
  rollback: "ROLLBACK",
  last: "SELECT id FROM connections ORDER BY key DESC LIMIT 1",
  holder: "SELECT id FROM connections WHERE profile = (SELECT key FROM profiles WHERE name = ?) AND domain = ?",
  count: `INSERT INTO profiles (name, connections) VALUES (?, 1)
    ON CONFLICT (name) DO UPDATE SET connections = connections + 1 RETURNING key`,
  insert: "INSERT INTO connections (id, profile, domain, connection) VALUES (?, ?, ?, ?)",
  get: "SELECT connection FROM connections WHERE id = ?",
  newest: "SELECT connection FROM connections ORDER BY key DESC LIMIT ?",
  ofProfile: `SELECT connection FROM connections
    WHERE profile = (SELECT key FROM profiles WHERE name = ?) ORDER BY key DESC LIMIT ?`,
  ofDomain: "SELECT connection FROM connections WHERE domain = ? ORDER BY key DESC LIMIT ?",
  profiles: "SELECT name, connections FROM profiles ORDER BY name LIMIT ?",
};
/** More cache than ours has. */
const CACHE = "PRAGMA cache_size = -16384;";

/**
 * The registry in `db`: `exec(sql)`, `prepare(sql)` and `close()`, where a statement has `run(values)`, `first(values)`, the
 * first row as an array, and `all(values)`.
 */
export function registry(db, pragmas = "") {
  db.exec(pragmas + CACHE + SCHEMA);
  const prepared = {};
  const statement = (name) => (prepared[name] ??= db.prepare(STATEMENTS[name]));
  const newId = ids(statement("last").first([])?.[0]);

  const holder = ({ profile_name, domain }) => statement("holder").first([profile_name, domain])?.[0];
  const insert = (request) => {
    const connection = connectionOf(newId(), request);
    const [profile] = statement("count").first([request.profile_name]);
    statement("insert").run([connection.id, profile, request.domain, JSON.stringify(connection)]);
    return created(connection);
  };
  const transact = (write) => {
    statement("begin").run([]);
    try {
      const answer = write();
      statement("commit").run([]);
      return answer;
    } catch (error) {
      statement("rollback").run([]);
      throw error;
    }
  };
  const createOne = (request) => {
    const id = holder(request);
    return id === undefined ? insert(request) : conflict(id);
  };
  return {
    isSync: true,
    create(request) {
      check(request);
      // Nobody else writes: a pair that is taken needs no transaction.
      const id = holder(request);
      return id === undefined ? transact(() => insert(request)) : conflict(id);
    },
    createMany(requests) {
      requests.forEach(check);
      return transact(() => requests.map(createOne));
    },
    get(id) {
      const row = statement("get").first([id]);
      return row && JSON.parse(row[0]);
    },
    list({ profile_name, domain, limit = 20 }) {
      const rows = profile_name
        ? statement("ofProfile").all([profile_name, limit + 1])
        : domain
          ? statement("ofDomain").all([domain, limit + 1])
          : statement("newest").all([limit + 1]);
      return pageOf(rows.map(([text]) => JSON.parse(text)), limit);
    },
    profiles({ limit = 20 }) {
      return { items: statement("profiles").all([limit]).map(([name, connections]) => ({ name, connections })) };
    },
    close() {
      for (const it of Object.values(prepared)) it.finish?.();
      db.close();
    },
  };
}
