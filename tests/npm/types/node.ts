// In Node.js, Deno and Bun stores are in memory or in a file.
import { open, type Store } from "connectory";

export const stores: Promise<Store>[] = [open({ memory: true }), open({ path: "app.connectory" }), open({ path: "app.connectory", lock: "none" })];
// @ts-expect-error names are for browsers
await open({ name: "app" });
// @ts-expect-error a lock is there, or is not
await open({ path: "app.connectory", lock: true });
