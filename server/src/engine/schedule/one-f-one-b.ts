import type { ScheduleOrder } from './order';
import { OP } from './order';
import { endRank, finishOrder, orderWriter, put } from './order-writer';
import type { SizedSpec } from './spec';

/**
 * 1F1B (PipeDream-Flush): rank r starts with P-r-1 forwards, then alternates, then drains. Fewer microbatches than
 * ranks are allowed, as Megatron and DeepSpeed allow them.
 * Sources: Megatron-LM@d98e8a6 schedules.py `forward_backward_pipelining_without_interleaving`; DeepSpeed@edaa722
 * runtime/pipe/schedule.py `TrainSchedule`; arXiv 2006.09503.
 */
export function oneFOneB(spec: SizedSpec): ScheduleOrder {
  const { ranks, microbatches } = spec;
  const w = orderWriter(ranks, 2 * ranks * microbatches);
  for (let r = 0; r < ranks; r += 1) {
    const warmup = Math.min(ranks - r - 1, microbatches);
    for (let m = 0; m < warmup; m += 1) put(w, OP.F, r, m);
    for (let m = warmup; m < microbatches; m += 1) {
      put(w, OP.F, r, m);
      put(w, OP.B, r, m - warmup);
    }
    for (let m = microbatches - warmup; m < microbatches; m += 1) put(w, OP.B, r, m);
    endRank(w);
  }
  return finishOrder(w, { kind: spec.kind, ranks, microbatches, chunks: 1, stages: ranks, bidirectional: false });
}
