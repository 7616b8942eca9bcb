import type { JSX } from 'preact';
import type { NumericsView } from '../../../server/src/protocol/memory';
import { integer } from '../kit/format';

const WIDTH = 300;
const HEIGHT = 128;
const LEFT = 54;
const BOTTOM = 20;
const TOP = 8;
const RIGHT = 12;

/** `2.57 %`, `0.0031 %`, `0 %`: two digits that count. */
export function share(value: number): string {
  const percent = 100 * value;
  return percent === 0 ? '0 %' : `${percent >= 0.01 ? percent.toFixed(2) : percent.toPrecision(2)} %`;
}

interface ChartProps {
  readonly sums: NonNullable<NumericsView['sums']>;
}

/** Bias of long sums, with and without promotion: what a person looks for is where the curve leaves zero. */
function SumChart({ sums }: ChartProps): JSX.Element {
  const last = sums.at(-1);
  const first = sums[0];
  const middle = sums.at(-2);
  if (first === undefined || middle === undefined || last === undefined) return <></>;
  const highest = Math.max(...sums.map(({ unpromoted }) => unpromoted), 1e-6);
  const x = (length: number): number =>
    LEFT +
    ((WIDTH - LEFT - RIGHT) * Math.log(length / first.length)) / Math.max(1e-9, Math.log(last.length / first.length));
  const y = (bias: number): number => TOP + (HEIGHT - TOP - BOTTOM) * (bias / highest);
  const line = (of: (sum: ChartProps['sums'][number]) => number): string =>
    sums.map((sum) => `${x(sum.length).toFixed(1)},${y(of(sum)).toFixed(1)}`).join(' ');
  const label =
    `Sums of positive products come out low: at ${integer(last.length)} products by ${share(last.unpromoted)} ` +
    `without promotion and by ${share(last.promoted)} with promotion every 128.`;
  return (
    <svg
      class="sum-chart"
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      width={WIDTH}
      height={HEIGHT}
      role="img"
      aria-label={label}
    >
      <line class="axis" x1={LEFT} y1={y(0)} x2={WIDTH - RIGHT} y2={y(0)} />
      <line class="grid" x1={LEFT} y1={y(highest)} x2={WIDTH - RIGHT} y2={y(highest)} />
      <text x={LEFT - 4} y={y(0) + 4} text-anchor="end">
        0
      </text>
      <text x={LEFT - 4} y={y(highest) + 2} text-anchor="end">
        −{share(highest).replace(' ', '\u202f')}
      </text>
      {sums.map(({ length }, index) =>
        index % 2 === (sums.length - 1) % 2 ? (
          <text key={length} x={x(length)} y={HEIGHT - 5} text-anchor={index === sums.length - 1 ? 'end' : 'middle'}>
            {integer(length)}
          </text>
        ) : null,
      )}
      <polyline class="unpromoted" points={line(({ unpromoted }) => unpromoted)} />
      <polyline class="promoted" points={line(({ promoted }) => promoted)} />
      <text class="curve" x={x(middle.length) - 6} y={y(middle.unpromoted) + 14} text-anchor="end">
        no promotion
      </text>
      <text class="curve" x={x(last.length) - 6} y={y(last.promoted) + 13} text-anchor="end">
        promoted every 128
      </text>
    </svg>
  );
}

/** What the number formats of the matrix products cost in precision. */
export function Numerics({ numerics }: { readonly numerics: NumericsView }): JSX.Element {
  const { formats, sums, promotion, recipe } = numerics;
  const last = sums?.at(-1);
  return (
    <details class="numerics">
      <summary>
        <span class="label">Precision</span> {recipe}
        {last === undefined ? null : (
          <span class="note">
            {' '}
            · sums of {integer(last.length)} come out {share(last.unpromoted)} low without promotion,{' '}
            {share(last.promoted)} with it
          </span>
        )}
      </summary>
      <div class="numerics-body">
        <table>
          <thead>
            <tr>
              <th scope="col">Operands</th>
              <th scope="col" class="num" title="Root mean square error of normal numbers">
                Error
              </th>
              <th scope="col" class="num" title="Numbers that become zero where a few channels are 50 times as large">
                Lost to outliers
              </th>
            </tr>
          </thead>
          <tbody>
            {formats.map(({ label, own, relative, flushed }) => (
              <tr key={label} class={own ? 'own' : ''}>
                <td>
                  {label}
                  {own ? <span class="note"> this plan</span> : null}
                </td>
                <td class="num">{share(relative)}</td>
                <td class="num">{share(flushed)}</td>
              </tr>
            ))}
          </tbody>
        </table>
        {sums === undefined ? null : (
          <figure>
            <SumChart sums={sums} />
            <figcaption class="note">
              Sum of K positive products on Hopper's FP8 tensor cores against the exact sum; {promotion}.
            </figcaption>
          </figure>
        )}
      </div>
    </details>
  );
}
