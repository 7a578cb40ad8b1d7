// How a store is opened: where its engine comes from, and where it is kept.
import { type Code, Engine } from "./engine.js";
import { FailedError, RefusedError } from "./errors.js";
import type { Link } from "./link.js";
import { Store } from "./store.js";
import type { InBrowser, InFile, InMemory, StoreOptions } from "./types.js";

/** What a store may be opened as, by how it is asked for. */
export interface Places {
  memory: InMemory;
  name: InBrowser;
  path: InFile;
}

type Place = keyof Places;

/** Ways to an engine for each place that a runtime has. */
export type Openers<P extends Place> = { [K in P]: (options: Places[K], store: StoreOptions) => Promise<Link> };

const PLACES = ["memory", "name", "path"] as const;
const OWN = { memory: [], name: ["persist"], path: ["lock"] } satisfies Record<Place, string[]>;

/** `open` for a runtime that has these places. */
export function opening<P extends Place>(openers: Openers<P>): (options: Places[P]) => Promise<Store> {
  const here = PLACES.filter((place) => place in openers);
  return async (options) => {
    const asked = PLACES.filter((place) => (options as Partial<Record<Place, unknown>> | undefined)?.[place] !== undefined);
    const [place] = asked;
    if (place === undefined || asked.length > 1 || !(place in openers)) {
      throw invalid(`open takes one of ${here.join(" and ")} here, not ${asked.join(" and ") || "none"}`);
    }
    const { [place as P]: _, ...rest } = options;
    const store: Record<string, unknown> = { ...rest };
    for (const own of OWN[place]) delete store[own];
    return new Store(await openers[place as P](options, store));
  };
}

/** Opens stores in memory. */
export function inMemory(code: () => Promise<Code>): Openers<"memory">["memory"] {
  return async ({ memory }, options) =>
    memory === true ? Engine.open(await code(), options) : Engine.fromBytes(await code(), memory, options);
}

/** Refuses what is wrong with the options. */
export function invalid(message: string): RefusedError {
  return new RefusedError("bad_request", message, [{ code: "invalid_value", message }]);
}

/** What `make` makes, once; again if it failed. */
export function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => (made ??= make().catch((error) => {
    made = undefined;
    throw new FailedError("internal", `the engine could not be loaded: ${error instanceof Error ? error.message : error}`, { cause: error });
  }));
}
