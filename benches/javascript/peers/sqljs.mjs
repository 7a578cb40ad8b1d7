// SQLite by sql.js, in memory.
import { registry } from "./sql.mjs";

// Its databases are files of a system of files in memory: looked at as little as can be.
const PRAGMAS = "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF;";
const BROWSER = "/modules/sql.js/dist/";

export async function open() {
  const SQL = globalThis.process
    ? await (await import("sql.js")).default()
    : await (await browser())({ locateFile: (file) => BROWSER + file });
  return registry(adapt(new SQL.Database()), PRAGMAS);
}

/** It is a script and no module: a page loads it as one, a worker of modules runs its text. */
async function browser() {
  const url = `${BROWSER}sql-wasm-browser.js`;
  if (globalThis.document) {
    await new Promise((resolve, reject) => {
      const script = Object.assign(document.createElement("script"), { src: url, onload: resolve, onerror: reject });
      document.head.append(script);
    });
    return globalThis.initSqlJs;
  }
  const module = { exports: {} };
  new Function("module", "exports", await (await fetch(url)).text())(module, module.exports);
  return module.exports;
}

function adapt(db) {
  return {
    exec: (sql) => db.exec(sql),
    prepare(sql) {
      const statement = db.prepare(sql);
      return {
        run: (values) => statement.run(values),
        first(values) {
          statement.bind(values);
          const row = statement.step() ? statement.get() : undefined;
          statement.reset();
          return row;
        },
        all(values) {
          statement.bind(values);
          const rows = [];
          while (statement.step()) rows.push(statement.get());
          statement.reset();
          return rows;
        },
        finish: () => statement.free(),
      };
    },
    close: () => db.close(),
  };
}
