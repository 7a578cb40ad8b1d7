// SQLite by its own WebAssembly build: in memory, or in files of the origin by its pool of access handles.
import { registry } from "./sql.mjs";

const MODULE = globalThis.process ? "@sqlite.org/sqlite-wasm" : "/modules/@sqlite.org/sqlite-wasm/dist/index.mjs";
const PRAGMAS = {
  memory: "",
  "opfs-journal": "PRAGMA synchronous = FULL;",
  "opfs-wal": "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;",
};

export async function open({ kind, place }, load = () => import(/* @vite-ignore */ MODULE)) {
  const { default: init } = await load();
  const sqlite = await init();
  if (kind === "memory") return registry(adapt(new sqlite.oo1.DB(":memory:")), PRAGMAS[kind]);
  const pool = await sqlite.installOpfsSAHPoolVfs({ name: place, directory: `/${place}` });
  const db = new pool.OpfsSAHPoolDb("/registry.sqlite");
  const peer = registry(adapt(db), PRAGMAS[kind]);
  const journal = db.selectValue("PRAGMA journal_mode");
  if ((kind === "opfs-wal") !== (journal === "wal")) throw new Error(`the journal is ${journal}`);
  return {
    ...peer,
    close() {
      peer.close();
      pool.pauseVfs();
    },
  };
}

function adapt(db) {
  return {
    exec: (sql) => db.exec(sql),
    prepare(sql) {
      const statement = db.prepare(sql);
      const bind = (values) => values.length > 0 && statement.bind(values);
      return {
        run(values) {
          bind(values);
          statement.stepReset();
        },
        first(values) {
          bind(values);
          const row = statement.step() ? statement.get([]) : undefined;
          statement.reset();
          return row;
        },
        all(values) {
          bind(values);
          const rows = [];
          while (statement.step()) rows.push(statement.get([]));
          statement.reset();
          return rows;
        },
        finish: () => statement.finalize(),
      };
    },
    close: () => db.close(),
  };
}
