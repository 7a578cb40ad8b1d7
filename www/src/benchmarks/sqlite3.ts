// SQLite, in a file whose name tells the offline worker that it is kept only once it was asked for.
export { default } from "@sqlite.org/sqlite-wasm";
