import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { WhatIfField, WhatIfRow, WhatIfValue, WhatIfView } from '../../../server/src/protocol/what-if';
import { integer } from './format';
import type { Host } from './host';
import './what-if.css';

export type TrialValues = Readonly<Record<string, WhatIfValue>>;

/** A drag asks once it rests for a moment, and at last when it ends. */
const REST_MS = 60;

function shown(value: WhatIfValue): string {
  return typeof value === 'number' && Number.isInteger(value) ? integer(value) : String(value);
}

interface FieldProps {
  readonly field: WhatIfField;
  readonly value: WhatIfValue;
  readonly onChange: (value: WhatIfValue) => void;
}

/** A slider over numbers, a list of words. */
function Field({ field, value, onChange }: FieldProps): JSX.Element {
  const { choices, label, own } = field;
  const id = `what-if-${field.field.replace('.', '-')}`;
  const changed = value !== own;
  const words = choices.some((choice) => typeof choice === 'string');
  return (
    <div class={changed ? 'trial-field changed' : 'trial-field'}>
      <label for={id}>{label}</label>
      {words ? (
        <select id={id} value={String(value)} onChange={(event) => onChange(event.currentTarget.value)}>
          {choices.map((choice) => (
            <option key={choice} value={String(choice)}>
              {choice}
            </option>
          ))}
        </select>
      ) : (
        <input
          id={id}
          type="range"
          min={0}
          max={choices.length - 1}
          step={1}
          value={Math.max(0, choices.indexOf(value))}
          aria-valuetext={shown(value)}
          onInput={(event) => {
            const next = choices[Number(event.currentTarget.value)];
            if (next !== undefined) onChange(next);
          }}
        />
      )}
      <output for={id}>
        {words ? null : shown(value)}
        {changed ? <span class="note"> now {shown(own)}</span> : null}
      </output>
    </div>
  );
}

function Rows({ rows }: { readonly rows: readonly WhatIfRow[] }): JSX.Element {
  return (
    <table>
      <thead>
        <tr>
          <th scope="col">What it brings</th>
          <th scope="col" class="num">
            Now
          </th>
          <th scope="col" class="num">
            Then
          </th>
          <th scope="col" class="num">
            Change
          </th>
        </tr>
      </thead>
      <tbody>
        {rows.map(({ label, before, after, change, tone }) => (
          <tr key={label}>
            <th scope="row">{label}</th>
            <td class="num">{before}</td>
            <td class="num">{after}</td>
            <td class={tone === undefined ? 'num' : `num ${tone}`}>{change}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** What the host knows of the values tried; asks again when the values or the file change, while the section is open. */
function useTrial(host: Host, open: boolean, version: number, values: TrialValues): WhatIfView | undefined {
  const [view, setView] = useState<WhatIfView | undefined>(undefined);
  const timer = useRef(0);
  useEffect(
    () =>
      host.listen((message) => {
        if (message.type === 'whatIf') setView('empty' in message.answer ? undefined : message.answer);
      }),
    [host],
  );
  useEffect(() => {
    if (!open) return undefined;
    timer.current = window.setTimeout(() => host.post({ type: 'whatIf', values }), REST_MS);
    return () => clearTimeout(timer.current);
  }, [host, open, version, values]);
  return view;
}

interface WhatIfProps {
  readonly host: Host;
  /** Version of the text that the panel shows. */
  readonly version: number;
  /** A panel whose picture follows what is tried hears of it; of nothing tried as an empty object. */
  readonly onValues?: (values: TrialValues) => void;
  /** Why the picture could not follow. */
  readonly notDrawn?: string | undefined;
}

/** Values to play with: the numbers follow at once, and nothing is written before a person says so. */
export function WhatIf({ host, version, onValues, notDrawn }: WhatIfProps): JSX.Element {
  const [open, setOpen] = useState(false);
  const [values, keepValues] = useState<TrialValues>({});
  const setValues = (next: TrialValues): void => {
    keepValues(next);
    onValues?.(next);
  };
  const view = useTrial(host, open, version, values);
  const fields = view?.fields ?? [];
  const valueOf = (field: WhatIfField): WhatIfValue => values[field.field] ?? field.value;
  const changed = fields.some((field) => valueOf(field) !== field.own);
  const { edits } = view ?? {};
  const write = (): void => {
    if (view === undefined || edits === undefined) return;
    host.post({ type: 'apply', view: { version: view.version, edits } });
    setValues({});
  };
  return (
    <details class="trial" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>
        <span class="label">What if</span>{' '}
        <span class="note">
          {onValues !== undefined && changed
            ? 'drawn as tried; nothing is written yet'
            : 'try other values, and write them when they are better'}
        </span>
      </summary>
      <div class="trial-body">
        <div class="trial-fields">
          {fields.map((field) => (
            <Field
              key={field.field}
              field={field}
              value={valueOf(field)}
              onChange={(value) => setValues({ ...values, [field.field]: value })}
            />
          ))}
          <div class="trial-buttons">
            <button type="button" class="plain" disabled={edits === undefined} onClick={write}>
              Write to file
            </button>
            <button type="button" class="plain" disabled={!changed} onClick={() => setValues({})}>
              Reset
            </button>
          </div>
        </div>
        <div aria-live="polite">
          {view?.refusal === undefined && notDrawn === undefined ? null : (
            <p class="bad">{view?.refusal ?? notDrawn}</p>
          )}
          {view === undefined ? null : <Rows rows={view.rows} />}
          {changed && edits === undefined && view?.refusal === undefined ? (
            <p class="note">The file has no place for all of these values; write them by hand.</p>
          ) : null}
        </div>
      </div>
    </details>
  );
}
