import type { CheckpointReport, MemoryReport } from '../engine/memory/report';
import type { TrainingInput } from '../engine/memory/input';
import { estimateServing } from '../engine/memory/serving';
import { estimateTraining } from '../engine/memory/training';
import { checkpoint } from '../engine/model/checkpoint';
import { parameterCounts } from '../engine/model/parameters';
import { buildOrder } from '../engine/schedule/build';
import { UNIT_DURATIONS, completeDurations } from '../engine/schedule/durations';
import type { ScheduleRefusal, Timeline } from '../engine/schedule/order';
import { isRefusal } from '../engine/schedule/refusal';
import { simulate } from '../engine/schedule/simulate';
import type { ScheduleSpec } from '../engine/schedule/spec';
import type { Durations, ScheduleKind } from '../engine/spec/training';
import type { ResolvedPlan } from '../plan/plan';
import { scheduleSpecOf } from '../plan/schedule-spec';

/** Sections that decide the bytes of a state: while one of their values is unknown, so are the bytes. */
const DECISIVE = /^(?:optimizer|precision|recompute|quantization)\./;

/** Memory of every rank class; undefined while model, layout or batch are unknown, or when the engine refuses the sizes. */
export function estimateMemory(resolved: ResolvedPlan): MemoryReport | undefined {
  const { model, layout, cluster, quantization, experts } = resolved;
  if (model === undefined || layout === undefined) return undefined;
  if (resolved.plan.unresolved.some(({ path }) => DECISIVE.test(path))) return undefined;
  const common = { model, layout, quantization, experts, ...(cluster === undefined ? {} : { cluster }) };
  const report = reportOf(resolved, common);
  return report === undefined || report.classes.length === 0 ? undefined : report;
}

function reportOf(
  resolved: ResolvedPlan,
  common: Omit<Parameters<typeof estimateServing>[0], 'serving'>,
): MemoryReport | undefined {
  if (resolved.serving !== undefined) return estimateServing({ ...common, serving: resolved.serving });
  const input = trainingInputOf(resolved);
  return input === undefined ? undefined : estimateTraining(input);
}

/** What the engine computes a training job from; undefined while model, layout or batch are unknown, or for another task. */
export function trainingInputOf(resolved: ResolvedPlan): TrainingInput | undefined {
  const { model, layout, cluster, quantization, experts, batch, precision, optimizer, recompute, pipeline } = resolved;
  if (model === undefined || layout === undefined || batch === undefined) return undefined;
  const { details } = resolved.plan;
  return {
    model,
    layout,
    quantization,
    experts,
    precision,
    optimizer,
    recompute,
    batch,
    pipeline,
    ...(cluster === undefined ? {} : { cluster }),
    ...(details === undefined ? {} : { details }),
  };
}

export interface ParameterTotals {
  readonly total: number;
  readonly active: number;
  readonly checkpoint: CheckpointReport;
}

/** Parameters and checkpoint of the model, where it is known. */
export function parameterTotals({ model, quantization }: ResolvedPlan): ParameterTotals | undefined {
  if (model === undefined) return undefined;
  const counts = parameterCounts(model);
  return { total: counts.total, active: counts.active, checkpoint: checkpoint(model, quantization) };
}

/** Durations that a plan's timeline is drawn with: typed in, or the unit ones. */
export function durationsOf({ pipeline }: ResolvedPlan): { readonly durations: Durations; readonly stated: boolean } {
  return {
    durations: completeDurations(pipeline.durations ?? UNIT_DURATIONS),
    stated: pipeline.durations !== undefined,
  };
}

export interface PlannedTimeline {
  readonly spec: ScheduleSpec;
  readonly durations: Durations;
  readonly timeline: Timeline;
}

/** The simulated schedule of a plan, or why it cannot be built; undefined while layout or batch are unknown. */
export function timelineOf(resolved: ResolvedPlan, kind?: ScheduleKind): PlannedTimeline | ScheduleRefusal | undefined {
  const spec = scheduleSpecOf(resolved, kind);
  if (spec === undefined) return undefined;
  const order = buildOrder(spec);
  if (isRefusal(order)) return order;
  const { durations } = durationsOf(resolved);
  return { spec, durations, timeline: simulate(order, durations) };
}

/** Mean idle share of the makespan over ranks. */
export function meanBubble({ idle, makespan }: Timeline): number {
  if (makespan <= 0 || idle.length === 0) return 0;
  return idle.reduce((sum, value) => sum + value, 0) / idle.length / makespan;
}

const TITLES: Readonly<Record<ScheduleKind, string>> = {
  gpipe: 'GPipe',
  '1f1b': '1F1B',
  interleaved: 'interleaved 1F1B',
  'looped-bfs': 'looped BFS',
  'zb-h1': 'ZB-H1',
  'zb-h2': 'ZB-H2',
  'zb-v': 'ZB-V',
  'v-half': 'V-Half',
  'v-min': 'V-Min',
  dualpipe: 'DualPipe',
  dualpipev: 'DualPipeV',
  '1f1b-ep-overlap': '1F1B with EP overlap',
  'interleaved-torch': 'interleaved 1F1B (torch)',
  'interleaved-zb-torch': 'interleaved zero bubble (torch)',
  'zbv-torch': 'ZBV (torch)',
};

/** The name of a schedule as the field writes it. */
export function scheduleTitle(kind: ScheduleKind): string {
  return TITLES[kind];
}

// Larger schedules are drawn in the panel; a hover must answer in milliseconds.
const SUMMARY_LIMIT = 40_000;

/** Bubble and peak activations for the one-line answers; undefined without a pipeline, when refused, or when too large for a hover. */
export function pipelineSummary(
  resolved: ResolvedPlan,
): { readonly title: string; readonly bubble: number; readonly peakActivations: number } | undefined {
  const { layout, batch } = resolved;
  if (layout === undefined || batch === undefined || layout.pipeline <= 1) return undefined;
  if (layout.pipeline * batch.microbatches * layout.virtualPipeline > SUMMARY_LIMIT) return undefined;
  const planned = timelineOf(resolved);
  if (planned === undefined || isRefusal(planned)) return undefined;
  const { timeline } = planned;
  return {
    title: `${scheduleTitle(resolved.pipeline.kind)} ${layout.pipeline} × ${batch.microbatches}`,
    bubble: meanBubble(timeline),
    peakActivations: Math.max(...timeline.peakActivations),
  };
}
