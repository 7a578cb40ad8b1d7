// The pages under "Documents": an index, and a page for each, made from the files of the repository.
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import renderToString from "preact-render-to-string";
import { type Document, DESCRIPTION, DOCUMENTS, GROUPS, REPOSITORY } from "../build/library.ts";
import { check } from "../build/links.ts";
import { render } from "../build/markdown.ts";
import { HttpReference } from "../build/openapi.tsx";
import type { Page } from "../build/page.ts";
import { sectionsOf } from "../build/sections.ts";
import { WithSide } from "../build/side.tsx";

const STYLES = ["/src/side/side.css", "/src/documents/documents.css"];

function contents(document: Document): string {
  if (document.file === DESCRIPTION) return renderToString(<HttpReference />);
  return render(readFileSync(resolve(REPOSITORY, document.file), "utf8"), document);
}

/** Every document as HTML; together, so links between them can be checked. */
const written = DOCUMENTS.map((document) => ({ ...document, html: contents(document) }));
check(written);

const index: Page = {
  path: "documents/",
  title: "Documents",
  description: "The documents of Connectory: the contract, the HTTP API, the npm package, the Worker, the reasons.",
  section: "Documents",
  styles: STYLES,
  script: "/src/side/side.ts",
  body: (root) => (
    <>
      <h1>Documents</h1>
      <p class="lead">They are files of the repository, as they are there.</p>
      <button class="search-field needs-script" type="button" data-search>Search the documents <kbd>/</kbd></button>
      <div class="groups">
        {GROUPS.map(({ name, documents }) => (
          <section class="card">
            <h2>{name}</h2>
            <ul>
              {documents.map(({ path, name, about }) => (
                <li><a href={root + path}>{name}</a> <span>{about}</span></li>
              ))}
            </ul>
          </section>
        ))}
      </div>
    </>
  ),
};

function page({ path, name, about, html, file }: (typeof written)[number]): Page {
  const sections = sectionsOf(html).filter(({ level }) => level === 2 || (level === 3 && file === DESCRIPTION));
  return {
    path,
    title: name,
    description: about,
    section: "Documents",
    styles: STYLES,
    script: "/src/side/side.ts",
    body: (root) => {
      const groups = GROUPS.map(({ name, documents }) => ({
        name,
        entries: documents.map((one) => ({ name: one.name, href: root + one.path, current: one.path === path })),
      }));
      return (
        <WithSide label="Documents" groups={groups} sections={sections}>
          <article dangerouslySetInnerHTML={{ __html: html }} />
        </WithSide>
      );
    },
  };
}

export const documents: Page[] = [index, ...written.map(page)];

/** What can be searched. */
export const texts = written.map(({ path, name, html }) => ({ path, name, sections: sectionsOf(html) }));
