// The page "Benchmarks": what can be measured here, and what was measured elsewhere.
import type { Page } from "../build/page.ts";
import { lost, sections } from "../build/results.ts";
import { idOf, type Section } from "../build/results/section.ts";
import { Live } from "../src/benchmarks/live.tsx";
import { Chart } from "../src/charts/chart.tsx";
import { labelOf } from "../src/charts/contenders.ts";

export const benchmarks: Page = {
  path: "benchmarks/",
  title: "Benchmarks",
  description:
    "Connectory beside SQLite, LMDB, fjall, redb and IndexedDB, in your browser and as measured. Lost rows are marked.",
  section: "Benchmarks",
  styles: ["/src/charts/charts.css", "/src/benchmarks/benchmarks.css"],
  script: "/src/benchmarks/main.tsx",
  body: () => (
    <>
      <h1>Benchmarks</h1>
      <p class="lead">
        The same registry on other engines, with the same answers and the same durability. Bars are medians of rounds. A
        verdict compares cost with the best peer’s: below 1 we are ahead, above 1 we lose.
      </p>
      <nav class="row contents" aria-label="On this page">
        <a href="#here">In your browser</a>
        {sections.map(({ title }) => (
          <a key={title} href={`#${idOf(title)}`}>
            {title}
          </a>
        ))}
      </nav>
      <Losses />
      <section aria-labelledby="here">
        <h2 id="here">In your browser</h2>
        <p class="text">
          Every contender keeps the same connections in files of this browser, and answers a create when it is flushed.
          Each runs in a worker of its own; Connectory also runs as a page opens it. First all must give the same
          answers, then they take turns. Everything is removed afterwards.
        </p>
        <Method />
        <div id="live">
          <Live isAlive={false} />
        </div>
        <noscript>
          <p class="note">Measuring needs JavaScript. What was measured elsewhere is below.</p>
        </noscript>
      </section>
      {sections.map((section) => (
        <Measured key={section.title} section={section} />
      ))}
    </>
  ),
};

function Losses() {
  return (
    <section aria-labelledby="losses">
      <h2 id="losses">Where we lose</h2>
      <p>Our cost over the best peer’s, in what was measured below.</p>
      <ul class="losses">
        {lost.map(({ chart, row }) => (
          <li key={`${chart} ${row.name}`}>
            <b>{row.verdict?.ratio.toFixed(2)} ×</b>
            <span>
              {row.name}
              <span>
                <a href={`#${idOf(chart)}`}>{chart}</a>, against {labelOf(row.verdict?.peer ?? "")}
              </span>
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
        It is the repository’s own benchmark, in less time. The first round only warms up, then every contender does
        each kind of work in each round, another one first each time. SQLite runs in its <code>opfs-sahpool</code> with
        WAL, an exclusive lock and <code>synchronous=FULL</code>; IndexedDB with a unique index and strict durability.
        One write is a floor: a small write into a file, flushed. 64 in flight are single creates where the engine
        gathers them by itself, and a batch where it does not. From a page every call passes two threads, so the verdict
        is that of Connectory in a worker, where the peers are.
      </p>
      <p>
        Whether a flush reaches the disk is up to the browser, for all alike; a private window keeps files in memory, so
        its figures say little. Clocks of pages are coarse, so short work is timed many times over. For a longer run, or
        a shorter one, add <code>?rounds=20&ms=1000&rows=20000</code> to the address: rounds, the most milliseconds for
        a measurement, rows in a store and rows imported.
      </p>
    </details>
  );
}

function Measured({ section }: { section: Section }) {
  return (
    <section aria-labelledby={idOf(section.title)}>
      <h2 id={idOf(section.title)}>{section.title}</h2>
      <p class="text">{section.about}</p>
      <dl class="facts">
        {section.facts.map(([name, value]) => (
          <>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </>
        ))}
        <dt>Again</dt>
        <dd>
          <code>{section.command}</code>
        </dd>
      </dl>
      {section.charts.map(({ title, rows }) => (
        <>
          {title !== section.title && <h3 id={idOf(title)}>{title}</h3>}
          <Chart title={title} rows={rows} />
        </>
      ))}
      <ul class="text">
        {section.notes.map((note) => (
          <li key={note}>{note}</li>
        ))}
      </ul>
    </section>
  );
}
