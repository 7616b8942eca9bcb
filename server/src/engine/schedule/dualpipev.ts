import type { ScheduleOrder, ScheduleRefusal } from './order';
import { dualpipevPlace, writeDualRank } from './dual-order';
import { finishOrder, orderWriter } from './order-writer';
import { nearestLegal, refuse } from './refusal';
import type { SizedSpec } from './spec';

/**
 * DualPipeV ("cut in half"): one direction whose stages run down the ranks and back up, so no stage is held twice.
 * Sources: deepseek-ai/DualPipe@3da1bbe dualpipev.py `DualPipeV.step`; torch ScheduleDualPipeV writes the same order.
 */
export function dualpipev(spec: SizedSpec): ScheduleOrder | ScheduleRefusal {
  const { ranks, microbatches, chunks } = spec;
  if (chunks !== 2) {
    return refuse(
      'dualpipev-two-stages',
      `DualPipeV places exactly 2 stages on each rank, r and 2P-1-r, not ${chunks} (torch ScheduleDualPipeV).`,
      'chunks',
      chunks,
      [2],
    );
  }
  if (microbatches < 2 * ranks) {
    return refuse(
      'dualpipev-microbatches',
      `DualPipeV needs at least 2 × ${ranks} ranks = ${2 * ranks} microbatches, not ${microbatches} (dualpipev.py: num_chunks >= 2 * num_ranks; torch: at least as many microbatches as stages).`,
      'microbatches',
      microbatches,
      nearestLegal(microbatches, (m) => m >= 2 * ranks, 2 * ranks + 1),
    );
  }
  const w = orderWriter(ranks, ranks * (6 * microbatches + 4));
  for (let r = 0; r < ranks; r += 1) writeDualRank(w, dualpipevPlace(r, ranks, microbatches));
  return finishOrder(w, {
    kind: spec.kind,
    ranks,
    microbatches,
    chunks: 2,
    stages: 2 * ranks,
    bidirectional: false,
  });
}
