// The column beside a page marks the section that is being read; what does not scroll is no stop for the Tab key.
const links = new Map(
  [...document.querySelectorAll<HTMLAnchorElement>(".side .sections a")].map((link) => [decodeURIComponent(link.hash.slice(1)), link]),
);
const headings = [...document.querySelectorAll<HTMLElement>(".beside [id]")].filter(({ id }) => links.has(id));
/** A heading is being read once it is so far up, in parts of the window. */
const READ_FROM = 0.3;

function mark(): void {
  const { scrollTop, scrollHeight } = document.documentElement;
  const isEnd = scrollTop + innerHeight >= scrollHeight - 2;
  const line = innerHeight * READ_FROM;
  const current = isEnd ? headings.at(-1) : headings.filter((heading) => heading.getBoundingClientRect().top < line).at(-1);
  const link = current && links.get(current.id);
  if (link?.ariaCurrent) return;
  for (const other of links.values()) other.removeAttribute("aria-current");
  link?.setAttribute("aria-current", "location");
  keepInView(link);
}

/** Scrolls the column alone: the page is the reader's. */
function keepInView(link: HTMLElement | undefined): void {
  const side = document.querySelector(".side-content");
  if (!side || !link) return;
  const { top, bottom } = side.getBoundingClientRect();
  const at = link.getBoundingClientRect();
  if (at.top < top || at.bottom > bottom) side.scrollTop += at.top - (top + bottom) / 2;
}

if (headings.length > 0) {
  let isDue = false;
  addEventListener("scroll", () => {
    if (isDue) return;
    isDue = true;
    requestAnimationFrame(() => ((isDue = false), mark()));
  }, { passive: true });
  mark();
}

// On a phone the column lies over nothing: it folds when a section was chosen.
const side = document.querySelector<HTMLDetailsElement>("details.side");
side?.addEventListener("click", ({ target }) => {
  if ((target as Element).closest(".sections a")) side.open = false;
});

const sizes = new ResizeObserver((entries) => {
  for (const { target } of entries) (target as HTMLElement).tabIndex = target.scrollWidth > target.clientWidth ? 0 : -1;
});
for (const wide of document.querySelectorAll(".beside .scroll")) sizes.observe(wide);
