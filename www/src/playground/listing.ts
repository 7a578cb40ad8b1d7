// What the table shows: which connections, in which order, which page of them.
import { computed, effect, signal } from "@preact/signals";
import type { Connection, ListQuery, Store } from "connectory";
import { registry } from "./registry.ts";

/** The engine's own order, or one that the page makes by reading all that match. */
export type Order = "newest" | "oldest" | "domain" | "profile_name" | "status";

/** An order of the page's own reads no more than this. */
export const SORTED_MAX = 20_000;
/** And reads again at most this often. */
const RESORT_MS = 1500;

export interface Filters {
  query: string;
  profile_name: string;
  domain: string;
}

export const NO_FILTERS: Filters = { query: "", profile_name: "", domain: "" };

export const filters = signal<Filters>(NO_FILTERS);
export const order = signal<Order>("newest");
export const size = signal(20);
export const page = signal(0);
/** The connection that was jumped to. */
export const marked = signal<string | undefined>(undefined);

export const rows = signal<Connection[]>([]);
export const hasMore = signal(false);
/** Why the filters cannot be, as the engine words it. */
export const refusal = signal("");
/** How many match, where that is known. */
export const matching = signal<number | undefined>(undefined);
/** Nothing was read yet. */
export const isFresh = signal(true);

export const isFiltered = computed(() => Object.values(filters.value).some((value) => value !== ""));

/** Where each page of the engine's order begins. */
let cursors: (string | undefined)[] = [undefined];
let sorted: { key: string; rows: Connection[]; at: number; tick: number } | undefined;
let resorting: ReturnType<typeof setTimeout> | undefined;
let reading = 0;

export function show(change: Partial<Filters>): void {
  filters.value = { ...filters.peek(), ...change };
  firstPage();
}

export function sortBy(next: Order): void {
  order.value = next;
  firstPage();
}

export function resize(next: number): void {
  size.value = next;
  firstPage();
}

function firstPage(): void {
  cursors = [undefined];
  page.value = 0;
  marked.value = undefined;
}

/** Shows one connection, wherever it is. */
export function jumpTo(id: string): void {
  filters.value = { ...NO_FILTERS, query: id };
  firstPage();
  marked.value = id;
}

/** Reads again whenever what is to be shown has changed. */
export function keepReading(): void {
  effect(() => {
    const store = registry.store.value;
    const tick = registry.tick.value;
    const wanted = { filters: filters.value, order: order.value, size: size.value, page: page.value };
    if (store) void read(store, tick, wanted);
  });
}

type Wanted<O = Order> = { filters: Filters; order: O; size: number; page: number };
type Sorted = Wanted<Exclude<Order, "newest">>;

async function read(store: Store, tick: number, wanted: Wanted): Promise<void> {
  reading += 1;
  const mine = reading;
  const query = Object.fromEntries(Object.entries(wanted.filters).filter(([, value]) => value !== "")) as ListQuery;
  try {
    const found =
      wanted.order === "newest"
        ? await pageOf(store, query, wanted)
        : await sortedPage(store, query, tick, wanted as Sorted, () => mine === reading);
    if (mine !== reading || !found) return;
    rows.value = found.items;
    hasMore.value = found.hasMore;
    matching.value = found.matching;
    refusal.value = "";
    // What was shown on the last page is gone.
    if (found.items.length === 0 && wanted.page > 0) page.value = wanted.page - 1;
  } catch (error) {
    if (mine !== reading) return;
    refusal.value = error instanceof Error ? error.message : String(error);
    rows.value = [];
    hasMore.value = false;
  }
  isFresh.value = false;
}

type Found = { items: Connection[]; hasMore: boolean; matching: number | undefined };

async function pageOf(store: Store, query: ListQuery, { size, page }: Wanted): Promise<Found> {
  const cursor = cursors[page];
  const { items, next_cursor } = await store.list({ ...query, limit: size, ...(cursor !== undefined && { cursor }) });
  cursors[page + 1] = next_cursor;
  const matching = next_cursor === undefined ? page * size + items.length : undefined;
  return { items, hasMore: next_cursor !== undefined, matching };
}

/** A page of an order of the page's own; nothing if something else is wanted meanwhile. */
async function sortedPage(
  store: Store,
  query: ListQuery,
  tick: number,
  { order, size, page }: Sorted,
  isWanted: () => boolean,
): Promise<Found | undefined> {
  const key = JSON.stringify([query, order]);
  const isStale = sorted?.tick !== tick && performance.now() - (sorted?.at ?? 0) > RESORT_MS;
  if (sorted?.key !== key || isStale) {
    const all: Connection[] = [];
    for await (const { items } of store.list({ ...query, limit: 100 }).pages()) {
      if (!isWanted()) return undefined;
      all.push(...items);
      if (all.length >= SORTED_MAX) break;
    }
    if (order === "oldest") all.reverse();
    else all.sort(byThen(order));
    sorted = { key, rows: all, at: performance.now(), tick };
  }
  if (sorted.tick !== tick) resortSoon();
  const start = page * size;
  return {
    items: sorted.rows.slice(start, start + size),
    hasMore: sorted.rows.length > start + size,
    matching: sorted.rows.length,
  };
}

function resortSoon(): void {
  resorting ??= setTimeout(() => {
    resorting = undefined;
    registry.changed();
  }, RESORT_MS);
}

/** By one field, then by the pair. */
function byThen(field: "domain" | "profile_name" | "status"): (a: Connection, b: Connection) => number {
  return (a, b) =>
    compare(a[field], b[field]) || compare(a.domain, b.domain) || compare(a.profile_name, b.profile_name);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
