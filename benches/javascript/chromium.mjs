// The contenders in Chromium: each in a dedicated worker, one of them at work at a time.
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { chromium } from "playwright-core";
import { contendersOf } from "./contenders.mjs";

const NAMES = ["chromium", "chromium-browser", "google-chrome", "chrome"];
const ARGUMENTS = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
];

/** Where Chromium is, or undefined. */
export function findChromium() {
  const candidates = [process.env.CONNECTORY_CHROMIUM, "/usr/bin/chromium"];
  for (const directory of (process.env.PATH ?? "").split(delimiter)) {
    candidates.push(...NAMES.map((name) => join(directory, name)));
  }
  return candidates.find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** A browser whose files are on the disk: without a profile of its own it would keep them in memory. */
export function launch(directory) {
  const executablePath = findChromium();
  return chromium.launchPersistentContext(directory, { executablePath, headless: true, args: ARGUMENTS });
}

async function pageOf(browser, origin) {
  const page = await browser.newPage();
  page.setDefaultTimeout(0);
  await page.goto(`${origin}/page.html`);
  await page.waitForFunction(() => window.isReady);
  return page;
}

class InBrowser {
  #page;

  constructor(contender, page) {
    Object.assign(this, contender);
    this.#page = page;
  }

  ask(command) {
    const key = `${this.name} ${this.kind}`;
    return this.#page.evaluate(([key, inPage, command]) => window.ask(key, inPage, command), [key, this.inPage ?? false, command]);
  }

  async open(place) {
    const name = `${this.name}-${this.kind}-${place}`.replaceAll(/[^A-Za-z0-9-]+/g, "-");
    await this.ask({ ask: "open", peer: this.peer, kind: this.kind, place: name });
  }
}

/** The contenders in a page; `end()` closes it. */
export async function chromiumContenders(browser, origin, isDurable) {
  const page = await pageOf(browser, origin);
  const all = contendersOf("chromium", isDurable).map((contender) => new InBrowser(contender, page));
  return { all, end: () => page.close() };
}

/** Milliseconds from a fresh page's import to its first create. */
export async function coldInChromium(browser, origin, { peer }) {
  const page = await pageOf(browser, origin);
  try {
    return await page.evaluate((peer) => window.cold(peer), peer);
  } finally {
    await page.close();
  }
}
