import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import type { PlacementCandidate } from '../../../server/src/protocol/placement';
import { bytesText } from '../kit/format';
import type { Theme } from '../kit/theme';
import { colorFor, loadColors } from './draw-heatmap';
import type { PlacementModel } from './model';

export interface CompareProps {
  readonly model: PlacementModel;
  readonly theme: Theme;
  readonly rows: readonly PlacementCandidate[] | undefined;
  readonly onPolicy: (policy: string) => void;
  readonly onLayer: (layer: number) => void;
}

function figure(value: number | undefined, digits = 3): string {
  return value === undefined ? '' : value.toFixed(digits);
}

function duration(seconds: number | undefined): string {
  if (seconds === undefined) return '';
  if (seconds >= 1) return `${seconds.toFixed(1)} s`;
  return seconds >= 1e-3 ? `${(seconds * 1e3).toFixed(0)} ms` : `${(seconds * 1e6).toFixed(0)} µs`;
}

/** Columns of the comparison: title, what it means, and the figure. */
const COLUMNS: readonly (readonly [title: string, hint: string, value: (row: PlacementCandidate) => string])[] = [
  ['balance', 'mean over layers of mean / max GPU load, copies sharing equally', (row) => figure(row.evenness?.mean)],
  ['worst', 'the worst layer', (row) => figure(row.evenness?.worst)],
  ['static', 'under SGLang’s static dispatch', (row) => figure(row.fixed)],
  ['best split', 'if every batch were split over the copies in the best way (LP)', (row) => figure(row.lp)],
  ['nodes', 'other nodes that a token is sent to, a layer', (row) => figure(row.traffic?.remoteNodes, 2)],
  [
    'dispatch',
    'DeepEP low latency, 128 tokens a rank, the fullest rank',
    (row) => duration(row.traffic?.dispatchSeconds),
  ],
  [
    'duplicates',
    'slots whose GPU already has their expert',
    (row) => (row.duplicates === undefined ? '' : String(row.duplicates)),
  ],
  [
    'moved',
    'weights that change their GPU',
    (row) =>
      row.movedBytes === undefined
        ? row.movedSlots === undefined
          ? ''
          : `${row.movedSlots} slots`
        : bytesText(row.movedBytes),
  ],
  ['move time', 'the busiest GPU at the link’s rate', (row) => duration(row.movedSeconds)],
  [
    'SGLang',
    'mean over layers of (mean + 1e-5) / (max + 1e-5), as SGLang prints it',
    (row) => figure(row.evenness?.sglang),
  ],
  ['vLLM', 'sum of means over sum of maxima, as vLLM prints it', (row) => figure(row.evenness?.vllm)],
  [
    'TRT-LLM',
    'imbalance (max - mean) / mean, mean over layers, as TensorRT-LLM prints it',
    (row) => figure(row.evenness?.tensorrtLlm),
  ],
];

/** Balance of every layer as a strip of cells; a layer is chosen by its cell. */
function Strip({
  row,
  theme,
  model,
  onLayer,
}: { readonly row: PlacementCandidate } & Pick<CompareProps, 'theme' | 'model' | 'onLayer'>): JSX.Element {
  const values = row.meanOverMax ?? [];
  const colors = loadColors(theme);
  const width = 4;
  return (
    <svg
      class="strip"
      width={values.length * width}
      height={14}
      role="img"
      aria-label={`Balance of ${values.length} layers, worst ${figure(row.evenness?.worst)}`}
      onClick={(event) => onLayer(Math.min(values.length - 1, Math.max(0, Math.floor(event.offsetX / width))))}
    >
      {values.map((value, layer) => (
        <rect
          key={layer}
          x={layer * width}
          y={0}
          width={width - 0.5}
          height={14}
          fill={colorFor(colors, model.gpuScale, 1 / Math.max(1e-9, value))}
        />
      ))}
    </svg>
  );
}

const CHART = { width: 400, height: 150, left: 40, bottom: 30, top: 12, right: 106 } as const;

interface Point {
  readonly policy: string;
  readonly x: number;
  readonly y: number;
}

/** A little more than the values span, so that no mark stands on the edge. */
function spanOf(values: readonly number[]): readonly [number, number] {
  const low = Math.min(...values);
  const high = Math.max(...values);
  const room = Math.max(0.02, (high - low) * 0.12);
  return [low - room, high + room];
}

