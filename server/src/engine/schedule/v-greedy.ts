import type { ScheduleOrder, ScheduleRefusal } from './order';
import { OP } from './order';
import { endRank, finishOrder, orderWriter, put } from './order-writer';
import { refuse } from './refusal';
import type { SizedSpec } from './spec';
import { repeatPattern, sequenceOf, vHalfPattern, vMinPattern, withWeights } from './v-pattern';
import { reorder } from './v-reorder';
import { V_OPS, vStage } from './zbv-search';

/**
 * V-Half and V-Min: a repeating pattern with half, or the least, of 1F1B's activation memory, tightened at both ends.
 * The order does not depend on durations.
 * Source: sail-sg/zero-bubble@39f2c18 scheduler/zbv_greedy.py `schedule_from_pattern`; arXiv 2405.15362.
 */
export function vGreedy(spec: SizedSpec): ScheduleOrder | ScheduleRefusal {
  const { ranks, microbatches } = spec;
  const pattern = spec.kind === 'v-min' ? vMinPattern : vHalfPattern;
  const tightened = reorder(repeatPattern(pattern, ranks, microbatches), true);
  const again = tightened === undefined ? undefined : reorder({ ...tightened, types: 4 }, false);
  if (again === undefined) {
    return refuse(
      'v-pattern',
      `sail's ${spec.kind} pattern cannot be tightened for ${ranks} ranks and ${microbatches} microbatches (zbv_greedy.py).`,
      'microbatches',
      microbatches,
      [],
    );
  }
  const sequence = sequenceOf(withWeights({ ...again, types: 4 }, true));
  return write(spec, sequence);
}

function write(spec: SizedSpec, sequence: ReturnType<typeof sequenceOf>): ScheduleOrder {
  const { ranks, microbatches } = spec;
  const each = 6 * microbatches;
  // The sequence runs over all ranks by time; each rank's passes are picked out in that order.
  const own = new Int32Array(ranks * each);
  const filled = new Int32Array(ranks);
  for (let i = 0; i < sequence.rank.length; i += 1) {
    const r = sequence.rank[i] ?? 0;
    own[r * each + (filled[r] ?? 0)] = i;
    filled[r] = (filled[r] ?? 0) + 1;
  }
  const w = orderWriter(ranks, ranks * each);
  for (let r = 0; r < ranks; r += 1) {
    for (let n = r * each; n < (r + 1) * each; n += 1) {
      const i = own[n] ?? 0;
      const type = sequence.type[i] ?? 0;
      put(w, V_OPS[type] ?? OP.F, vStage(type, r, ranks), sequence.microbatch[i] ?? 0);
    }
    endRank(w);
  }
  return finishOrder(w, {
    kind: spec.kind,
    ranks,
    microbatches,
    chunks: 2,
    stages: 2 * ranks,
    bidirectional: false,
  });
}
