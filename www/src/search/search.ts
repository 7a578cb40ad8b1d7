// Search over the documents: a dialog with a combobox, whose list has sections of documents.
import MiniSearch, { type SearchResult } from "minisearch";
import indexAddress from "virtual:search-index";
import { type Found, OPTIONS } from "./options.ts";
import "./search.css";

type Result = SearchResult & Found;

/** So many are shown. */
const MOST = 20;
/** So many characters of a section are shown, from a little before the first word that was found. */
const EXCERPT = 160;

const dialog = document.createElement("dialog");
dialog.className = "search";
dialog.setAttribute("aria-label", "Search the documents");
dialog.innerHTML = `
  <div class="search-bar">
    <input type="text" role="combobox" aria-label="Search the documents" placeholder="Search the documents"
      aria-autocomplete="list" aria-expanded="false" aria-controls="search-results"
      autocomplete="off" autocapitalize="off" spellcheck="false" enterkeyhint="go">
    <button type="button" class="quiet">Close</button>
  </div>
  <div id="search-results" role="listbox" aria-label="Sections"></div>
  <p class="search-status muted" role="status"></p>`;
document.body.append(dialog);

const part = <E extends Element>(selector: string): E => {
  const found = dialog.querySelector<E>(selector);
  if (!found) throw new Error(`the dialog has no ${selector}`);
  return found;
};
const input = part<HTMLInputElement>("input");
const list = part<HTMLElement>("[role=listbox]");
const status = part<HTMLElement>("[role=status]");

let index: Promise<MiniSearch<Found>> | undefined;

async function load(): Promise<MiniSearch<Found>> {
  const response = await fetch(indexAddress);
  if (!response.ok) throw new Error(`the index is answered with ${response.status}`);
  return MiniSearch.loadJSON<Found>(await response.text(), OPTIONS);
}

export function openSearch(): void {
  index ??= load();
  if (!dialog.open) dialog.showModal();
  input.select();
}

async function search(): Promise<void> {
  const asked = input.value.trim();
  if (asked === "") return show([], "");
  const loaded = await (index ??= load()).catch(() => (index = undefined)); // tried again with the next letter
  if (asked !== input.value.trim()) return; // something else was typed meanwhile
  if (!loaded) return show([], "The search index could not be loaded.");
  // Sections with all the words, or else with some.
  const all = loaded.search(asked);
  const found = (all.length > 0 ? all : loaded.search(asked, { combineWith: "OR" })) as Result[];
  show(found.slice(0, MOST), count(found.length));
}

/** What is said of so many. */
function count(found: number): string {
  if (found === 0) return "Nothing was found.";
  if (found === 1) return "1 section";
  return found > MOST ? `${found} sections, the first ${MOST} are shown` : `${found} sections`;
}

function show(results: Result[], said: string): void {
  list.replaceChildren(...results.map(option));
  input.setAttribute("aria-expanded", String(results.length > 0));
  status.textContent = said;
  choose(0);
}

function option({ url, page, title, text, terms }: Result, at: number): HTMLElement {
  const words = wordsOf(terms);
  const link = document.createElement("a");
  link.id = `search-result-${at}`;
  link.setAttribute("role", "option");
  link.tabIndex = -1;
  link.href = new URL(document.documentElement.dataset.root + url, location.href).href;
  const where = document.createElement("span");
  where.className = "search-where";
  where.append(element("strong", ...marked(title, words)));
  if (page !== title) where.append(element("span", page));
  link.append(where, element("span", ...marked(excerpt(text, words), words)));
  return link;
}

/** Where a word begins that was found; the longest of those that begin there. */
function wordsOf(terms: string[]): RegExp {
  const escaped = [...terms]
    .sort((a, b) => b.length - a.length)
    .map((term) => term.replace(/[$()*+.?[\\\]^{|}/]/g, "\\$&"));
  return new RegExp(`(?<![\\p{L}\\p{N}])(${escaped.join("|")})`, "giu");
}

function element(name: string, ...children: (string | Node)[]): HTMLElement {
  const made = document.createElement(name);
  made.append(...children);
  return made;
}

/** `text` with the words that were found in marks. */
function marked(text: string, words: RegExp): (string | Node)[] {
  return text.split(words).map((piece, at) => (at % 2 === 1 ? element("mark", piece) : piece));
}

function excerpt(text: string, words: RegExp): string {
  const first = Math.max(0, text.search(words));
  const from = first < EXCERPT / 2 ? 0 : text.lastIndexOf(" ", first - EXCERPT / 4) + 1;
  const to = text.length - from <= EXCERPT ? text.length : text.lastIndexOf(" ", from + EXCERPT);
  return `${from > 0 ? "…\u00a0" : ""}${text.slice(from, to)}${to < text.length ? "\u00a0…" : ""}`;
}

/** The option that Enter follows; focus stays in the field. */
function choose(at: number): void {
  const options = [...list.children];
  options.forEach((one, index) => one.setAttribute("aria-selected", String(index === at)));
  const chosen = options[at];
  if (chosen) input.setAttribute("aria-activedescendant", chosen.id);
  else input.removeAttribute("aria-activedescendant");
  chosen?.scrollIntoView({ block: "nearest" });
}

function move(by: number): void {
  const count = list.children.length;
  const now = [...list.children].findIndex((one) => one.getAttribute("aria-selected") === "true");
  if (count > 0) choose((now + by + count) % count);
}

input.addEventListener("input", () => void search());
input.addEventListener("keydown", (event) => {
  const chosen = list.querySelector<HTMLElement>("[aria-selected=true]");
  if (event.isComposing) return;
  if (event.key === "ArrowDown") move(1);
  else if (event.key === "ArrowUp") move(-1);
  else if (event.key === "Enter") chosen?.click();
  else return;
  event.preventDefault();
});
// The page may be this one: what was found is below.
list.addEventListener("click", (event) => event.ctrlKey || event.metaKey || dialog.close());
part("button").addEventListener("click", () => dialog.close());
dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
