import type { JSX } from 'preact';
import type { OverlapPhase, OverlapView } from '../../../server/src/protocol/timeline';
import { percent, short } from '../kit/format';

const WIDTH = 1240;
const LEFT = 64;
const ROW = 24;
const GAP = 6;
const TOP = 4;

function phaseClass({ label, lane, half }: OverlapPhase): string {
  return `${lane === 'compute' ? 'compute' : 'comm'} ${label.endsWith('(W)') ? 'weight' : half}`;
}

/** The longest spelling that fits a box: `DISPATCH(F)`, `DISP F`, `D`; empty where none does. */
function shortest(label: string, width: number): string {
  const [name = '', pass = ''] = label.split(/[()]/);
  const spellings = [label, `${name.slice(0, 4)} ${pass}`.trim(), name.slice(0, 1) + pass.toLowerCase()];
  return spellings.find((spelling) => fits(spelling, width)) ?? '';
}

/** Whether a name fits a box of this width, at eleven pixels. */
function fits(label: string, width: number): boolean {
  return label.length * 6.4 + 6 <= width;
}

/** The inside of one overlapped block: what computes above, what communicates below, each phase of forward and backward by name. */
export function OverlapLanes({ overlap, unit }: { readonly overlap: OverlapView; readonly unit: string }): JSX.Element {
  const scale = (WIDTH - LEFT - 4) / Math.max(overlap.makespan, 1e-9);
  const time = (value: number): string => (unit === 'ms' ? `${short(value)} ms` : short(value));
  const label = overlap.phases
    .map(({ label: name, lane, start, end }) => `${name} (${lane}) ${time(start)} to ${time(end)}`)
    .join(', ');
  const exposed = overlap.makespan > 0 ? overlap.exposed / overlap.makespan : 0;
  return (
    <div class="overlap">
      <h2>Inside one overlapped block of stage {overlap.stage}</h2>
      <div class="strip" tabIndex={0} role="group" aria-label="Lanes of the block">
        <svg viewBox={`0 0 ${WIDTH} ${2 * (ROW + GAP) + TOP + 16}`} role="img" aria-label={label}>
          {(['compute', 'communication'] as const).map((lane, row) => (
            <text key={lane} x={LEFT - 8} y={TOP + row * (ROW + GAP) + ROW / 2 + 4} text-anchor="end">
              {lane === 'compute' ? lane : 'exchange'}
            </text>
          ))}
          {overlap.phases.map((phase) => {
            const x = LEFT + phase.start * scale;
            const width = Math.max(0.5, (phase.end - phase.start) * scale - 1);
            const y = TOP + (phase.lane === 'compute' ? 0 : ROW + GAP);
            return (
              <g key={`${phase.label}${phase.half}${phase.start}`} class={phaseClass(phase)}>
                <rect x={x} y={y} width={width} height={ROW} />
                <text x={x + width / 2} y={y + ROW / 2 + 4} text-anchor="middle">
                  {shortest(phase.label, width)}
                </text>
                <title>
                  {phase.label}: {time(phase.start)} – {time(phase.end)}
                </title>
              </g>
            );
          })}
          <text x={LEFT} y={TOP + 2 * (ROW + GAP) + 10}>
            0
          </text>
          <text x={WIDTH - 4} y={TOP + 2 * (ROW + GAP) + 10} text-anchor="end">
            {time(overlap.makespan)}
          </text>
        </svg>
      </div>
      <p class="note">
        {overlap.basis}; {percent(exposed)} of the block is communication that no compute hides. Where names do not fit:
        A attention, M MLP, D dispatch, C combine, P pipeline transfer; f forward, b backward, w backward for weight.
      </p>
    </div>
  );
}
