// A chart as a table: medians, and how far the rounds are apart.
import { labelOf } from "./contenders.ts";
import { isLost, type Row } from "./model.ts";
import { axisOf, valueOf } from "./units.ts";

export function Table({ title, rows, names }: { title: string; rows: Row[]; names: string[] }) {
  const isCompared = rows.some(({ verdict }) => verdict);
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
            {names.map((name) => (
              <th key={name} scope="col" class="number">
                {labelOf(name)}
              </th>
            ))}
            {isCompared && <th scope="col">Our cost over the best peer’s</th>}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={`${row.name} ${row.unit}`}>
              <th scope="row">
                {row.name}, {axisOf(row.unit)}
              </th>
              {names.map((name) => (
                <td key={name} class="number">
                  {cell(row, name)}
                </td>
              ))}
              {isCompared && (
                <td>
                  {row.verdict &&
                    `${row.verdict.ratio.toFixed(2)} (${labelOf(row.verdict.peer)})${isLost(row) ? ", lost" : ""}`}
                </td>
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
