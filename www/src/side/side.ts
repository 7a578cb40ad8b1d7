// The column beside a page marks the section that is being read; what does not scroll is no stop for the Tab key.
const targetOf = ({ hash }: { hash: string }): string => decodeURIComponent(hash.slice(1));
const links = new Map(
  [...document.querySelectorAll<HTMLAnchorElement>(".side .sections a")].map((link) => [targetOf(link), link]),
);
const html = document.documentElement;
const headings = [...document.querySelectorAll<HTMLElement>(".beside [id]")].filter(({ id }) => links.has(id));
/** A section is being read once its heading is so near to the top of the window, in pixels. */
const READ_FROM = 100;
/** The heading that a link led to is the one, wherever the window can scroll, until it does. */
let led: { to: HTMLElement | undefined; at: number } = { to: undefined, at: -1 };

function current(): HTMLElement | undefined {
  if (scrollY === led.at && led.to) return led.to;
  const isEnd = scrollY + innerHeight >= html.scrollHeight - 2;
  return isEnd ? headings.at(-1) : headings.filter((heading) => heading.getBoundingClientRect().top < READ_FROM).at(-1);
}

function lead(): void {
  led = { to: headings.find(({ id }) => id === targetOf(location)), at: scrollY };
  mark();
}

function mark(): void {
  const heading = current();
  const link = heading && links.get(heading.id);
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
  const soon = (): void => {
    if (isDue) return;
    isDue = true;
    requestAnimationFrame(() => {
      isDue = false;
      mark();
    });
  };
  addEventListener("scroll", soon, { passive: true });
  addEventListener("hashchange", lead);
  addEventListener("load", lead);
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