/** Balance against copies to other nodes: what is up and to the left is better. */
function TradeOff({
  rows,
  current,
}: {
  readonly rows: readonly PlacementCandidate[];
  readonly current: string;
}): JSX.Element | null {
  const points = rows.flatMap(({ policy, evenness, traffic }): Point[] =>
    evenness === undefined || traffic === undefined || traffic.remoteNodes === 0
      ? []
      : [{ policy, x: traffic.remoteNodes, y: evenness.mean }],
  );
  if (points.length < 2) return null;
  const [left, right] = spanOf(points.map(({ x }) => x));
  const [low, above] = spanOf(points.map(({ y }) => y));
  // Nothing is more even than even.
  const high = Math.min(1, above);
  const px = (x: number): number =>
    CHART.left + ((x - left) / (right - left)) * (CHART.width - CHART.left - CHART.right);
  const py = (y: number): number => CHART.top + ((high - y) / (high - low)) * (CHART.height - CHART.top - CHART.bottom);
  const labels = spread(points.map((point) => ({ ...point, at: py(point.y), left: px(point.x) })));
  return (
    <figure class="trade-off">
      <svg
        width={CHART.width}
        height={CHART.height}
        role="img"
        aria-label="Balance against copies to other nodes; the table has the figures"
      >
        <path
          d={`M${CHART.left} ${CHART.top}V${CHART.height - CHART.bottom}H${CHART.width - CHART.right + 8}`}
          class="axis"
        />
        <text x={CHART.left} y={CHART.height - 18}>
          {left.toFixed(2)}
        </text>
        <text x={CHART.width - CHART.right} y={CHART.height - 18} text-anchor="end">
          {right.toFixed(2)}
        </text>
        <text x={CHART.left - 4} y={CHART.top + 8} text-anchor="end">
          {high.toFixed(2)}
        </text>
        <text x={CHART.left - 4} y={CHART.height - CHART.bottom} text-anchor="end">
          {low.toFixed(2)}
        </text>
        <text x={CHART.left} y={CHART.height - 4}>
          other nodes a token →, balance ↑
        </text>
        {points.map(({ policy, x, y }) => (
          <circle
            key={policy}
            cx={px(x)}
            cy={py(y)}
            r={policy === current ? 5 : 3.5}
            class={policy === current ? 'mark current' : 'mark'}
          />
        ))}
        {labels.map(({ policy, left: start, at }) => (
          <text key={policy} x={start + 8} y={at + 4} class={policy === current ? 'current' : ''}>
            {policy}
          </text>
        ))}
      </svg>
    </figure>
  );
}

/** Width that the longest policy name takes, and the height of a line. */
const LABEL = { width: 100, height: 12 } as const;

/** Labels that would touch another one move down until they do not. */
function spread<Label extends { readonly at: number; readonly left: number }>(
  labels: readonly Label[],
): readonly Label[] {
  const placed: Label[] = [];
  for (const label of [...labels].sort((a, b) => a.at - b.at)) {
    let { at } = label;
    for (const other of placed)
      if (Math.abs(other.left - label.left) < LABEL.width && Math.abs(other.at - at) < LABEL.height)
        at = other.at + LABEL.height;
    placed.push({ ...label, at });
  }
  return placed;
}

/** The placement in view beside EPLB's and the optimised ones: figures, balance a layer, and what the change would cost. */
export function Compare({ model, theme, rows, onPolicy, onLayer }: CompareProps): JSX.Element {
  const { policy: current } = model.view;
  const section = useRef<HTMLElement>(null);
  // In a low panel it would open below what is seen.
  useEffect(() => section.current?.scrollIntoView({ block: 'nearest' }), [rows === undefined]);
  if (rows === undefined)
    return (
      <section ref={section} class="compare" aria-busy="true">
        <p class="note">Placing the experts by every policy…</p>
      </section>
    );
  const columns = COLUMNS.filter(([, , value]) => rows.some((row) => value(row) !== ''));
  return (
    <section ref={section} class="compare">
      <h2>Other placements of the same sizes</h2>
      <div class="compare-body">
        <table>
          <thead>
            <tr>
              <th scope="col">placement</th>
              {columns.map(([title, hint]) => (
                <th key={title} scope="col" class="num" title={hint}>
                  {title}
                </th>
              ))}
              <th scope="col">balance of the layers</th>
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => (
              <tr key={row.policy} class={row.policy === current ? 'selected' : ''}>
                <th scope="row">
                  {row.policy === current ? (
                    `${row.policy}, in view`
                  ) : (
                    <button type="button" class="link" title="Show this placement" onClick={() => onPolicy(row.policy)}>
                      {row.policy}
                    </button>
                  )}
                </th>
                {row.refusal !== undefined ? (
                  <td colSpan={columns.length + 1} class="note">
                    <div class="refusal">{row.refusal}</div>
                  </td>
                ) : (
                  <>
                    {columns.map(([title, , value]) => (
                      <td key={title} class="num">
                        {value(row)}
                      </td>
                    ))}
                    <td>
                      <Strip row={row} theme={theme} model={model} onLayer={onLayer} />
                    </td>
                  </>
                )}
              </tr>
            ))}
          </tbody>
        </table>
        <TradeOff rows={rows} current={current} />
      </div>
    </section>
  );
}
