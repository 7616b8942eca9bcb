import { bubbleShare } from '../../engine/schedule/bubble';
import { SCHEDULE_KINDS } from '../../engine/schedule/build';
import { closedForm } from '../../engine/schedule/closed-form';
import { memoryCurve } from '../../engine/schedule/memory-curve';
import type { Timeline } from '../../engine/schedule/order';
import { isRefusal } from '../../engine/schedule/refusal';
import type { ScheduleKind } from '../../engine/spec/training';
import { encodeColumn } from '../../protocol/columns';
import type { NoView } from '../../protocol/common';
import type { TimelineAnswer, TimelineParams, TimelineView, TraceFileAnswer } from '../../protocol/timeline';
import type { ResolvedPlan } from '../../plan/plan';
import type { Analysis, FileLookup } from '../analysis';
import { estimateMemory } from '../estimates';
import { costOf } from '../cost';
import { linksTo } from '../fields';
import { chromeTrace } from '../schedule/chrome-trace';
import { customSchedule, deadlockText, plannedCustom } from '../schedule/custom';
import { timelineOf, type PlannedTimeline } from '../schedule/planned';
import type { CsvReading } from '../schedule/torch-csv';
import { planUnder, type ScheduleAsk } from '../schedule/variant';
import { noView, viewFrame } from './frame';
import { explanationView } from './timeline-explain';
import { overlapView } from './timeline-overlap';

const LINKED = [
  'pipeline.kind',
  'layout.pipeline',
  'layout.virtualPipeline',
  'batch.microbatches',
  'batch.globalBatch',
  'batch.microBatch',
  'pipeline.durations',
  'pipeline.groupSize',
];

function columns({ timeline }: PlannedTimeline): TimelineView['columns'] {
  const { order, start, end } = timeline;
  return {
    rankStart: encodeColumn(order.rankStart),
    op: encodeColumn(order.op),
    stage: encodeColumn(order.stage),
    microbatch: encodeColumn(order.microbatch),
    direction: encodeColumn(order.direction),
    stage2: encodeColumn(order.stage2),
    microbatch2: encodeColumn(order.microbatch2),
    direction2: encodeColumn(order.direction2),
    start: encodeColumn(start),
    end: encodeColumn(end),
  };
}

/** Bytes behind the activation curve, from the memory estimate of the rank class that holds each pipeline rank. */
function memoryScale(
  analysis: Analysis,
  ask: ScheduleAsk,
  { order: { ranks }, peakActivations: peaks }: Timeline,
): Omit<TimelineView['memory'], 'start' | 'time' | 'value'> {
  const own = analysis.resolved;
  const resolved = own === undefined ? undefined : planUnder(own, ask);
  const memory = resolved === own || resolved === undefined ? analysis.memory : estimateMemory(resolved);
  const worldSize = resolved?.layout?.worldSize ?? 0;
  if (memory === undefined || worldSize === 0) return {};
  // The first class of a rank or stage counts, and the last entry of a map wins.
  const classes = memory.classes.toReversed();
  const byCoordinate = new Map(classes.map((entry) => [entry.coordinates.pp, entry]));
  const byStage = new Map(classes.flatMap((entry) => entry.stages.map((stage) => [stage, entry])));
  const byPipelineRank = Array.from({ length: ranks }, (_, rank) => byCoordinate.get(rank) ?? byStage.get(rank));
  const staticBytes = byPipelineRank.map((entry) => (entry === undefined ? 0 : entry.total - entry.parts.activations));
  const perRank = byPipelineRank.map((entry, rank) => {
    const peak = peaks[rank] ?? 0;
    return entry === undefined || peak <= 0 ? 0 : entry.parts.activations / peak;
  });
  const [first = 0] = perRank;
  const capacity = resolved?.cluster?.memoryBytes;
  return {
    staticBytes,
    ...(first > 0 ? { bytesPerUnit: first, bytesPerUnitOfRank: perRank } : {}),
    ...(capacity === undefined ? {} : { capacityBytes: capacity }),
  };
}

/** The cost model's own step beside typed durations: two measures of one thing. */
function modelledStep(analysis: Analysis, { origin }: PlannedTimeline['times']): { modelled?: number } {
  const cost = origin === 'stated' ? costOf(analysis) : undefined;
  return cost === undefined ? {} : { modelled: cost.stepSeconds };
}

