// One row of a chart: its name, who is ahead, a bar for each contender, the axis.
import { inOrder, labelOf, lookOf } from "./contenders.ts";
import { type Bar, isLost, type Row } from "./model.ts";
import { type Scale, scaleOf } from "./scale.ts";
import { axisOf, valueOf } from "./units.ts";

const HEIGHT = 20;

export function Panel({ row }: { row: Row }) {
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
        {inOrder(row.bars, ({ name }) => name).map((bar) => (
          <BarOf key={bar.name} bar={bar} unit={row.unit} scale={scale} />
        ))}
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
      <span class="muted">
        {ratio.toFixed(2)} × the cost of {labelOf(peer)}
      </span>
    </span>
  );
}

function BarOf({ bar, unit, scale }: { bar: Bar; unit: string; scale: Scale | undefined }) {
  const { name, figure } = bar;
  return (
    <li>
      <span class="bar-name">{labelOf(name)}</span>
      <svg class={lookOf(name)} width="100%" height={HEIGHT} aria-hidden="true">
        {(scale?.ticks.map(scale.at) ?? [0]).map((at) => (
          <line key={at} class="grid" x1={percent(at)} x2={percent(at)} y2={HEIGHT} />
        ))}
        {scale && figure && (
          <rect class="bar" y="4" width={percent(scale.at(figure.median))} height={HEIGHT - 8} rx="2" />
        )}
        {scale && figure && figure.low < figure.high && (
          <Whisker low={percent(scale.at(figure.low))} high={percent(scale.at(figure.high))} middle={HEIGHT / 2} />
        )}
      </svg>
      <span class="bar-value">{figure ? valueOf(figure.median, unit) : "–"}</span>
    </li>
  );
}

/** From the lowest to the highest round, with a halo so that it is seen on its bar as well. */
export function Whisker({ low, high, middle }: { low: string; high: string; middle: number }) {
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
          return (
            <text key={tick} x={percent(at)} y="12" text-anchor={anchor}>
              {tickOf(tick)}
            </text>
          );
        })}
      </svg>
      <span>{title}</span>
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
