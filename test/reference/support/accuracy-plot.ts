import { throughputRows } from './throughput-rows';

const SIZE = 460;
const MARGIN = 58;
const COLORS = ['#2b6cb0', '#c05621', '#2f855a', '#805ad5', '#b83280', '#4a5568'] as const;
const SHAPES = ['circle', 'square', 'diamond', 'triangle', 'cross', 'ring'] as const;

function mark(x: number, y: number, index: number): string {
  const fill = COLORS[index % COLORS.length] ?? '#000';
  const at = (points: readonly (readonly [number, number])[]): string =>
    points.map(([dx, dy]) => `${(x + dx).toFixed(1)},${(y + dy).toFixed(1)}`).join(' ');
  const square = [
    [-3, -3],
    [3, -3],
    [3, 3],
    [-3, 3],
  ] as const;
  const diamond = [
    [0, -4.2],
    [4.2, 0],
    [0, 4.2],
    [-4.2, 0],
  ] as const;
  const triangle = [
    [0, -4],
    [4, 3],
    [-4, 3],
  ] as const;
  const shape = SHAPES[index % SHAPES.length];
  if (shape === 'square') return `<polygon points="${at(square)}" fill="${fill}"/>`;
  if (shape === 'diamond') return `<polygon points="${at(diamond)}" fill="${fill}"/>`;
  if (shape === 'triangle') return `<polygon points="${at(triangle)}" fill="${fill}"/>`;
  if (shape === 'cross')
    return `<path d="M${(x - 3).toFixed(1)} ${(y - 3).toFixed(1)}l6 6m0-6l-6 6" stroke="${fill}" stroke-width="1.6"/>`;
  const ring = shape === 'ring' ? `fill="none" stroke="${fill}" stroke-width="1.6"` : `fill="${fill}"`;
  return `<circle cx="${x.toFixed(1)}" cy="${y.toFixed(1)}" r="3.4" ${ring}/>`;
}

/** Predicted against measured tokens a second on one GPU, both on logarithmic axes; one colour and one shape a GPU. */
export function throughputPlot(): string {
  const { rows } = throughputRows();
  const values = rows.flatMap(({ measured, predicted }) => [measured, predicted]);
  const low = 10 ** Math.floor(Math.log10(Math.min(...values)));
  const high = 10 ** Math.ceil(Math.log10(Math.max(...values)));
  const span = Math.log10(high / low);
  const inner = SIZE - 2 * MARGIN;
  const x = (value: number): number => MARGIN + (inner * Math.log10(value / low)) / span;
  const y = (value: number): number => SIZE - MARGIN - (inner * Math.log10(value / low)) / span;
  const gpus = [...new Set(rows.map(({ gpu }) => gpu))];
  const ticks = Array.from({ length: Math.round(span) + 1 }, (_, power) => low * 10 ** power);
  const line = (from: readonly [number, number], to: readonly [number, number], style: string): string =>
    `<line x1="${from[0].toFixed(1)}" y1="${from[1].toFixed(1)}" x2="${to[0].toFixed(1)}" y2="${to[1].toFixed(1)}" ${style}/>`;
  const grid = ticks.flatMap((tick) => [
    line([x(tick), y(low)], [x(tick), y(high)], 'stroke="#8884"'),
    line([x(low), y(tick)], [x(high), y(tick)], 'stroke="#8884"'),
    `<text x="${x(tick).toFixed(1)}" y="${SIZE - MARGIN + 15}" text-anchor="middle">${tick.toLocaleString('en-US')}</text>`,
    `<text x="${MARGIN - 6}" y="${(y(tick) + 4).toFixed(1)}" text-anchor="end">${tick.toLocaleString('en-US')}</text>`,
  ]);
  const band = [0.8, 1, 1.25].map((factor) =>
    line(
      [x(Math.max(low, low / factor)), y(Math.max(low, low * factor))],
      [x(Math.min(high, high / factor)), y(Math.min(high, high * factor))],
      `stroke="#888" stroke-dasharray="${factor === 1 ? 'none' : '4 3'}"`,
    ),
  );
  const legend = gpus.map(
    (gpu, index) =>
      `${mark(MARGIN + 14, 20 + MARGIN + 16 * index, index)}<text x="${MARGIN + 24}" y="${24 + MARGIN + 16 * index}">${gpu}</text>`,
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${SIZE} ${SIZE}" width="${SIZE}" height="${SIZE}" font-family="sans-serif" font-size="11" fill="#777" role="img">
<title>Predicted against measured training throughput</title>
<desc>${rows.length} published runs; the full line is equality, the dashed ones are 25 % above and 20 % below.</desc>
${[...grid, ...band, ...rows.map(({ gpu, measured, predicted }) => mark(x(measured), y(predicted), gpus.indexOf(gpu))), ...legend].join('\n')}
<text x="${SIZE / 2}" y="${SIZE - 8}" text-anchor="middle">measured tokens a second on one GPU</text>
<text transform="translate(12 ${SIZE / 2}) rotate(-90)" text-anchor="middle">predicted</text>
</svg>
`;
}
