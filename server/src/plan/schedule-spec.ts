import type { ScheduleSpec } from '../engine/schedule/spec';
import type { ScheduleKind } from '../engine/spec/training';
import type { ResolvedPlan } from './plan';

/**
 * What the schedule builder needs of a plan, or undefined while layout or batch are unknown.
 * `kind` replaces the file's own schedule; a virtual size of 1 is left to the kind's own number of stages a rank.
 */
export function scheduleSpecOf(
  { layout, batch, pipeline }: ResolvedPlan,
  kind?: ScheduleKind,
): ScheduleSpec | undefined {
  if (layout === undefined || batch === undefined) return undefined;
  return {
    kind: kind ?? pipeline.kind,
    ranks: layout.pipeline,
    microbatches: batch.microbatches,
    chunks: layout.virtualPipeline > 1 ? layout.virtualPipeline : undefined,
    groupSize: kind === undefined || kind === pipeline.kind ? pipeline.groupSize : undefined,
    durations: pipeline.durations,
  };
}
