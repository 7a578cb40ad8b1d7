// Reads what the benchmarks have written.
import { readFileSync } from "node:fs";

export function read<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`../../../benches/results/${name}.json`, import.meta.url), "utf8")) as T;
}

export function versionsOf(versions: Record<string, string>): string {
  return Object.entries(versions)
    .map(([name, version]) => `${name} ${version.replace(/^v/, "")}`)
    .join(", ");
}

export function dateOf(unixSeconds: number): string {
  return new Date(unixSeconds * 1000).toISOString().slice(0, 10);
}
