import type { ScheduleOrder } from './order';
import { OP } from './order';
import { endRank, finishOrder, orderWriter, put } from './order-writer';
import type { SizedSpec } from './spec';

/**
 * GPipe: all forwards, then all backwards in the same order, as torch ScheduleGPipe runs them.
 * Sources: torch 2.14.1 pipelining/schedules.py `ScheduleGPipe`; arXiv 1811.06965.
 */
export function gpipe(spec: SizedSpec): ScheduleOrder {
  const { ranks, microbatches } = spec;
  const w = orderWriter(ranks, 2 * ranks * microbatches);
  for (let r = 0; r < ranks; r += 1) {
    for (let m = 0; m < microbatches; m += 1) put(w, OP.F, r, m);
    for (let m = 0; m < microbatches; m += 1) put(w, OP.B, r, m);
    endRank(w);
  }
  return finishOrder(w, { kind: spec.kind, ranks, microbatches, chunks: 1, stages: ranks, bidirectional: false });
}
