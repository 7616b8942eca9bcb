import type { ResolvedPlan } from '../../plan/plan';
import { scheduleTitle } from '../schedule/planned';
import { bytes, count, percent, seconds } from '../format';
import type { Advised, Answer } from './advise';

/** `TP 1 · PP 16 (DualPipe) · EP 64 · DP 128 · ZeRO-1 · microbatch 1 · recompute selective`: only what says something. */
export function layoutText({ choice, data }: Answer): string {
  const { tensor, pipeline, virtual, context, expert, expertTensor, zero, kind, microBatch, recompute, gpus } = choice;
  const parts = [
    `${count(gpus)} GPUs`,
    `TP ${tensor}`,
    pipeline > 1 ? `PP ${pipeline}${virtual > 1 ? ` × ${virtual}` : ''} (${scheduleTitle(kind)})` : 'no pipeline',
    ...(context > 1 ? [`CP ${context}`] : []),
    ...(expert > 1 ? [`EP ${expert}${expertTensor > 1 ? `, ETP ${expertTensor}` : ''}`] : []),
    `DP ${count(data)}`,
    `ZeRO-${zero}`,
    `microbatch ${microBatch}`,
    `recompute ${recompute.granularity}`,
  ];
  return parts.join(' · ');
}

function signed(value: number): string {
  const text = percent(Math.abs(value));
  return value < 0 ? `−${text}` : `+${text}`;
}

/** `16.3 s a step (−2.3 %), 78.7 GiB (+11.8 %)`. */
export function costText({ seconds: time, bytes: size, gain }: Answer & Pick<Partial<Advised>, 'gain'>): string {
  const from = (share: number | undefined): string => (share === undefined ? '' : ` (${signed(share)})`);
  return `${seconds(time)} a step${from(gain?.time)}, ${bytes(size)} on the fullest rank${from(gain?.memory)}`;
}

/** The words of a plan field as its file spells it. */
export function labelOf({ plan }: ResolvedPlan, field: string): string {
  const [section = '', key = ''] = field.split('.');
  const values = (
    plan as unknown as Readonly<Record<string, Readonly<Record<string, { label?: string } | undefined>>>>
  )[section];
  return values?.[key]?.label ?? field;
}
