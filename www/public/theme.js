// Light or dark, before anything is drawn: what was chosen here, else what the system prefers.
(() => {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const choose = (theme) => (document.documentElement.dataset.theme = theme ?? (system.matches ? "dark" : "light"));
  const chosen = () => {
    try {
      return localStorage.getItem("theme");
    } catch {
      return null; // storage is forbidden
    }
  };
  choose(chosen());
  system.addEventListener("change", () => choose(chosen()));
  addEventListener("storage", ({ key }) => key === "theme" && choose(chosen()));
})();
