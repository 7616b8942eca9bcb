import { criticalPath } from '../../engine/schedule/critical-path';
import { idleReasons } from '../../engine/schedule/explain';
import { isRefusal } from '../../engine/schedule/refusal';
import type { ResolvedPlan } from '../../plan/plan';
import { percent, plural, seconds } from '../format';
import { pipelineSummary, timelineOf, type PlannedTimeline } from './planned';
import { switchLine } from './switch';

function idleLine({ timeline }: PlannedTimeline): string | undefined {
  const { byCause = [] } = idleReasons(timeline) ?? {};
  const whole = byCause.reduce((sum, value) => sum + value, 0);
  if (!(whole > 0)) return undefined;
  const names = ['for activations', 'for gradients', 'for transfers', 'for the last rank to end'];
  const parts = names
    .map((name, cause) => ({ name, share: (byCause[cause] ?? 0) / whole }))
    .filter(({ share }) => share >= 0.005)
    .map(({ name, share }) => `${percent(share)} ${name}`);
  return `Idle ranks wait ${parts.join(', ')}`;
}

function chainLine({ timeline, times }: PlannedTimeline): string | undefined {
  const path = criticalPath(timeline);
  if (path === undefined || timeline.makespan <= 0) return undefined;
  const names = ['F', 'B', 'I', 'W', 'F&B'];
  const parts = [
    ...path.byOp.map((value, op) => ({ name: names[op] ?? '', value })),
    { name: 'transfers', value: path.transfers },
  ]
    .filter(({ value }) => value / timeline.makespan >= 0.005)
    .map(({ name, value }) => `${name} ${percent(value / timeline.makespan)}`);
  const time = times.origin === 'model' ? ` of ${seconds(timeline.makespan / 1000)}` : '';
  return `Decided by a chain${time}: ${parts.join(', ')}; ${plural(path.hops, 'hop')} between ranks`;
}

/** How durations were come by, where it is not plain. */
function timesLine({ times, timeline }: PlannedTimeline): string | undefined {
  if (times.origin === 'stated')
    return `By the durations of the file the schedule takes ${seconds(timeline.makespan / 1000)}: bubble and shares are theirs, the step below is the cost model's`;
  if (times.origin === 'unit') return 'Durations are units (F = 1): name model and GPU for times of the cost model';
  return times.origin === 'model' ? `Durations by the cost model of ${times.basis ?? 'this plan'}` : undefined;
}

const known = new WeakMap<PlannedTimeline, readonly (string | undefined)[]>();

/** The lines that hold for the whole schedule, written once a version of the document. */
function wholeLines(planned: PlannedTimeline): readonly (string | undefined)[] {
  const lines = known.get(planned) ?? [idleLine(planned), chainLine(planned), timesLine(planned)];
  known.set(planned, lines);
  return lines;
}

/** What the schedule's keys say beyond the bubble: why ranks idle, what decides the end and, on the kind itself, what others would bring. */
export function scheduleAnswers(resolved: ResolvedPlan, field: string): string[] {
  if (pipelineSummary(resolved) === undefined) return [];
  const planned = timelineOf(resolved);
  if (planned === undefined || isRefusal(planned)) return [];
  const lines = [...wholeLines(planned), field === 'pipeline.kind' ? switchLine(resolved) : undefined];
  return lines.filter((line): line is string => line !== undefined);
}
