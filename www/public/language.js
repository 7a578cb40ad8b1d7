// The language of the page "Code" that was chosen here, before any of its examples is drawn.
(() => {
  let language;
  try {
    language = localStorage.getItem("language");
  } catch {
    // Storage is forbidden.
  }
  const isKnown = ["rust", "typescript", "sdk", "curl"].includes(language);
  document.documentElement.dataset.language = isKnown ? language : "typescript";
})();
