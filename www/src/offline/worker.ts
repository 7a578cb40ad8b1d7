// Keeps the site for use offline: all of it beforehand, and what is large once it was asked for.
import { cleanupOutdatedCaches, precacheAndRoute, type PrecacheEntry } from "workbox-precaching";

declare const PRECACHED: PrecacheEntry[];
declare const KEPT_WHEN_ASKED_FOR: RegExp;
declare const self: ServiceWorkerGlobalScope;

/** What pages of this version have asked for. */
const ASKED_FOR = "asked-for";

precacheAndRoute(PRECACHED);
cleanupOutdatedCaches();

// The first takes the page that asked for it. A later one waits until all pages are closed: theirs is of one piece with them.
self.addEventListener("activate", (event) => event.waitUntil(Promise.all([caches.delete(ASKED_FOR), self.clients.claim()])));
self.addEventListener("fetch", (event) => {
  const { origin, pathname } = new URL(event.request.url);
  if (origin === self.location.origin && KEPT_WHEN_ASKED_FOR.test(pathname)) event.respondWith(askedFor(event.request));
});

async function askedFor(request: Request): Promise<Response> {
  const cache = await caches.open(ASKED_FOR);
  const kept = await cache.match(request);
  if (kept) return kept;
  const response = await fetch(request);
  if (response.ok) await cache.put(request, response.clone());
  return response;
}
