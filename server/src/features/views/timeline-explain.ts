import { bubbles } from '../../engine/schedule/bubble';
import { criticalPath } from '../../engine/schedule/critical-path';
import type { DurationsInput } from '../../engine/schedule/durations';
import { idleGaps, idleReasons } from '../../engine/schedule/explain';
import type { Timeline } from '../../engine/schedule/order';
import { encodeColumn } from '../../protocol/columns';
import type { TimelineExplanation } from '../../protocol/timeline';

/** Why a step takes as long as it does, for the panel; undefined where the schedule cannot finish. */
export function explanationView(timeline: Timeline, durations: DurationsInput): TimelineExplanation | undefined {
  const gaps = idleGaps(timeline);
  const path = criticalPath(timeline);
  if (gaps === undefined || path === undefined) return undefined;
  const { byCause, byPhase } = idleReasons(gaps);
  const [activation = 0, gradient = 0, transfer = 0, done = 0] = byCause;
  const [warmup = 0, steady = 0, cooldown = 0] = byPhase;
  const { idleShare, spanIdle, overWork } = bubbles(timeline, durations);
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
  };
}