function view(analysis: Analysis, planned: PlannedTimeline, params: TimelineParams): TimelineView {
  const { timeline, spec, times } = planned;
  const curve = memoryCurve(timeline, { holdUntil: 'W' });
  const form = spec === undefined ? undefined : closedForm(spec);
  const explanation = explanationView(timeline, times);
  const { kind } = timeline.order;
  const own = analysis.resolved;
  const overlap = own === undefined ? undefined : overlapView(planUnder(own, askOf(params)), planned);
  return {
    ...viewFrame(analysis, 'Pipeline'),
    kind,
    kinds: SCHEDULE_KINDS,
    ranks: timeline.order.ranks,
    microbatches: timeline.order.microbatches,
    chunks: timeline.order.chunks,
    stages: timeline.order.stages,
    bidirectional: timeline.order.bidirectional,
    unit: times.origin === 'unit' ? 'unit' : 'ms',
    durations: times.mean,
    timing: {
      origin: times.origin,
      ...(times.basis === undefined ? {} : { basis: times.basis }),
      ...(own === undefined || planUnder(own, askOf(params)) !== own ? {} : modelledStep(analysis, times)),
    },
    makespan: timeline.makespan,
    idle: [...timeline.idle],
    peakActivations: [...timeline.peakActivations],
    bubble: bubbleShare(timeline),
    ...(form === undefined ? {} : { formula: form }),
    columns: columns(planned),
    ...(explanation === undefined ? {} : { explanation }),
    ...(overlap === undefined ? {} : { overlap }),
    memory: {
      start: encodeColumn(curve.start),
      time: encodeColumn(curve.time),
      value: encodeColumn(curve.value),
      ...memoryScale(analysis, askOf(params), timeline),
    },
    links: linksTo(analysis, LINKED),
  };
}

function isKind(kind: string): kind is ScheduleKind {
  return (SCHEDULE_KINDS as readonly string[]).includes(kind);
}

/** Largest count a panel may ask for; the schedule's own limits are the builder's to judge. */
const LARGEST_ASK = 1 << 20;

function count(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 1 && value <= LARGEST_ASK
    ? value
    : undefined;
}

/** What a panel asks for in place of the file's own schedule; anything that is no kind and no count is left out. */
export function askOf({ kind, microbatches, chunks, groupSize }: TimelineParams): ScheduleAsk {
  const asked = {
    kind: kind !== undefined && isKind(kind) ? kind : undefined,
    microbatches: count(microbatches),
    chunks: count(chunks),
    groupSize: count(groupSize),
  };
  return Object.fromEntries(Object.entries(asked).filter(([, value]) => value !== undefined)) as ScheduleAsk;
}

/** The timeline of the file's schedule, or of another one the panel asks for; a refusal comes back as its sentence. */
export function timelineView(analysis: Analysis, params: TimelineParams, files?: FileLookup): TimelineAnswer {
  const planned = plannedOf(analysis, params, files);
  return 'timeline' in planned ? view(analysis, planned, params) : planned;
}

/** The schedule of the file that a plan names; faults and circles of waiting come back as their sentence. */
function drawnFile({ uri }: Analysis, resolved: ResolvedPlan, reading: CsvReading): PlannedTimeline | NoView {
  if ('problems' in reading) {
    const [first] = reading.problems;
    const place = `line ${(first?.line ?? 0) + 1}`;
    return { empty: true, uri, reason: `The schedule file, ${place}: ${first?.message ?? 'it holds no actions.'}` };
  }
  const planned = plannedCustom(resolved, reading.order);
  const { deadlock } = planned.timeline;
  if (deadlock === undefined) return planned;
  return { empty: true, uri, reason: `The schedule cannot finish: ${deadlockText(reading.order, deadlock)}.` };
}

/** The simulated schedule that a panel asks for, or the sentence that says why there is none. */
export function plannedOf(
  analysis: Analysis,
  params: TimelineParams,
  files: FileLookup = () => undefined,
): PlannedTimeline | NoView {
  const { resolved } = analysis;
  if (resolved === undefined) return noView(analysis, '');
  if (resolved.plan.task !== 'training')
    return {
      empty: true,
      uri: analysis.uri,
      reason: 'This file has no training pipeline: a schedule belongs to a training plan with pipeline parallelism.',
    };
  const own = Object.keys(askOf(params)).length === 0 ? customSchedule(analysis.references, files) : undefined;
  if (own !== undefined) return drawnFile(analysis, resolved, own.reading);
  const planned = timelineOf(resolved, askOf(params), params.sameWork === true);
  if (planned === undefined) return noView(analysis, 'The batch is not known, so there are no microbatches to draw.');
  if (isRefusal(planned)) return { empty: true, uri: analysis.uri, reason: planned.message };
  return planned;
}

/** The schedule as a Chrome trace for Perfetto. */
export function traceFile(analysis: Analysis, params: TimelineParams, files?: FileLookup): TraceFileAnswer {
  const planned = plannedOf(analysis, params, files);
  if (!('timeline' in planned)) return { reason: planned.reason };
  if (planned.timeline.order.op.length > MOST_TRACED)
    return { reason: `A trace of more than ${MOST_TRACED} passes is too large for its viewers.` };
  const bytes = memoryScale(analysis, askOf(params), planned.timeline).bytesPerUnit;
  const trace = chromeTrace(planned.timeline, bytes === undefined ? {} : { bytesPerActivation: bytes });
  return { text: JSON.stringify(trace) };
}

const MOST_TRACED = 400_000;
