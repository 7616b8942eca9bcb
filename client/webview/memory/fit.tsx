import type { JSX } from 'preact';
import type { SourceLink } from '../../../server/src/protocol/common';
import type { FitOptionView, MemoryView } from '../../../server/src/protocol/memory';
import { gib, integer } from '../kit/format';

/** `+4.1 %`, `−2 %`: what a change does to the time of a step. */
export function stepText(change: number): string {
  const percent = 100 * change;
  const digits = Math.abs(percent) < 10 ? 1 : 0;
  const amount = Math.abs(percent).toFixed(digits);
  return Number(amount) === 0 ? 'step unchanged' : `step ${percent > 0 ? '+' : '−'}${amount} %`;
}

function signed(bytes: number): string {
  return `${bytes < 0 ? '−' : ''}${gib(Math.abs(bytes))}`;
}

function titleOf(view: MemoryView, options: readonly FitOptionView[]): string {
  const over = view.gpu !== undefined && view.peak.bytes > view.gpu.capacityBytes;
  if (over && !options.some(({ fits }) => fits === true)) return 'No single change makes it fit; best';
  if (over) return 'What would make it fit';
  return view.task === 'serving' ? 'What would give more room' : 'What would save memory';
}

function gainText({ saved, moreTokens = 0 }: FitOptionView): string {
  return moreTokens > 0 ? `${integer(moreTokens)} tokens more` : `${signed(saved)} GiB less`;
}

interface FitProps {
  readonly view: MemoryView;
  readonly options: readonly FitOptionView[];
  readonly onReveal: (link: SourceLink) => void;
}

/** Single changes with the bytes that they save and what they cost; open where the plan does not fit. */
export function Fit({ view, options, onReveal }: FitProps): JSX.Element | null {
  const [best] = options;
  if (best === undefined) return null;
  const over = view.gpu !== undefined && view.peak.bytes > view.gpu.capacityBytes;
  const serving = view.task === 'serving';
  return (
    <details class="fit" open={over}>
      <summary>
        <span class="label">{titleOf(view, options)}</span>{' '}
        <span class="note">
          {best.name} {best.from} → {best.to}: {gainText(best)}
          {options.length > 1 ? `, and ${options.length - 1} more` : ''}
        </span>
      </summary>
      <table>
        <thead>
          <tr>
            <th scope="col">Change</th>
            <th scope="col" class="num">
              Saves GiB
            </th>
            <th scope="col" class="num">
              Fullest rank
            </th>
            {serving ? (
              <th scope="col" class="num">
                Cache tokens
              </th>
            ) : null}
            <th scope="col">Costs</th>
          </tr>
        </thead>
        <tbody>
          {options.map((option) => (
            <Row key={`${option.name} ${option.to}`} option={option} serving={serving} onReveal={onReveal} />
          ))}
        </tbody>
      </table>
    </details>
  );
}

interface RowProps {
  readonly option: FitOptionView;
  readonly serving: boolean;
  readonly onReveal: (link: SourceLink) => void;
}

function Row({ option, serving, onReveal }: RowProps): JSX.Element {
  const { name, from, to, bytes, saved, fits, cost, stepChange, tokens, link } = option;
  const change = `${name} ${from} → ${to}`;
  return (
    <tr>
      <td>
        {link === undefined ? (
          change
        ) : (
          <button type="button" class="link" title={`Show ${link.label} in the file`} onClick={() => onReveal(link)}>
            {change}
          </button>
        )}
      </td>
      <td class="num strong">{signed(saved)}</td>
      <td class="num">
        {gib(bytes)}
        {fits === undefined ? '' : fits ? ' fits' : ' too much'}
      </td>
      {serving ? <td class="num strong">{tokens === undefined ? '' : integer(tokens)}</td> : null}
      <td>
        {stepChange === undefined ? '' : `${stepText(stepChange)}; `}
        {cost}
      </td>
    </tr>
  );
}
