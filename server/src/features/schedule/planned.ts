import { machineOf } from '../../engine/cost/rates';
import { planDurations, type RankTail } from '../../engine/cost/training-step';
import { refuseTraining } from '../../engine/memory/input';
import { bubbleShare } from '../../engine/schedule/bubble';
import { buildOrder } from '../../engine/schedule/build';
import {
  completeDurations,
  invalidDuration,
  UNIT_DURATIONS,
  type DurationsInput,
} from '../../engine/schedule/durations';
import type { ScheduleRefusal, Timeline } from '../../engine/schedule/order';
import { isRefusal } from '../../engine/schedule/refusal';
import { meanDurations, passesPerRank, scaleDurations } from '../../engine/schedule/scale';
import { simulate } from '../../engine/schedule/simulate';
import type { ScheduleSpec } from '../../engine/schedule/spec';
import type { Durations, ScheduleKind } from '../../engine/spec/training';
import type { ResolvedPlan } from '../../plan/plan';
import { scheduleSpecOf } from '../../plan/schedule-spec';
import { trainingInputOf } from '../estimates';
import { drawnChunks, planUnder, type ScheduleAsk } from './variant';

/** Where durations come from: typed in, computed for the plan's model and GPU, or one unit a pass. */
export type DurationOrigin = 'stated' | 'model' | 'unit';

/** Durations of a plan's passes. Milliseconds, except for `unit`, where F = 1. */
export interface PlanTimes {
  readonly durations: DurationsInput;
  /** Mean over stages, for one line of text. */
  readonly mean: Durations;
  readonly origin: DurationOrigin;
  /** What they were computed for: `DeepSeek-V3 on H800`. */
  readonly basis?: string;
  /** What each rank does after its last pass, milliseconds; only from the cost model. */
  readonly tails?: readonly RankTail[];
}

/** Durations by the cost model, where the plan names model and GPU; an assumed GPU times nothing. */
function modelledTimes(asked: ResolvedPlan): PlanTimes | undefined {
  if (asked.layout === undefined) return undefined;
  const chunked = asked.layout.virtualPipeline > 1 || drawnChunks(asked) === 1;
  const layout = chunked ? asked.layout : { ...asked.layout, virtualPipeline: drawnChunks(asked) };
  const resolved = { ...asked, layout };
  const { model, cluster, plan } = resolved;
  if (model === undefined || cluster === undefined || (plan.cluster.gpu?.origin ?? 'assumed') === 'assumed')
    return undefined;
  const input = trainingInputOf(resolved);
  if (input === undefined || refuseTraining(input).length > 0) return undefined;
  const machine = machineOf(cluster, asked.calibration?.());
  if ('missing' in machine) return undefined;
  const { stages, tails } = planDurations(input, machine);
  if (invalidDuration(stages) !== undefined || stages.F.length === 0) return undefined;
  const durations = scaleDurations(stages, 1000, 1000);
  return {
    durations,
    mean: meanDurations(durations),
    origin: 'model',
    basis: `${model.name} on ${cluster.gpu}`,
    tails: tails.map(({ data, optimizer }) => ({ data: data * 1000, optimizer: optimizer * 1000 })),
  };
}

/** How much longer one pass of another schedule is: the same work cut into other passes, of microbatches of another size. */
export function passFactor(own: ResolvedPlan, asked: ResolvedPlan): number {
  const pieces = (plan: ResolvedPlan): number => passesPerRank(plan.pipeline.kind, drawnChunks(plan));
  const size = (asked.batch?.microBatch ?? 1) / (own.batch?.microBatch ?? 1);
  return (size * pieces(own)) / pieces(asked);
}

/** Durations of the file's own schedule, cut to the passes of the one asked for. */
function scaledTimes(
  own: ResolvedPlan,
  asked: ResolvedPlan,
  durations: DurationsInput,
  origin: DurationOrigin,
): PlanTimes {
  const size = (asked.batch?.microBatch ?? 1) / (own.batch?.microBatch ?? 1);
  const factor = passFactor(own, asked);
  const scaled = factor === 1 ? durations : scaleDurations(durations, factor, size);
  return { durations: scaled, mean: meanDurations(scaled), origin };
}

