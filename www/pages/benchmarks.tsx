// The page "Benchmarks": what can be measured here, and what was measured elsewhere.
import type { Page } from "../build/page.ts";
import { lost, sections } from "../build/results.ts";
import type { Section } from "../build/results/section.ts";
import { Live } from "../src/benchmarks/live.tsx";
import { Chart } from "../src/charts/chart.tsx";
import { labelOf } from "../src/charts/contenders.ts";

export const benchmarks: Page = {
  path: "benchmarks/",
  title: "Benchmarks",
  description: "Connectory beside SQLite, LMDB, fjall, redb and IndexedDB: in your browser, and as it was measured. The rows we lose are marked.",
  section: "Benchmarks",
  styles: ["/src/charts/charts.css", "/src/benchmarks/benchmarks.css"],
  script: "/src/benchmarks/main.tsx",
  body: () => (
    <>
      <h1>Benchmarks</h1>
      <p class="lead">
        The same registry on other engines, with the same answers and the same durability. Bars are medians of rounds. A verdict compares
        cost with the best peer’s: below 1 we are ahead, above 1 we lose.
      </p>
      <nav class="row" aria-label="On this page">
        <a href="#here">In your browser</a>
        {sections.map(({ id, title }) => <a key={id} href={`#${id}`}>{title}</a>)}
      </nav>
      <Losses />
      <section aria-labelledby="here">
        <h2 id="here">In your browser</h2>
        <p class="text">
          Every contender keeps the same connections in files of this browser, and answers a create when it is flushed. Each runs in a worker
          of its own; Connectory also runs as a page opens it. First all must give the same answers, then they take turns. Everything is
          removed afterwards.
        </p>
        <Method />
        <div id="live"><Live isAlive={false} /></div>
        <noscript><p class="note">Measuring needs JavaScript. What was measured elsewhere is below.</p></noscript>
      </section>
      {sections.map((section) => <Measured key={section.id} section={section} />)}
    </>
  ),
};

function Losses() {
  return (
    <section aria-labelledby="losses">
      <h2 id="losses">Where we lose</h2>
      <p class="text">
        The rows of the committed results in which the best peer does better. The number is our cost over that peer’s.
      </p>
      <ul class="losses">
        {lost.map(({ section, chart, row }) => (
          <li key={`${chart} ${row.name}`}>
            <b>{row.verdict?.ratio.toFixed(2)} ×</b>
            <span>
              {row.name}
              <span><a href={`#${section.id}`}>{chart}</a>, against {labelOf(row.verdict?.peer ?? "")}</span>
            </span>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Method() {
  return (
    <details class="text method">
      <summary>How it is measured</summary>
      <p>
        It is the repository’s own benchmark, in less time. The first round only warms up, then every contender does each kind of work in
        each round, another one first each time. SQLite runs in its <code>opfs-sahpool</code> with WAL, an exclusive lock
        and <code>synchronous=FULL</code>; IndexedDB with a unique index and strict durability. One write is a floor: a small write into a
        file, flushed. 64 in flight are single creates where the engine gathers them by itself, and a batch where it does not.
      </p>
      <p>
        Whether a flush reaches the disk is up to the browser, for all alike; a private window keeps files in memory, so its figures
        say little. Clocks of pages are coarse, so short work is timed many
        times over. The address takes <code>?rounds=20</code>, <code>ms=1000</code> (the most for a measurement) and <code>rows=20000</code> (in
        a store, and imported) for a longer run, or a shorter one.
      </p>
    </details>
  );
}

function Measured({ section }: { section: Section }) {
  return (
    <section aria-labelledby={section.id}>
      <h2 id={section.id}>{section.title}</h2>
      <p class="text">{section.about}</p>
      <dl class="facts">
        {section.facts.map(([name, value]) => (
          <>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </>
        ))}
        <dt>Again</dt>
        <dd><code>{section.command}</code></dd>
      </dl>
      {section.charts.map(({ title, rows }) => (
        <>
          {title !== section.title && <h3>{title}</h3>}
          <Chart title={title} rows={rows} />
        </>
      ))}
      <ul class="text">{section.notes.map((note) => <li key={note}>{note}</li>)}</ul>
    </section>
  );
}
