// A program that holds a store open until its input ends: node holder.js '{"path": "app.connectory"}'
import { open } from "connectory";

const store = await open(JSON.parse(process.argv[2]));
console.log("open");
for await (const _ of process.stdin);
await store.close();
