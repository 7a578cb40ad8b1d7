// A chart: a panel of horizontal bars for each row, a legend, and the same as a table.
import { inOrder, labelOf, lookOf } from "./contenders.ts";
import { type Bar, isLost, type Row } from "./model.ts";
import { type Scale, scaleOf } from "./scale.ts";
import { axisOf, valueOf } from "./units.ts";

const HEIGHT = 20;

/** `title` names the table to those who do not see the chart. */
export function Chart({ title, rows }: { title: string; rows: Row[] }) {
  const bars = rows.flatMap(({ bars }) => bars);
  const names = inOrder([...new Set(bars.map(({ name }) => name))].map((name) => ({ name }))).map(({ name }) => name);
  return (
    <div class="chart">
      {new Set(names.map(lookOf)).size > 1 && <Legend names={names} />}
      <div class="panels">{rows.map((row) => <Panel key={`${row.name} ${row.unit}`} row={row} />)}</div>
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
          <svg class={lookOf(name)} width="12" height="12" aria-hidden="true"><rect class="bar" width="12" height="12" rx="2" /></svg>
          {labelOf(name)}
        </li>
      ))}
      <li class="muted">
        <svg width="20" height="12" aria-hidden="true"><Whisker low="1" high="19" middle={6} /></svg>
        lowest and highest round
      </li>
    </ul>
  );
}

function Panel({ row }: { row: Row }) {
  const figures = row.bars.flatMap(({ figure }) => figure ?? []);
  const scale = figures.length > 0 ? scaleOf(figures) : undefined;
  const better = row.better === "neither" ? "" : `, ${row.better} is better`;
  return (
    <figure class={`panel${isLost(row) ? " lost" : ""}`}>
      <figcaption>
        <span class="panel-name">{row.name}</span>
        {(row.verdict || figures.length < row.bars.length) && <Outcome row={row} />}
      </figcaption>
      <ul class="bars">
        {inOrder(row.bars).map((bar) => <BarOf key={bar.name} bar={bar} unit={row.unit} scale={scale} />)}
      </ul>
      <Axis scale={scale} title={`${axisOf(row.unit)}${better}${scale?.isLog ? "; log scale" : ""}`} />
    </figure>
  );
}

/** Who is ahead: said in words as well as in colour, and as plainly when it is not us. */
function Outcome({ row }: { row: Row }) {
  if (!row.verdict) return <span class="outcome" />;
  const { peer, ratio } = row.verdict;
  return (
    <span class="outcome">
      {isLost(row) ? <b class="badge bad">Lost</b> : <b class="badge good">Ahead</b>}{" "}
      <span class="muted">{ratio.toFixed(2)} × the cost of {labelOf(peer)}</span>
    </span>
  );
}

function BarOf({ bar, unit, scale }: { bar: Bar; unit: string; scale: Scale | undefined }) {
  const { name, figure } = bar;
  return (
    <li>
      <span class="bar-name">{labelOf(name)}</span>
      <svg class={lookOf(name)} width="100%" height={HEIGHT} aria-hidden="true">
        {(scale?.ticks.map(scale.at) ?? [0]).map((at) => <line key={at} class="grid" x1={percent(at)} x2={percent(at)} y2={HEIGHT} />)}
        {scale && figure && <rect class="bar" y="4" width={percent(scale.at(figure.median))} height={HEIGHT - 8} rx="2" />}
        {scale && figure && figure.low < figure.high && (
          <Whisker low={percent(scale.at(figure.low))} high={percent(scale.at(figure.high))} middle={HEIGHT / 2} />
        )}
      </svg>
      <span class="bar-value">{figure ? valueOf(figure.median, unit) : "–"}</span>
    </li>
  );
}

function Whisker({ low, high, middle }: { low: string; high: string; middle: number }) {
  return (
    <>
      {["halo", "whisker"].map((layer) => (
        <g key={layer} class={layer}>
          <line x1={low} x2={high} y1={middle} y2={middle} />
          <line x1={low} x2={low} y1={middle - 4} y2={middle + 4} />
          <line x1={high} x2={high} y1={middle - 4} y2={middle + 4} />
        </g>
      ))}
    </>
  );
}

function Axis({ scale, title }: { scale: Scale | undefined; title: string }) {
  return (
    <div class="axis">
      <svg width="100%" height="16" aria-hidden="true">
        {scale?.ticks.map((tick) => {
          const at = scale.at(tick);
          const anchor = at < 5 ? "start" : at > 95 ? "end" : "middle";
          return <text key={tick} x={percent(at)} y="12" text-anchor={anchor}>{tickOf(tick)}</text>;
        })}
      </svg>
      <span>{title}</span>
    </div>
  );
}

function Table({ title, rows, names }: { title: string; rows: Row[]; names: string[] }) {
  const cell = (row: Row, name: string) => {
    const figure = row.bars.find((bar) => bar.name === name)?.figure;
    if (!figure) return "";
    const { median, low, high } = figure;
    const range = low < high ? ` (${valueOf(low, row.unit)} to ${valueOf(high, row.unit)})` : "";
    return valueOf(median, row.unit) + range;
  };
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label={`${title}, table`}>
      <table>
        <caption class="visually-hidden">{title}: medians, and from the lowest to the highest round</caption>
        <thead>
          <tr>
            <th scope="col">Work</th>
            {names.map((name) => <th key={name} scope="col" class="number">{labelOf(name)}</th>)}
            <th scope="col">Our cost over the best peer’s</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={`${row.name} ${row.unit}`}>
              <th scope="row">{row.name}, {axisOf(row.unit)}</th>
              {names.map((name) => <td key={name} class="number">{cell(row, name)}</td>)}
              <td>{row.verdict && `${row.verdict.ratio.toFixed(2)} (${labelOf(row.verdict.peer)})${isLost(row) ? ", lost" : ""}`}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function percent(value: number): string {
  return `${Number(value.toFixed(2))}%`;
}

function tickOf(tick: number): string {
  if (tick >= 1e9) return `${tick / 1e9}G`;
  if (tick >= 1e6) return `${tick / 1e6}M`;
  if (tick >= 10_000) return `${tick / 1000}k`;
  return String(tick);
}
