// A chart: a panel of horizontal bars for each row, a legend, and the same as a table.
import { inOrder, labelOf, lookOf } from "./contenders.ts";
import type { Row } from "./model.ts";
import { Panel, Whisker } from "./panel.tsx";
import { Table } from "./table.tsx";

/** `title` names the table to those who do not see the chart. */
export function Chart({ title, rows }: { title: string; rows: Row[] }) {
  const all = new Set(rows.flatMap(({ bars }) => bars.map(({ name }) => name)));
  const names = inOrder([...all], (name) => name);
  return (
    <div class="chart">
      {new Set(names.map(lookOf)).size > 1 && <Legend names={names} />}
      <div class="panels">
        {rows.map((row) => (
          <Panel key={`${row.name} ${row.unit}`} row={row} />
        ))}
      </div>
      <details>
        <summary>{title}, as a table</summary>
        <Table title={title} rows={rows} names={names} />
      </details>
    </div>
  );
}

function Legend({ names }: { names: string[] }) {
  return (
    <ul class="legend">
      {names.map((name) => (
        <li key={name}>
          <svg class={lookOf(name)} width="12" height="12" aria-hidden="true">
            <rect class="bar" width="12" height="12" rx="2" />
          </svg>
          {labelOf(name)}
        </li>
      ))}
      <li class="muted">
        <svg width="20" height="12" aria-hidden="true">
          <Whisker low="1" high="19" middle={6} />
        </svg>
        lowest and highest round
      </li>
    </ul>
  );
}
