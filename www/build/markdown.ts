// The repository's Markdown as HTML for a page: links go to pages, code is coloured, what is wide scrolls by itself.
import { readFileSync } from "node:fs";
import { dirname, relative, resolve } from "node:path";
import MarkdownIt, { type Env, type RendererRule, type Token } from "markdown-it";
import anchor from "markdown-it-anchor";
import { escape, highlight } from "./highlight.ts";
import { type Document, REPOSITORY } from "./library.ts";
import { link } from "./links.ts";

const NAMES: Record<string, string> = { js: "javascript", json: "json", rust: "rust", sh: "bash", ts: "typescript" };

/** As GitHub makes them, so links with anchors work there and here. */
function slugify(title: string): string {
  return title.toLowerCase().replace(/[^\p{L}\p{N}\s_-]/gu, "").replace(/\s/g, "-");
}

/** What is said of something wide to those who cannot see it: what it is, and in which section. */
class Labels {
  #section = "";
  #count = 0;

  enter(section: string): void {
    this.#section = section;
    this.#count = 0;
  }

  /** The attributes of a region that scrolls. */
  region(kind: string): string {
    this.#count += 1;
    const label = this.#count > 1 ? `${this.#section}, ${kind} ${this.#count}` : `${this.#section}, ${kind}`;
    return `class="scroll" role="region" tabindex="0" aria-label="${escape(label)}"`;
  }
}

const markdown = new MarkdownIt({ html: true }).use(anchor, {
  slugify,
  uniqueSlugStartIndex: 1,
  level: [1, 2, 3, 4],
  permalink: anchor.permalink.headerLink({ class: "to-here" }),
});

/** What is being rendered, as the rules below are told. */
interface Place {
  from?: Document;
  labels: Labels;
}
const placeOf = (env: Env | undefined): Place => env as unknown as Place;

const rules: Record<string, RendererRule> = {
  heading_open(tokens, at, options, env, self) {
    const words = tokens[at + 1]?.children?.filter(({ type }) => type === "text" || type === "code_inline") ?? [];
    placeOf(env).labels.enter(words.map(({ content }) => content).join(""));
    return self.renderToken(tokens, at, options);
  },
  fence: (tokens, at, _, env) => code(tokens[at], placeOf(env)),
  code_block: (tokens, at, _, env) => code(tokens[at], placeOf(env)),
  table_open: (_tokens, _at, _options, env) => `<div ${placeOf(env).labels.region("table")}><table>\n`,
  table_close: () => "</table></div>\n",
  // A row of headings without words is no row, and a heading without words no heading.
  thead_open: (tokens, at) => (isEmptyHead(tokens, at) ? "<thead hidden>\n" : "<thead>\n"),
  th_open: (tokens, at) => (tokens[at + 1]?.content ? `<th scope="col"${aligned(tokens[at])}>` : "<td>"),
  th_close: (tokens, at) => (tokens[at - 1]?.content ? "</th>\n" : "</td>\n"),
  td_open: (tokens, at) => (isProse(tokens[at + 1]) ? '<td class="prose">' : `<td${aligned(tokens[at])}>`),
  link_open(tokens, at, options, env, self) {
    const { from } = placeOf(env);
    const token = tokens[at];
    if (from) token?.attrSet("href", link(String(token.attrGet("href")), from));
    return self.renderToken(tokens, at, options);
  },
  image: (tokens, at, _, env) => image(tokens[at], placeOf(env)),
  html_block: (tokens, at) => comment(tokens[at]),
  html_inline: (tokens, at) => comment(tokens[at]),
};
Object.assign(markdown.renderer.rules, rules);

function code(token: Token | undefined, { labels }: Place): string {
  const { content = "", info = "" } = token ?? {};
  const language = NAMES[info.trim()] ?? "text";
  return `<pre ${labels.region("code")}><code>${highlight(content, language)}</code></pre>\n`;
}

function isEmptyHead(tokens: Token[], at: number): boolean {
  const end = tokens.findIndex(({ type }, index) => index > at && type === "thead_close");
  return tokens.slice(at, end).every(({ content }) => content === "");
}

/** A cell with sentences needs room, however narrow the window is. */
function isProse(cell: Token | undefined): boolean {
  return (cell?.content.length ?? 0) > 60;
}

/** The alignment as a class: the policy forbids the style that it would be. */
function aligned(token: Token | undefined): string {
  return String(token?.attrGet("style") ?? "").includes("right") ? ' class="number"' : "";
}

/** A picture of the repository, with its size, so that nothing moves when it comes. */
function image(token: Token | undefined, { from }: Place): string {
  if (!from) throw new Error("a picture is of a file, and so is its address");
  const file = resolve(REPOSITORY, dirname(from.file), String(token?.attrGet("src")));
  const { width, height } = sizeOf(file);
  const src = relative(resolve(REPOSITORY, "www", from.path), file);
  const alt = escape(token?.content ?? "");
  return `<img class="plot" src="${src}" alt="${alt}" width="${width}" height="${height}" loading="lazy" />`;
}

/** How large a picture is, an SVG or a PNG, as its first lines say. */
function sizeOf(file: string): { width: number; height: number } {
  const bytes = readFileSync(file);
  if (file.endsWith(".png")) return { width: bytes.readUInt32BE(16), height: bytes.readUInt32BE(20) };
  const [, width, height] = /<svg[^>]* width="(\d+)" height="(\d+)"/.exec(bytes.toString("utf8")) ?? [];
  if (!width || !height) throw new Error(`${file} does not say how large it is`);
  return { width: Number(width), height: Number(height) };
}

/** Comments are for tools. */
function comment(token: Token | undefined): string {
  const text = token?.content.trim() ?? "";
  if (/^<!--.*-->$/s.test(text)) return "";
  throw new Error(`only Markdown and comments are shown, not ${text}`);
}

/** The HTML of a document. */
export function render(text: string, from: Document): string {
  return markdown.render(text, { from, labels: new Labels() });
}

/** A sentence or a few, in the same Markdown, without links between files. */
export function inline(text: string): string {
  return markdown.renderInline(text, {});
}
