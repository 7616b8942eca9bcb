import { bubbles } from '../../engine/schedule/bubble';
import { criticalPath } from '../../engine/schedule/critical-path';
import { dependenciesOf } from '../../engine/schedule/dependencies';
import { idleReasons } from '../../engine/schedule/explain';
import type { Timeline } from '../../engine/schedule/order';
import { encodeColumn } from '../../protocol/columns';
import type { PlanTimes } from '../schedule/planned';
import { stepsJson } from '../schedule/steps-json';
import type { TimelineExplanation } from '../../protocol/timeline';

/** Passes up to which steps in a row are run too: that takes six times as long as the picture itself. */
const MOST_FOR_STEPS = 60_000;

function stepsView({ order }: Timeline, times: PlanTimes): TimelineExplanation['steps'] {
  if (order.op.length > MOST_FOR_STEPS) return undefined;
  const steps = stepsJson(order, times, 'barrier', undefined);
  if (steps === undefined) return undefined;
  return { barrier: steps.steady, postValidation: steps.steadyOtherwise, timed: times.tails !== undefined };
}

/** Why a step takes as long as it does, for the panel; undefined where the schedule cannot finish. */
export function explanationView(timeline: Timeline, times: PlanTimes): TimelineExplanation | undefined {
  const needs = dependenciesOf(timeline.order);
  const reasons = idleReasons(timeline, needs);
  const path = criticalPath(timeline, needs);
  if (reasons === undefined || path === undefined) return undefined;
  const { byCause, byPhase } = reasons;
  const [activation = 0, gradient = 0, transfer = 0, done = 0] = byCause;
  const [warmup = 0, steady = 0, cooldown = 0] = byPhase;
  const { idleShare, spanIdle, overWork } = bubbles(timeline, times.durations);
  const steps = stepsView(timeline, times);
  const rank = path.byRank.reduce((best, value, at) => (value > (path.byRank[best] ?? 0) ? at : best), 0);
  return {
    idle: { activation, gradient, transfer, done, warmup, steady, cooldown },
    bubbles: { idleShare, spanIdle, overWork },
    critical: {
      blocks: encodeColumn(path.actions),
      byOp: path.byOp,
      transfers: path.transfers,
      hops: path.hops,
      waits: path.waits,
      rank,
      rankShare: timeline.makespan > 0 ? (path.byRank[rank] ?? 0) / timeline.makespan : 0,
    },
    ...(steps === undefined ? {} : { steps }),
  };
}
