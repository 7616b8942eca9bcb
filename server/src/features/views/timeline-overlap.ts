import { stageOverlap } from '../../engine/cost/overlap-times';
import { machineOf } from '../../engine/cost/rates';
import { refuseTraining } from '../../engine/memory/input';
import { isUniform } from '../../engine/schedule/durations';
import { overlapBlock } from '../../engine/schedule/overlap-block';
import type { ResolvedPlan } from '../../plan/plan';
import type { OverlapView } from '../../protocol/timeline';
import { trainingInputOf } from '../estimates';
import type { PlannedTimeline } from '../schedule/planned';

const OVERLAPPED: ReadonlySet<string> = new Set(['dualpipe', 'dualpipev', '1f1b-ep-overlap']);

/**
 * The inside of one overlapped block of an inner stage, in the view's unit. Shares of the phases come from the cost model; together they
 * last as long as the schedule's own block, which counts what no phase shows (launches, waiting for routing). Undefined for kinds without such blocks and plans without spread experts.
 */
export function overlapView(asked: ResolvedPlan, { timeline, times }: PlannedTimeline): OverlapView | undefined {
  const input = OVERLAPPED.has(timeline.order.kind) ? trainingInputOf(asked) : undefined;
  if (input?.cluster === undefined || refuseTraining(input).length > 0) return undefined;
  const machine = machineOf(input.cluster, asked.calibration?.());
  if ('missing' in machine) return undefined;
  const stage = stageOverlap(input, machine);
  if (stage === undefined) return undefined;
  const block = overlapBlock(stage.times, stage.pairs);
  if (!(block.makespan > 0) || !Number.isFinite(block.makespan)) return undefined;
  const { durations } = times;
  const whole = isUniform(durations) ? durations.FB : (durations.FB[stage.stage] ?? times.mean.FB);
  const scale = whole / block.makespan;
  return {
    stage: stage.stage,
    makespan: block.makespan * scale,
    phases: block.phases.map(({ label, lane, half, start, end }) => ({
      label,
      lane,
      half,
      start: start * scale,
      end: end * scale,
    })),
    exposed: block.exposed * scale,
    basis: `${stage.pairs} layer pairs, shares by the cost model of ${input.model.name} on ${input.cluster.gpu}`,
  };
}
