// The page "Code": one choice of language for all its steps, and buttons that copy.
import "../side/side.ts";

const html = document.documentElement;
const tabs = [...document.querySelectorAll<HTMLButtonElement>("[role=tab]")];

/** Marks what language.js or a tab has chosen; which panels are seen follows from it in code.css. */
function show(language: string): void {
  html.dataset.language = language;
  for (const tab of tabs) {
    const isChosen = tab.dataset.language === language;
    tab.setAttribute("aria-selected", String(isChosen));
    tab.tabIndex = isChosen ? 0 : -1;
  }
}

/** Chooses for all steps; the tab that did it stays where it is on the screen. */
function choose(tab: HTMLButtonElement): void {
  const { top } = tab.getBoundingClientRect();
  show(tab.dataset.language ?? "");
  scrollBy(0, tab.getBoundingClientRect().top - top);
  try {
    localStorage.setItem("language", html.dataset.language ?? "");
  } catch {
    // Storage is forbidden: it holds for this page.
  }
}

for (const list of document.querySelectorAll("[role=tablist]")) {
  const own = tabs.filter((tab) => list.contains(tab));
  for (const tab of own) tab.addEventListener("click", () => choose(tab));
  list.addEventListener("keydown", (event) => {
    const { key } = event as KeyboardEvent;
    const at = own.indexOf(event.target as HTMLButtonElement);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: -1 }[key];
    const next = to === undefined ? undefined : own.at(to % own.length);
    if (!next) return;
    event.preventDefault();
    choose(next);
    next.focus({ preventScroll: true });
  });
}
show(html.dataset.language ?? "typescript");

const status = document.querySelector("#copied");
const buttons = [...document.querySelectorAll<HTMLButtonElement>(".copy")];
for (const button of buttons) {
  button.addEventListener("click", async () => {
    const code = button.nextElementSibling?.textContent ?? "";
    const said = await navigator.clipboard.writeText(code).then(() => "Copied", () => "Not copied");
    for (const one of buttons) one.textContent = one === button ? said : "Copy";
    if (status) status.textContent = `${said}: ${button.nextElementSibling?.ariaLabel}`;
  });
}
