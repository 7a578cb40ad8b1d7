// A program of Node.js, Deno or Bun with a store in a file: node file.js '{"path": "app.connectory"}'
import * as connectory from "connectory";
import { createFetch } from "connectory/fetch";
import { use } from "./use.js";

const failed = ({ code, reason }) => ({ code, reason });
const options = JSON.parse(process.argv[2]);
console.log(JSON.stringify(await use({ ...connectory, createFetch }, options).catch(failed)));
