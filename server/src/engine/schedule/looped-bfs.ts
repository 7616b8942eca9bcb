import type { ScheduleOrder } from './order';
import { OP } from './order';
import { endRank, finishOrder, orderWriter, put } from './order-writer';
import type { SizedSpec } from './spec';

/**
 * Looped breadth-first: every microbatch through one local stage, then the next stage; backwards in reverse.
 * Sources: torch 2.14.1 pipelining/schedules.py `ScheduleLoopedBFS`; arXiv 2211.05953.
 */
export function loopedBfs(spec: SizedSpec): ScheduleOrder {
  const { ranks, microbatches, chunks } = spec;
  const w = orderWriter(ranks, 2 * ranks * microbatches * chunks);
  for (let r = 0; r < ranks; r += 1) {
    for (let v = 0; v < chunks; v += 1) {
      for (let m = 0; m < microbatches; m += 1) put(w, OP.F, v * ranks + r, m);
    }
    for (let v = chunks - 1; v >= 0; v -= 1) {
      for (let m = microbatches - 1; m >= 0; m -= 1) put(w, OP.B, v * ranks + r, m);
    }
    endRank(w);
  }
  return finishOrder(w, { kind: spec.kind, ranks, microbatches, chunks, stages: ranks * chunks, bidirectional: false });
}
