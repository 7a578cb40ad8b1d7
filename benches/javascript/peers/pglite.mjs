// Postgres by PGlite, in memory: in files it runs without fsync, so it has no durable form to compare.
import { check, conflict, connectionOf, created, ids, pageOf } from "../rules.mjs";

const MODULE = globalThis.process ? "@electric-sql/pglite" : "/modules/@electric-sql/pglite/dist/index.js";

const SCHEMA = `
  CREATE TABLE profiles (key bigserial PRIMARY KEY, name text COLLATE "C" NOT NULL UNIQUE, connections integer NOT NULL);
  CREATE TABLE connections (
    id text COLLATE "C" PRIMARY KEY, profile bigint NOT NULL, domain text COLLATE "C" NOT NULL, connection json NOT NULL,
    UNIQUE (profile, domain)
  );
  CREATE INDEX profile_order ON connections (profile, id);
  CREATE INDEX domain_order ON connections (domain, id);
`;
const HOLDER = `SELECT id FROM connections
  WHERE profile = (SELECT key FROM profiles WHERE name = $1) AND domain = $2`;
const INSERT = `
  WITH counted AS (
    INSERT INTO profiles AS old (name, connections) VALUES ($1, 1)
    ON CONFLICT (name) DO UPDATE SET connections = old.connections + 1 RETURNING key
  )
  INSERT INTO connections (id, profile, domain, connection) SELECT $2, key, $3, $4 FROM counted`;
const NAMES = `INSERT INTO profiles (name, connections) SELECT DISTINCT unnest($1::text[]), 0 ON CONFLICT DO NOTHING`;
const INSERT_MANY = `
  WITH added AS (
    INSERT INTO connections (id, profile, domain, connection)
    SELECT asked.id, key, domain, connection
    FROM unnest($1::text[], $2::text[], $3::text[], $4::json[]) WITH ORDINALITY AS asked (id, name, domain, connection, n)
    JOIN profiles USING (name) ORDER BY n
    ON CONFLICT DO NOTHING RETURNING id, profile
  ), counts AS (
    SELECT profile, count(*) AS many FROM added GROUP BY profile
  ), counted AS (
    UPDATE profiles SET connections = connections + many FROM counts WHERE key = profile
  )
  SELECT id FROM added`;
const HOLDERS = `
  SELECT id FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS asked (name, domain, n)
  JOIN profiles USING (name) JOIN connections c ON c.profile = key AND c.domain = asked.domain ORDER BY n`;
const NEWEST = "SELECT connection FROM connections ORDER BY id DESC LIMIT $1";
const OF_PROFILE = `SELECT connection FROM connections
  WHERE profile = (SELECT key FROM profiles WHERE name = $2) ORDER BY id DESC LIMIT $1`;
const OF_DOMAIN = "SELECT connection FROM connections WHERE domain = $2 ORDER BY id DESC LIMIT $1";

export async function open() {
  const { PGlite } = await import(MODULE);
  const db = await PGlite.create("memory://");
  await db.exec(SCHEMA);
  const newId = ids();
  const read = async (sql, values) => (await db.query(sql, values)).rows.map(({ connection }) => connection);
  return {
    async create(request) {
      check(request);
      const { profile_name, domain } = request;
      const [holder] = (await db.query(HOLDER, [profile_name, domain])).rows;
      if (holder) return conflict(holder.id);
      const connection = connectionOf(newId(), request);
      await db.query(INSERT, [profile_name, connection.id, domain, connection]);
      return created(connection);
    },
    createMany(requests) {
      requests.forEach(check);
      const connections = requests.map((request) => connectionOf(newId(), request));
      const column = (name) => connections.map((connection) => connection[name]);
      const names = column("profile_name");
      return db.transaction(async (transaction) => {
        await transaction.query(NAMES, [names]);
        const { rows } = await transaction.query(INSERT_MANY, [column("id"), names, column("domain"), connections]);
        const added = new Set(rows.map(({ id }) => id));
        const taken = connections.filter(({ id }) => !added.has(id));
        const pairs = [taken.map((it) => it.profile_name), taken.map((it) => it.domain)];
        const holders = taken.length === 0 ? [] : (await transaction.query(HOLDERS, pairs)).rows;
        let next = 0;
        return connections.map((it) => (added.has(it.id) ? created(it) : conflict(holders[next++].id)));
      });
    },
    get: async (id) => (await read("SELECT connection FROM connections WHERE id = $1", [id]))[0],
    async list({ profile_name, domain, limit = 20 }) {
      const items = profile_name
        ? read(OF_PROFILE, [limit + 1, profile_name])
        : domain
          ? read(OF_DOMAIN, [limit + 1, domain])
          : read(NEWEST, [limit + 1]);
      return pageOf(await items, limit);
    },
    async profiles({ limit = 20 }) {
      return { items: (await db.query("SELECT name, connections FROM profiles ORDER BY name LIMIT $1", [limit])).rows };
    },
    close: () => db.close(),
  };
}
