import type { JSX } from 'preact';
import type { PlacementRequest } from '../../../server/src/protocol/placement';
import type { PlacementModel } from './model';

export interface WhatIfProps {
  readonly model: PlacementModel;
  readonly asked: PlacementRequest;
  /** Why the sizes asked for cannot be. */
  readonly refused: string | undefined;
  readonly onAsk: (change: Readonly<Partial<Record<Field['name'], number | undefined>>>) => void;
}

interface Field {
  readonly name: 'redundant' | 'gpus' | 'nodes';
  readonly label: string;
  readonly value: number;
  readonly least: number;
  readonly step: number;
}

function fieldsOf({ view }: PlacementModel): readonly Field[] {
  // Arrow keys go in steps that leave the slots divisible; any number can be typed.
  const spare = view.slots - view.experts;
  return [
    { name: 'redundant', label: 'redundant experts', value: spare, least: spare % view.gpus, step: view.gpus },
    { name: 'gpus', label: 'GPUs', value: view.gpus, least: view.nodes, step: view.nodes },
    { name: 'nodes', label: 'nodes', value: view.nodes, least: 1, step: 1 },
  ];
}

/** The same experts on other sizes, without a change of the file. */
export function WhatIf({ model, asked, refused, onAsk }: WhatIfProps): JSX.Element {
  const isAsked = asked.redundant !== undefined || asked.gpus !== undefined || asked.nodes !== undefined;
  return (
    <div class="what-if" role="group" aria-label="What if">
      <span class="label">What if</span>
      {fieldsOf(model).map(({ name, label, value, least, step }) => (
        <label key={name}>
          <input
            type="number"
            min={least}
            step={step}
            value={refused === undefined ? value : (asked[name] ?? value)}
            aria-invalid={refused !== undefined && asked[name] !== undefined}
            onChange={(event) => {
              const next = event.currentTarget.valueAsNumber;
              if (Number.isSafeInteger(next) && next >= 0) onAsk({ [name]: next });
            }}
          />{' '}
          {label}
        </label>
      ))}
      {isAsked ? (
        <button
          type="button"
          class="link"
          onClick={() => onAsk({ redundant: undefined, gpus: undefined, nodes: undefined })}
        >
          As in the file
        </button>
      ) : null}
      {refused === undefined ? null : (
        <p class="refused" role="alert">
          {refused} The picture is the last one that could be made.
        </p>
      )}
    </div>
  );
}
