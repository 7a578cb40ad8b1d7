// The language of the page "Code" that was chosen here, before any of its examples is drawn.
(() => {
  let language;
  try {
    language = localStorage.getItem("language");
  } catch {
    // Storage is forbidden.
  }
  document.documentElement.dataset.language = ["rust", "typescript", "sdk", "curl"].includes(language) ? language : "typescript";
})();
