import type { JSX } from 'preact';
import type { KnobView, TimelineExplanation } from '../../../server/src/protocol/timeline';
import { gib, percent, short } from '../kit/format';
import { timeText } from './describe';
import type { Extras } from './extras';
import type { TimelineModel } from './model';
import { OverlapLanes } from './overlap';

interface Share {
  readonly label: string;
  readonly value: number;
  /** Class of the mark: it carries colour and hatch. */
  readonly mark: string;
}

interface BarProps {
  readonly title: string;
  readonly shares: readonly Share[];
  readonly whole: number;
  readonly text: (value: number) => string;
}

/** One bar of shares with a legend that holds the numbers, so that no colour has to be told apart. */
function ShareBar({ title, shares, whole, text }: BarProps): JSX.Element | null {
  const shown = shares.filter(({ value }) => value > whole * 1e-6);
  if (!(whole > 0) || shown.length === 0) return null;
  const widths = shown.map(({ value }) => (100 * value) / whole);
  const label = `${title}: ${shown.map((share) => `${share.label} ${percent(share.value / whole)}`).join(', ')}`;
  return (
    <div class="shares">
      <h2>{title}</h2>
      <svg viewBox="0 0 100 6" preserveAspectRatio="none" role="img" aria-label={label}>
        {shown.map((share, at) => (
          <rect
            key={share.label}
            class={share.mark}
            x={widths.slice(0, at).reduce((sum, width) => sum + width, 0)}
            y="0"
            width={Math.max(0.2, (widths[at] ?? 0) - 0.25)}
            height="6"
          />
        ))}
      </svg>
      <ul>
        {shown.map((share) => (
          <li key={share.label}>
            <svg class="dot" viewBox="0 0 10 10" aria-hidden="true">
              <rect class={share.mark} width="10" height="10" />
            </svg>
            {share.label} <span class="value">{percent(share.value / whole)}</span>{' '}
            <span class="note">{text(share.value)}</span>
          </li>
        ))}
      </ul>
    </div>
  );
}

function idleShares({ idle }: TimelineExplanation): readonly Share[] {
  return [
    { label: 'waits for activations', value: idle.activation, mark: 'm1' },
    { label: 'waits for gradients', value: idle.gradient, mark: 'm2' },
    { label: 'waits for transfers', value: idle.transfer, mark: 'm3' },
    { label: 'done, waits for the last rank', value: idle.done, mark: 'm4' },
  ];
}

function chainShares({ critical }: TimelineExplanation): readonly Share[] {
  const names = ['F', 'B', 'I', 'W', 'F&B'];
  return [
    ...names.map((label, op) => ({ label, value: critical.byOp[op] ?? 0, mark: `op${op}` })),
    { label: 'transfers', value: critical.transfers, mark: 'm3' },
    { label: 'blocking calls', value: critical.waits, mark: 'm4' },
  ];
}

function signed(value: number, text: string): string {
  return `${value < 0 ? '−' : '+'}${text.replace(/^-/, '')}`;
}

/** `−6.1 % step, +0.9 GiB`; the time of a sample where the batch itself changes. */
export function effectText(
  stepChange: number,
  bytesChange: number | undefined,
  fits: boolean | undefined,
  of = 'step',
): string {
  const step = signed(stepChange, `${percent(Math.abs(stepChange))} ${of}`);
  const bytes = bytesChange === undefined ? '' : `, ${signed(bytesChange, `${gib(Math.abs(bytesChange))} GiB`)}`;
  return `${step}${bytes}${fits === false ? ', does not fit' : ''}`;
}

/** Overlapped blocks take less time than their passes one by one, so a step can be shorter than its work. */
function overWorkText(share: number): string {
  return share < 0 ? `−${percent(-share)}: overlapped blocks save more than idle time costs` : percent(share);
}

/** Steps in a row, with and without a barrier between them. */
function stepsText({ steps }: TimelineExplanation, text: (value: number) => string): string | undefined {
  if (steps === undefined) return undefined;
  const tails = steps.timed ? ', gradient reduction and optimizer included' : '';
  return `Steps in a row take ${text(steps.barrier)} each with a barrier before the optimizer, ${text(steps.postValidation)} with post-validation${tails}.`;
}

