import type { ScheduleOrder, ScheduleRefusal } from './order';
import { dualpipePlace, writeDualRank } from './dual-order';
import { finishOrder, orderWriter } from './order-writer';
import { nearestLegal, refuse } from './refusal';
import type { SizedSpec } from './spec';

const evenRanks = (ranks: number): boolean => ranks % 2 === 0;
const enough = (microbatches: number, ranks: number): boolean => microbatches % 2 === 0 && microbatches >= 2 * ranks;

/**
 * DualPipe's own asserts: an even number of ranks, an even number of microbatches, at least two a rank.
 * Source: deepseek-ai/DualPipe@3da1bbe dualpipe.py `DualPipe.step`.
 */
function check(spec: SizedSpec): ScheduleRefusal | undefined {
  const { ranks, microbatches } = spec;
  if (!evenRanks(ranks)) {
    const even = nearestLegal(ranks, evenRanks);
    const filled = even.filter((candidate) => enough(microbatches, candidate));
    return refuse(
      'dualpipe-even-ranks',
      `DualPipe folds the pipeline in the middle and needs an even number of ranks, not ${ranks} (dualpipe.py: num_ranks % 2 == 0).`,
      'ranks',
      ranks,
      // A number of ranks that the microbatches do not fill would only be refused in its turn.
      filled.length > 0 ? filled : even,
    );
  }
  if (!enough(microbatches, ranks)) {
    const why =
      microbatches % 2 === 0
        ? `at least 2 × ${ranks} ranks = ${2 * ranks} microbatches`
        : 'an even number of microbatches, half for each direction';
    return refuse(
      'dualpipe-microbatches',
      `DualPipe needs ${why}, not ${microbatches} (dualpipe.py: num_chunks even and >= 2 * num_ranks).`,
      'microbatches',
      microbatches,
      nearestLegal(microbatches, (m) => enough(m, ranks), 2 * ranks + 2),
    );
  }
  return undefined;
}

/**
 * DualPipe: microbatches enter at both ends, each rank hosts stage r of one direction and stage P-1-r of the
 * other, and a forward of one direction hides the communication of a backward of the other.
 * Source: deepseek-ai/DualPipe@3da1bbe dualpipe.py; DeepSeek-V3 technical report, section 3.2.1.
 */
export function dualpipe(spec: SizedSpec): ScheduleOrder | ScheduleRefusal {
  const refusal = check(spec);
  if (refusal !== undefined) return refusal;
  const { ranks, microbatches } = spec;
  const w = orderWriter(ranks, ranks * (3 * microbatches + 4));
  for (let r = 0; r < ranks; r += 1) writeDualRank(w, dualpipePlace(r, ranks, microbatches));
  return finishOrder(w, { kind: spec.kind, ranks, microbatches, chunks: 2, stages: ranks, bidirectional: true });
}
