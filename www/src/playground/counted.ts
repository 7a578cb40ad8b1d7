// Profiles and proxies, as the lists beside the table show them.
import { effect, type Signal, signal } from "@preact/signals";
import type { Page, Profile, Proxy } from "connectory";
import { registry } from "./registry.ts";

/** As many as a list shows; how many there are in all is said beside it. */
const SHOWN = 100;

export const profiles = signal<Profile[]>([]);
export const proxies = signal<Proxy[]>([]);

/** Reads both again whenever something has changed. */
export function keepCounting(): void {
  effect(() => {
    const store = registry.store.value;
    void registry.tick.value;
    if (!store) return;
    void fill(profiles, store.profiles({ limit: SHOWN }));
    void fill(proxies, store.proxies({ limit: SHOWN }));
  });
}

async function fill<T>(list: Signal<T[]>, page: PromiseLike<Page<T>>): Promise<void> {
  try {
    list.value = (await page).items;
  } catch {
    // What is shown stays; the table says what failed.
  }
}
