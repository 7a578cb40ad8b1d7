// Chromium, for the tests that need a browser.
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { chromium } from "playwright-core";

const ARGS = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
];
const NAMES = ["chromium", "chromium-browser", "google-chrome"];

/** Starts Chromium with further arguments: that of CONNECTORY_CHROMIUM, or the one on the PATH. */
export function launch(...further) {
  const found = (process.env.PATH ?? "").split(delimiter).flatMap((folder) => NAMES.map((name) => join(folder, name)));
  const executablePath = process.env.CONNECTORY_CHROMIUM ?? found.find(existsSync);
  if (!executablePath) throw new Error("Chromium is missing; install it, or name it in CONNECTORY_CHROMIUM");
  return chromium.launch({ executablePath, args: [...ARGS, ...further] });
}
