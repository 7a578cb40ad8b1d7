// Deletes that wait a few seconds in the page, can be called back until then, and are sent when the tab closes.
import { signal } from "@preact/signals";
import type { Connection } from "connectory";
import { registry } from "./registry.ts";

/** So long a delete waits. */
export const WAIT_MS = 6000;
/** Where deletes are noted that a closing tab may not have got through: the next one sends them. */
const NOTED = "connectory-deletions";

export interface Waiting {
  connection: Connection;
  /** When it is sent, on the clock of `Date.now()`. */
  due: number;
}

interface Note {
  id: string;
  due: number;
}

/** Deletes that wait, by the ID of the connection. */
export const waiting = signal<ReadonlyMap<string, Waiting>>(new Map());
const timers = new Map<string, ReturnType<typeof setTimeout>>();

export function deleteSoon(connection: Connection): void {
  const due = Date.now() + WAIT_MS;
  waiting.value = new Map(waiting.peek()).set(connection.id, { connection, due });
  note((notes) => [...notes, { id: connection.id, due }]);
  timers.set(
    connection.id,
    setTimeout(() => void send(connection.id), WAIT_MS),
  );
}

/** Calls a delete back. */
export function callBack(id: string): void {
  settle(id);
  note((notes) => notes.filter((noted) => noted.id !== id));
}

function settle(id: string): void {
  clearTimeout(timers.get(id));
  timers.delete(id);
  const left = new Map(waiting.peek());
  left.delete(id);
  waiting.value = left;
}

/** Sends a delete. The note goes when the engine has answered. */
async function send(id: string): Promise<void> {
  clearTimeout(timers.get(id));
  const { status } = await registry.ask({ method: "DELETE", path: `/auth/connections/${id}` });
  settle(id);
  // 404: somebody else was quicker.
  if (status === 204 || status === 404) note((notes) => notes.filter((noted) => noted.id !== id));
  else if (registry.state.peek().is === "open") callBack(id);
}

/** Sends those that wait now, because the tab closes: by message, which may be too late, and as notes. */
function sendAll(): void {
  const ids = [...waiting.peek().keys()];
  note((notes) => notes.map((noted) => (ids.includes(noted.id) ? { ...noted, due: 0 } : noted)));
  for (const id of ids) void send(id);
}

/** Sends what other tabs noted and did not get through: those that are due, and a second has passed. */
async function sendNoted(): Promise<void> {
  if (registry.state.peek().is !== "open") return;
  for (const { id, due } of notes()) {
    if (!waiting.peek().has(id) && (due === 0 || due + 1000 < Date.now())) await send(id);
  }
}

/** Begins to look after deletes, once the store is open. */
export function lookAfterDeletes(): void {
  addEventListener("pagehide", sendAll);
  registry.state.subscribe(() => void sendNoted());
  setInterval(() => void sendNoted(), 2000);
}

function notes(): Note[] {
  try {
    return JSON.parse(localStorage.getItem(NOTED) ?? "[]") as Note[];
  } catch {
    return []; // storage is forbidden, or somebody else wrote there
  }
}

function note(change: (notes: Note[]) => Note[]): void {
  try {
    localStorage.setItem(NOTED, JSON.stringify(change(notes())));
  } catch {
    // Storage is forbidden or full: the message has to be in time.
  }
}
