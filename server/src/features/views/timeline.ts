import { bubbleShare } from '../../engine/schedule/bubble';
import { SCHEDULE_KINDS } from '../../engine/schedule/build';
import { closedForm } from '../../engine/schedule/closed-form';
import { memoryCurve } from '../../engine/schedule/memory-curve';
import { isRefusal } from '../../engine/schedule/refusal';
import type { ScheduleKind } from '../../engine/spec/training';
import { encodeColumn } from '../../protocol/columns';
import type { TimelineAnswer, TimelineParams, TimelineView } from '../../protocol/timeline';
import type { Analysis } from '../analysis';
import { linksTo } from '../fields';
import { timelineOf, type PlannedTimeline } from '../schedule/planned';
import { noView, viewFrame } from './frame';

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
  ranks: number,
  peaks: Float64Array,
): Pick<TimelineView['memory'], 'bytesPerUnit' | 'staticBytes' | 'capacityBytes'> {
  const { memory, resolved } = analysis;
  const worldSize = resolved?.layout?.worldSize ?? 0;
  if (memory === undefined || worldSize === 0) return {};
  const byPipelineRank = Array.from(
    { length: ranks },
    (_, rank) =>
      memory.classes.find(({ coordinates }) => coordinates.pp === rank) ??
      memory.classes.find(({ stages }) => stages.includes(rank)),
  );
  const staticBytes = byPipelineRank.map((entry) => (entry === undefined ? 0 : entry.total - entry.parts.activations));
  const first = byPipelineRank[0];
  const peak = peaks[0] ?? 0;
  const capacity = resolved?.cluster?.memoryBytes;
  return {
    staticBytes,
    ...(first === undefined || peak <= 0 ? {} : { bytesPerUnit: first.parts.activations / peak }),
    ...(capacity === undefined ? {} : { capacityBytes: capacity }),
  };
}

function view(analysis: Analysis, planned: PlannedTimeline, kind: ScheduleKind): TimelineView {
  const { timeline, spec, times } = planned;
  const curve = memoryCurve(timeline, { holdUntil: 'W' });
  const form = closedForm(spec);
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
    timing: { origin: times.origin, ...(times.basis === undefined ? {} : { basis: times.basis }) },
    makespan: timeline.makespan,
    idle: [...timeline.idle],
    peakActivations: [...timeline.peakActivations],
    bubble: bubbleShare(timeline),
    ...(form === undefined ? {} : { formula: form }),
    columns: columns(planned),
    memory: {
      start: encodeColumn(curve.start),
      time: encodeColumn(curve.time),
      value: encodeColumn(curve.value),
      // The panel's curve scales to bytes only for the schedule that the estimate was made for.
      ...(kind === analysis.resolved?.pipeline.kind
        ? memoryScale(analysis, timeline.order.ranks, timeline.peakActivations)
        : {}),
    },
    links: linksTo(analysis, LINKED),
  };
}

function isKind(kind: string): kind is ScheduleKind {
  return (SCHEDULE_KINDS as readonly string[]).includes(kind);
}

/** The timeline of the file's schedule, or of another kind the panel asks for; a refusal comes back as its sentence. */
export function timelineView(analysis: Analysis, params: TimelineParams): TimelineAnswer {
  const { resolved } = analysis;
  if (resolved === undefined) return noView(analysis, '');
  if (resolved.plan.task !== 'training')
    return {
      empty: true,
      uri: analysis.uri,
      reason: 'This file has no training pipeline: a schedule belongs to a training plan with pipeline parallelism.',
    };
  const asked = params.kind !== undefined && isKind(params.kind) ? params.kind : undefined;
  const planned = timelineOf(resolved, asked === undefined ? {} : { kind: asked });
  if (planned === undefined) return noView(analysis, 'The batch is not known, so there are no microbatches to draw.');
  if (isRefusal(planned)) return { empty: true, uri: analysis.uri, reason: planned.message };
  return view(analysis, planned, asked ?? resolved.pipeline.kind);
}
