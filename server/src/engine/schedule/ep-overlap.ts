import type { ScheduleOrder, ScheduleRefusal } from './order';
import { OP } from './order';
import { checkInterleaved, scheduleTable, warmupPasses } from './megatron-table';
import { endRank, finishOrder, orderWriter, put, putBlock } from './order-writer';
import type { SizedSpec } from './spec';

/**
 * Interleaved 1F1B whose steady steps hide the expert all-to-all (`overlap_moe_expert_parallel_comm`): one more
 * warm-up forward makes forward and backward of a step independent, so they run as one overlapped block.
 * One chunk (Megatron at PP = 1, PP-Schedule-Visualization's 1f1b_overlap) follows the same rule with V = 1.
 * Sources: Megatron-LM@d98e8a6 schedules.py and combined_1f1b.py; Victarry/PP-Schedule-Visualization@1dd92bf.
 */
export function epOverlap(spec: SizedSpec): ScheduleOrder | ScheduleRefusal {
  const refusal = spec.chunks > 1 ? checkInterleaved(spec) : undefined;
  if (refusal !== undefined) return refusal;
  const { ranks, microbatches, chunks } = spec;
  const total = microbatches * chunks;
  const table = scheduleTable(microbatches, chunks, spec.groupSize);
  const w = orderWriter(ranks, 2 * ranks * total);
  for (let r = 0; r < ranks; r += 1) {
    const warmup = warmupPasses(spec, r, true);
    const forwardStage = (k: number): number => (table.chunk[k] ?? 0) * ranks + r;
    const backwardStage = (k: number): number => (chunks - 1 - (table.chunk[k] ?? 0)) * ranks + r;
    const microbatch = (k: number): number => table.microbatch[k] ?? 0;
    for (let k = 0; k < warmup; k += 1) put(w, OP.F, forwardStage(k), microbatch(k));
    for (let k = warmup; k < total; k += 1) {
      const back = k - warmup;
      putBlock(w, forwardStage(k), microbatch(k), backwardStage(back), microbatch(back));
    }
    for (let k = total - warmup; k < total; k += 1) put(w, OP.B, backwardStage(k), microbatch(k));
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
