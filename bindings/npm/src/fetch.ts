// `connectory/fetch`: the HTTP API answered from a store, without a network.
import { asError } from "./errors.js";
import type { Store } from "./store.js";

/** How requests are read. */
export interface FetchOptions {
  /** What the paths of requests begin with before the API's own, as in the client's base URL: `/v1`. */
  basePath?: string;
}

/**
 * A `fetch` that answers the API's HTTP from `store`, for clients of that API:
 *
 * ```js
 * const client = new Kernel({ apiKey: "any", baseURL: "http://offline", fetch: createFetch(store) });
 * ```
 *
 * Any key is let in. What the store could not do is a response too, as over the network; only an aborted request rejects.
 */
export function createFetch(store: Store, { basePath = "" }: FetchOptions = {}): typeof fetch {
  return async (input, init) => {
    const request = new Request(input, init);
    request.signal.throwIfAborted();
    const { pathname, search } = new URL(request.url);
    const path = pathname.startsWith(basePath) ? pathname.slice(basePath.length) : pathname;
    const body = new Uint8Array(await request.arrayBuffer());
    const responding = store.respond(request.method, path + search, [...request.headers], body);
    const answer = await responding.catch((error) => failure(error, request.headers.has("idempotency-key")));
    request.signal.throwIfAborted();
    return new Response(answer.body ?? null, { status: answer.status, headers: answer.headers });
  };
}

/** The response where the store itself could not be asked, or did not answer. Under a key a request may be sent again. */
function failure(error: unknown, hasKey: boolean): Awaited<ReturnType<Store["respond"]>> {
  const { code, message } = asError(error);
  const headers: [string, string][] = [["content-type", "application/json"]];
  if (code === "unavailable") headers.push(["retry-after", "1"]);
  else if (code !== "outcome_unknown" || !hasKey) headers.push(["x-should-retry", "false"]);
  return { status: code === "unavailable" ? 503 : 500, headers, body: JSON.stringify({ code, message }) };
}
