// SQLite in native code by better-sqlite3: in memory, or in a file whose log is synced at every commit.
import { registry } from "./sql.mjs";

const PRAGMAS = { memory: "", file: "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;" };

export async function open({ kind, place }) {
  const { default: Database } = await import("better-sqlite3");
  const db = new Database(kind === "memory" ? ":memory:" : place);
  return registry(adapt(db), PRAGMAS[kind]);
}

function adapt(db) {
  return {
    exec: (sql) => db.exec(sql),
    prepare(sql) {
      const statement = db.prepare(sql);
      if (statement.reader) statement.raw();
      return {
        run: (values) => statement.run(values),
        first: (values) => statement.get(values),
        all: (values) => statement.all(values),
      };
    },
    close: () => db.close(),
  };
}
