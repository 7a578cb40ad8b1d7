// The package as its users see it in every runtime: this compiles, and what is expected to be an error is one.
import {
  type ChangeEvent, type Connection, ConnectoryError, type Created, type CreatedRow, FailedError, open, type Page, type Reason,
  RefusedError, type Stats, type Store, type Violation,
} from "connectory";
import { createFetch } from "connectory/fetch";
import { type Same, that } from "./same.ts";

const pair = { domain: "netflix.com", profile_name: "ada" };

/** The answer of a create is narrowed by its outcome. */
export function holderOf(created: Created): string {
  // @ts-expect-error a conflict has no connection
  created.connection;
  switch (created.outcome) {
    case "created":
    case "existing":
    case "replayed":
      // @ts-expect-error only a conflict says who holds the pair
      created.existing_id;
      return created.connection.id;
    case "conflict":
      // @ts-expect-error a conflict has no connection
      created.connection;
      return created.existing_id;
    default:
      return created satisfies never;
  }
}

export async function rows(store: Store): Promise<void> {
  for (const row of await store.createMany([pair])) {
    that<Same<typeof row, CreatedRow>>();
    if (row.outcome === "refused") that<Same<typeof row.error, RefusedError>>();
    else if (row.outcome === "failed") that<Same<typeof row.error, FailedError>>();
    else holderOf(row);
  }
}

export async function use(): Promise<void> {
  await using store = await open({ memory: true, plan: "startup", cap: 10 });
  that<Same<typeof store, Store>>();
  await using copy = await open({ memory: await store.backup() });
  await copy.load(store.dump());

  await store.create({ ...pair, health_checks: false, proxy: { id: "px-1" } }, { idempotency_key: "k" });
  // @ts-expect-error a pair has a domain
  await store.create({ profile_name: "ada" });
  // @ts-expect-error fields have the API's names
  await store.create({ ...pair, loginUrl: "https://netflix.com/login" });
  // @ts-expect-error an address is a text
  await store.create({ ...pair, login_url: 7 });
  // @ts-expect-error options have the API's names
  await store.create(pair, { idempotencyKey: "k" });

  const ensured = await store.ensure(pair);
  that<Same<typeof ensured.connection, Connection>>();
  // @ts-expect-error what is ensured is there
  ensured.outcome === "conflict";

  const found = await store.get(ensured.connection.id);
  that<Same<typeof found, Connection | undefined>>();
  // @ts-expect-error it may not be there
  found.domain;
  that<Same<Awaited<ReturnType<Store["find"]>>, Connection | undefined>>();

  const page = await store.list({ profile_name: "ada", limit: 10 });
  that<Same<typeof page, Page<Connection>>>();
  that<Same<typeof page.next_cursor, string | undefined>>();
  for await (const connection of store.list()) that<Same<typeof connection, Connection>>();
  for await (const { items } of store.list().pages()) that<Same<typeof items, Connection[]>>();
  // @ts-expect-error no filter is called so
  store.list({ profileName: "ada" });

  await store.update(ensured.connection.id, { login_url: "", credential: null, health_check_interval: 7200 });
  // @ts-expect-error a pair never changes
  await store.update(ensured.connection.id, { domain: "github.com" });
  await store.record(ensured.connection.id, { status: "AUTHENTICATED", flow: null });
  // @ts-expect-error no status is called so
  await store.record(ensured.connection.id, { status: "authenticated" });

  for await (const event of store.subscribe({ since: 0, signal: AbortSignal.timeout(1) })) {
    that<Same<typeof event, ChangeEvent>>();
    if (event.kind === "created") that<Same<typeof event.connection, Connection>>();
    // @ts-expect-error what was deleted is gone
    if (event.kind === "deleted") event.connection;
  }
  const changes = await store.changes(0);
  if ("too_old" in changes) changes.oldest satisfies number;
  else changes.changes satisfies { seq: number }[];

  that<Same<Awaited<ReturnType<Store["stats"]>>, Stats>>();
  that<Same<Awaited<ReturnType<Store["allows"]>>, boolean>>();
  const response: Response = await createFetch(store, { basePath: "/v1" })("http://offline/v1/auth/connections");
  await response.json();
}

/** What is thrown is told apart by its class. */
export function why(error: unknown): Reason | Violation[] | string | undefined {
  if (error instanceof RefusedError) return error.details ?? error.code;
  if (error instanceof FailedError) return error.reason;
  if (error instanceof ConnectoryError) return error.code;
  return undefined;
}

// @ts-expect-error a store has a place
await open({});
// @ts-expect-error no plan is called so
await open({ memory: true, plan: "free" });