/**
 * Durations that a plan's timeline is drawn with. Typed-in ones win, the cost model comes next, units last. They belong to the
 * file's own schedule: another one gets the same work cut into its own passes. Units of a picture on its own stay F = 1, as
 * papers draw every schedule; `sameWork` cuts them too, so that two schedules can be compared.
 */
export function planTimes(own: ResolvedPlan, ask: ScheduleAsk = {}, sameWork = false): PlanTimes {
  const asked = planUnder(own, ask);
  const stated = own.pipeline.durations;
  if (stated !== undefined) return scaledTimes(own, asked, completeDurations(stated), 'stated');
  const units: PlanTimes = { durations: UNIT_DURATIONS, mean: UNIT_DURATIONS, origin: 'unit' };
  return modelledTimes(asked) ?? (sameWork ? scaledTimes(own, asked, UNIT_DURATIONS, 'unit') : units);
}

export interface PlannedTimeline {
  /** What the order was built from; absent for an order read from a file. */
  readonly spec?: ScheduleSpec;
  readonly times: PlanTimes;
  readonly timeline: Timeline;
}

function simulated(
  resolved: ResolvedPlan,
  ask: ScheduleAsk,
  sameWork: boolean,
): PlannedTimeline | ScheduleRefusal | undefined {
  const asked = planUnder(resolved, ask);
  const spec = scheduleSpecOf(asked);
  if (spec === undefined) return undefined;
  const times = planTimes(resolved, ask, sameWork);
  const timed: ScheduleSpec = { ...spec, durations: times.durations };
  const order = buildOrder(timed);
  if (isRefusal(order)) return order;
  return { spec: timed, times, timeline: simulate(order, times.durations) };
}

const own = new WeakMap<ResolvedPlan, { readonly answer: ReturnType<typeof simulated> }>();

/**
 * The simulated schedule of a plan, or why it cannot be built; undefined while layout or batch are unknown. The file's own
 * schedule is kept with its plan, which lives as long as its version of the document: hovers, lenses and panels ask for it.
 */
export function timelineOf(
  resolved: ResolvedPlan,
  ask: ScheduleAsk = {},
  sameWork = false,
): PlannedTimeline | ScheduleRefusal | undefined {
  if (planUnder(resolved, ask) !== resolved) return simulated(resolved, ask, sameWork);
  const known = own.get(resolved) ?? { answer: simulated(resolved, {}, false) };
  own.set(resolved, known);
  return known.answer;
}

/** Seconds that the schedule takes by durations typed into the file; undefined where none are, or where it is too large to wait for. */
export function typedSeconds(resolved: ResolvedPlan): number | undefined {
  if (resolved.pipeline.durations === undefined || (resolved.layout?.pipeline ?? 1) <= 1 || !isQuick(resolved))
    return undefined;
  const planned = timelineOf(resolved);
  return planned === undefined || isRefusal(planned) ? undefined : planned.timeline.makespan / 1000;
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

/** True where a schedule may be simulated while somebody waits for a hover. */
export function isQuick({ layout, batch }: ResolvedPlan): boolean {
  return (
    layout !== undefined &&
    batch !== undefined &&
    layout.pipeline * batch.microbatches * layout.virtualPipeline <= SUMMARY_LIMIT
  );
}

export interface PipelineSummary {
  readonly title: string;
  readonly bubble: number;
  readonly peakActivations: number;
  readonly origin: DurationOrigin;
}

/** Bubble and peak activations for the one-line answers; undefined without a pipeline, when refused, or when too large for a hover. */
export function pipelineSummary(resolved: ResolvedPlan): PipelineSummary | undefined {
  const { layout, batch, plan } = resolved;
  if (layout === undefined || batch === undefined || layout.pipeline <= 1 || !isQuick(resolved)) return undefined;
  // A torchtitan job always has a schedule; where it is not known, a file holds it, and a guess would be wrong.
  if (plan.dialect === 'torchtitan' && plan.pipeline.kind === undefined) return undefined;
  const planned = timelineOf(resolved);
  if (planned === undefined || isRefusal(planned)) return undefined;
  const { timeline, times } = planned;
  return {
    title: `${scheduleTitle(resolved.pipeline.kind)} ${layout.pipeline} × ${batch.microbatches}`,
    bubble: bubbleShare(timeline),
    peakActivations: Math.max(...timeline.peakActivations),
    origin: times.origin,
  };
}
