// The sections of a page that is HTML already: for lists of them, and to be searched.

export interface Section {
  id: string;
  title: string;
  /** 1 for the title of the page. */
  level: number;
  /** What stands under its heading, without the markup. */
  text: string;
}

/** Every heading that can be linked to, with what follows until the next one. */
export function sectionsOf(html: string): Section[] {
  const headings = [...html.matchAll(/<h([1-4])\b[^>]*? id="([^"]+)"[^>]*>(.*?)<\/h\1>/gs)];
  return headings.map((heading, at) => {
    const [whole, level, id = "", title = ""] = heading;
    const text = html.slice(heading.index + whole.length, headings[at + 1]?.index);
    return { id, title: plain(title), level: Number(level), text: plain(text) };
  });
}

const ENTITIES: Record<string, string> = { amp: "&", lt: "<", gt: ">", quot: '"', "#39": "'", "#x27": "'" };

function plain(html: string): string {
  return html
    .replace(/<svg\b.*?<\/svg>/gs, "")
    // Words of a line stay whole; blocks, cells and lines are apart.
    .replace(/<\/?(?:a|b|code|em|mark|span|strong|wbr)\b[^>]*>/g, "")
    .replace(/<[^>]*>/g, " ")
    .replace(/&(amp|lt|gt|quot|#39|#x27);/g, (_, name: string) => ENTITIES[name] ?? "")
    .replace(/\s+/g, " ")
    .trim();
}
