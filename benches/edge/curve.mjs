// The curve of checkpoints as a picture: what fewer of them save, and what they cost, each beside what was to be reached.

const WIDTH = 260;
const HEIGHT = 180;
const LEFT = 44;
const TOP = 34;
const BOTTOM = 46;
const PANELS = [
  { of: "rows", title: "rows written a create", goal: 1.25, goalAt: WIDTH - 32, most: 3.5, ticks: [0, 1, 2, 3] },
  { of: "kib", title: "KiB written a create", goal: 16, goalAt: WIDTH - 32, most: 160, ticks: [0, 50, 100, 150] },
  { of: "cold", title: "cold start, ms", goal: 50, goalAt: 32, most: 70, ticks: [0, 20, 40, 60] },
];

/** An SVG of the points, `{interval, rows, bytes, cold}` each; the chosen interval is filled. */
export function curveOf(points, chosen) {
  const width = PANELS.length * (WIDTH + LEFT);
  const height = TOP + HEIGHT + BOTTOM;
  const [first, last] = [points[0].interval, points.at(-1).interval].map(Math.log2);
  const panels = PANELS.map(({ of, title, goal, goalAt, most, ticks }, n) => {
    const x = (interval) => ((Math.log2(interval) - first) / (last - first)) * (WIDTH - 40) + 20;
    const y = (value) => HEIGHT - (Math.min(value, most) / most) * HEIGHT;
    const valueOf = (point) => (of === "kib" ? point.bytes / 1024 : point[of]);
    const at = points.map((point) => [x(point.interval), y(valueOf(point)), point]);
    const text = (px, py, anchor, words, more = "") => `<text x="${px}" y="${py}" text-anchor="${anchor}"${more}>${words}</text>`;
    return [
      `<g transform="translate(${n * (WIDTH + LEFT) + LEFT} ${TOP})">`,
      text(WIDTH / 2, -14, "middle", title, ' font-weight="bold"'),
      ...ticks.map((tick) => `<line x1="0" x2="${WIDTH}" y1="${y(tick)}" y2="${y(tick)}" stroke="#ddd"/>${text(-6, y(tick) + 4, "end", tick)}`),
      `<line x1="0" x2="${WIDTH}" y1="${y(goal)}" y2="${y(goal)}" stroke="#c33" stroke-dasharray="4 3"/>`,
      text(goalAt, y(goal) - 4, "middle", `goal ${goal}`, ' fill="#c33"'),
      `<polyline points="${at.map(([px, py]) => `${px.toFixed(1)},${py.toFixed(1)}`).join(" ")}" fill="none" stroke="#236" stroke-width="2"/>`,
      ...at.map(([px, py, { interval }]) => `<circle cx="${px.toFixed(1)}" cy="${py.toFixed(1)}" r="4" stroke="#236" fill="${interval === chosen ? "#236" : "#fff"}"/>`),
      ...at.map(([px, , { interval }]) => text(px.toFixed(1), HEIGHT + 18, "middle", interval)),
      text(WIDTH / 2, HEIGHT + 38, "middle", "writes between checkpoints"),
      "</g>",
    ].join("\n");
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12">
<rect width="100%" height="100%" fill="#fff"/>
${panels.join("\n")}
</svg>
`;
}
