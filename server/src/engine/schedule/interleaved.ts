import type { ScheduleOrder, ScheduleRefusal } from './order';
import { OP } from './order';
import { checkInterleaved, scheduleTable, warmupPasses } from './megatron-table';
import { endRank, finishOrder, orderWriter, put } from './order-writer';
import type { SizedSpec } from './spec';

/**
 * Interleaved 1F1B (virtual pipeline): chunk v of rank r is stage v·P + r.
 * Sources: Megatron-LM@d98e8a6 schedules.py `forward_backward_pipelining_with_interleaving`; arXiv 2104.04473.
 */
export function interleaved(spec: SizedSpec): ScheduleOrder | ScheduleRefusal {
  const refusal = checkInterleaved(spec);
  if (refusal !== undefined) return refusal;
  const { ranks, microbatches, chunks } = spec;
  const total = microbatches * chunks;
  const table = scheduleTable(microbatches, chunks, spec.groupSize);
  const w = orderWriter(ranks, 2 * ranks * total);
  for (let r = 0; r < ranks; r += 1) {
    const warmup = warmupPasses(spec, r, false);
    const forward = (k: number): void => put(w, OP.F, (table.chunk[k] ?? 0) * ranks + r, table.microbatch[k] ?? 0);
    const backward = (k: number): void =>
      put(w, OP.B, (chunks - 1 - (table.chunk[k] ?? 0)) * ranks + r, table.microbatch[k] ?? 0);
    for (let k = 0; k < warmup; k += 1) forward(k);
    for (let k = warmup; k < total; k += 1) {
      forward(k);
      backward(k - warmup);
    }
    for (let k = total - warmup; k < total; k += 1) backward(k);
    endRank(w);
  }
  return finishOrder(w, {
    kind: spec.kind,
    ranks,
    microbatches,
    chunks,
    stages: ranks * chunks,
    bidirectional: false,
    groupSize: spec.groupSize,
  });
}
