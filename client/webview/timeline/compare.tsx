import type { JSX } from 'preact';
import type { TimelineView } from '../../../server/src/protocol/timeline';
import { Tool } from '../kit/chrome';
import { percent } from '../kit/format';
import { timeText } from './describe';
import type { Extras } from './extras';
import { kindTitle } from './head';
import type { TimelineModel } from './model';

export interface ComparePickerProps {
  readonly view: TimelineView;
  readonly extras: Extras;
}

/** Puts a second schedule on the same axis: this file under another schedule, or another file. */
export function ComparePicker({ view, extras }: ComparePickerProps): JSX.Element {
  return (
    <select
      aria-label="Compare with"
      title="Compare with another schedule, or another file"
      value=""
      onChange={(event) => {
        const { value } = event.currentTarget;
        event.currentTarget.value = '';
        if (value === 'file') extras.compare('file');
        else if (value === 'end') extras.compare(undefined);
        else if (value !== '') extras.compare({ kind: value });
      }}
    >
      <option value="" selected>
        Compare …
      </option>
      {extras.compared === undefined ? null : <option value="end">End the comparison</option>}
      <option value="file">Another file …</option>
      {(view.kinds ?? []).map((kind) => (
        <option key={kind} value={kind}>
          {kindTitle(kind)}
        </option>
      ))}
    </select>
  );
}

interface CompareHeadProps {
  readonly model: TimelineModel;
  /** Another file's name; empty for this one. */
  readonly label: string;
  /** Given for the second picture, which can be closed. */
  readonly extras: Extras | undefined;
  readonly base: TimelineModel;
}

/** `1F1B 16 × 120 · 27,900 ms (+54.9 %) · bubble 12.1 %` over one of two pictures. */
export function CompareHead({ model, label, extras, base }: CompareHeadProps): JSX.Element {
  const { kind, ranks, microbatches, chunks, makespan, bubble, unit } = model.view;
  const comparable = unit === base.view.unit && base.view.makespan > 0;
  const change = comparable ? makespan / base.view.makespan - 1 : 0;
  const sign = change < 0 ? '−' : '+';
  return (
    <p class="compare-head">
      <strong>
        {label === '' ? '' : `${label}: `}
        {kindTitle(kind)} {ranks} × {microbatches}
        {chunks > 1 ? `, ${chunks} chunks a rank` : ''}
      </strong>{' '}
      {timeText(model, makespan)}
      {extras === undefined ? '' : comparable ? ` (${sign}${percent(Math.abs(change))})` : ' (another unit)'} · bubble{' '}
      {percent(bubble)}
      {extras === undefined ? null : (
        <Tool icon="close" label="End the comparison" onClick={() => extras.compare(undefined)} />
      )}
    </p>
  );
}

/** What could not be had, and what a measured run says against the plan. */
export function Notices({ extras }: { readonly extras: Extras }): JSX.Element | null {
  const { measured, refusal } = extras;
  const run = measured === undefined || 'empty' in measured ? undefined : measured;
  if (run === undefined && refusal === undefined) return null;
  return (
    <div role="status">
      {refusal === undefined ? null : <p class="stale">{refusal}</p>}
      {run === undefined ? null : (
        <p class="stale">
          <span class="badge">Measured</span> {run.fileName}, in the lower part of every row. {run.notes.join(' ')}
          <Tool icon="close" label="Take the measured run away" onClick={extras.dropMeasured} />
        </p>
      )}
    </div>
  );
}
