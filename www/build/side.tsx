// The column beside a page: search, the pages of its kind, and the sections of this one. On a phone it folds.
import type { ComponentChildren, VNode } from "preact";
import type { Section } from "./sections.ts";

export interface Entry {
  name: string;
  href: string;
  current?: boolean;
}

interface Props {
  label: string;
  /** Other pages of its kind; without them its sections stand alone. */
  groups?: { name: string; entries: Entry[] }[];
  sections: Pick<Section, "id" | "title" | "level">[];
  children: ComponentChildren;
}

/** A page with a column beside it. */
export function WithSide({ label, groups, sections, children }: Props): VNode {
  return (
    <div class="with-side">
      <details class="side">
        <summary>{label}</summary>
        <div class="side-content">
          <button class="search-field needs-script" type="button" data-search>
            Search the documents <kbd>/</kbd>
          </button>
          <nav aria-label={label}>
            {!groups && <Sections of={sections} />}
            {groups?.map(({ name, entries }) => (
              <>
                <p>{name}</p>
                <ul>
                  {entries.map(({ name, href, current }) => (
                    <li>
                      <a href={href} aria-current={current ? "page" : undefined}>{name}</a>
                      {current && <Sections of={sections} />}
                    </li>
                  ))}
                </ul>
              </>
            ))}
          </nav>
        </div>
      </details>
      <div class="beside">{children}</div>
    </div>
  );
}

function Sections({ of }: { of: Props["sections"] }): VNode | null {
  if (of.length === 0) return null;
  return (
    <ul class="sections">
      {of.map(({ id, title, level }) => <li class={`level-${level}`}><a href={`#${id}`}>{title}</a></li>)}
    </ul>
  );
}
