// What every page does: the button for light and dark, search, and keeping the site for use offline.
const theme = document.querySelector<HTMLButtonElement>("#theme");
const html = document.documentElement;

function show(): void {
  theme?.setAttribute("aria-pressed", String(html.dataset.theme === "dark"));
}

theme?.addEventListener("click", () => {
  html.dataset.theme = html.dataset.theme === "dark" ? "light" : "dark";
  try {
    localStorage.setItem("theme", html.dataset.theme);
  } catch {
    // Storage is forbidden: it holds for this page.
  }
});
new MutationObserver(show).observe(html, { attributeFilter: ["data-theme"] });
show();

/** Search comes when it is first asked for, by a button or a key. */
async function search(): Promise<void> {
  const { openSearch } = await import("../search/search.ts");
  openSearch();
}

for (const button of document.querySelectorAll("[data-search]")) button.addEventListener("click", () => void search());
addEventListener("keydown", (event) => {
  const isWriting = (event.target as Element).closest?.("input, textarea, select, [contenteditable]");
  const isSlash = event.key === "/" && !isWriting && !event.ctrlKey && !event.metaKey && !event.altKey;
  const isK = event.key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey;
  if (!isSlash && !isK) return;
  event.preventDefault();
  void search();
});

/** After everything that somebody waits for. */
async function keep(): Promise<void> {
  const status = document.querySelector("#offline");
  try {
    await navigator.serviceWorker.register(new URL(`${html.dataset.root}offline.js`, location.href), {
      updateViaCache: "none",
    });
    await navigator.serviceWorker.ready;
    if (status) status.textContent = "This site works offline now.";
  } catch {
    if (status) status.textContent = "This browser does not keep the site for use offline.";
  }
}
if (import.meta.env.PROD && "serviceWorker" in navigator) {
  addEventListener("load", () => setTimeout(() => void keep(), 2000), { once: true });
}