/** `, −1.5 activations`, for plans whose bytes are not known. */
function activationsText(change: number): string {
  return Math.abs(change) < 0.05 ? '' : `, ${signed(change, short(Math.abs(change), 1))} activations`;
}

interface KnobsProps {
  readonly extras: Extras;
  readonly steps: string | undefined;
}

const SHOWN_KNOBS = 8;

/** What one change of one knob brings, by running the changed schedule; each can be laid beside the file's own. */
function Knobs({ extras, steps }: KnobsProps): JSX.Element {
  const { sweep, sweeping } = extras;
  const knobs: readonly KnobView[] = sweep === undefined || 'empty' in sweep ? [] : sweep.knobs;
  return (
    <div class="knobs">
      <h2>What one change brings</h2>
      {sweep === undefined ? (
        <p>
          {sweeping ? 'Trying schedules … ' : ''}
          <button type="button" class="plain" onClick={sweeping ? extras.stopSweep : extras.askSweep}>
            {sweeping ? 'Stop' : 'Try every knob'}
          </button>
        </p>
      ) : null}
      {sweep !== undefined && 'empty' in sweep ? <p>{sweep.reason}</p> : null}
      {knobs.length > 0 ? (
        <table>
          <tbody>
            {knobs.slice(0, SHOWN_KNOBS).map((knob) => (
              <tr key={`${knob.knob}${knob.text}`}>
                <td class="note">{knob.knob}</td>
                <td>
                  <button
                    type="button"
                    class="link"
                    title="Show it beside the file’s own schedule"
                    onClick={() => extras.compare(knob.ask)}
                  >
                    {knob.text}
                  </button>
                </td>
                <td>
                  {effectText(
                    knob.stepChange,
                    knob.bytesChange,
                    knob.fits,
                    knob.perSample === true ? 'a sample' : 'step',
                  )}
                  {knob.bytesChange === undefined ? activationsText(knob.activationsChange) : ''}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      ) : null}
      {steps === undefined ? null : <p class="note">{steps}</p>}
    </div>
  );
}

export interface WhyProps {
  readonly model: TimelineModel;
  readonly extras: Extras;
  readonly critical: boolean;
  readonly onCritical: (on: boolean) => void;
}

/** Why the step takes as long as it does: what idle time waits for, the chain that decides the end, and what would shorten it. */
export function Why({ model, extras, critical, onCritical }: WhyProps): JSX.Element {
  const { explanation, overlap, makespan, unit } = model.view;
  if (explanation === undefined) return <p class="side">The schedule cannot finish, so nothing decides its end.</p>;
  const { idle, bubbles, critical: chain } = explanation;
  const whole = idle.activation + idle.gradient + idle.transfer + idle.done;
  const text = (value: number): string => timeText(model, value);
  return (
    <section class="side why" aria-label="Why the step takes as long as it does">
      <div>
        <ShareBar title="Idle time of all ranks" shares={idleShares(explanation)} whole={whole} text={text} />
        <p class="note">
          {whole > 0
            ? `Warm-up ${percent(idle.warmup / whole)}, steady ${percent(idle.steady / whole)}, cool-down ${percent(idle.cooldown / whole)}. `
            : 'No rank is ever idle. '}
          Three numbers are called bubble: idle share {percent(bubbles.idleShare)}, span idle {text(bubbles.spanIdle)}{' '}
          (no barrier at the end), over work {overWorkText(bubbles.overWork)}.
        </p>
      </div>
      <div>
        <ShareBar
          title="The chain that decides the end"
          shares={chainShares(explanation)}
          whole={makespan}
          text={text}
        />
        <p class="note">
          {percent(chain.rankShare)} of it on rank {chain.rank}, {chain.hops} hops between ranks.{' '}
          <label>
            <input type="checkbox" checked={critical} onChange={(event) => onCritical(event.currentTarget.checked)} />{' '}
            mark it in the picture
          </label>
        </p>
      </div>
      <Knobs extras={extras} steps={stepsText(explanation, text)} />
      {overlap === undefined ? null : <OverlapLanes overlap={overlap} unit={unit} />}
    </section>
  );
}
