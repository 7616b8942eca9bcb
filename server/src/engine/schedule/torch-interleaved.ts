import type { ScheduleOrder, ScheduleRefusal } from './order';
import { OP } from './order';
import type { OrderWriter } from './order-writer';
import { endRank, finishOrder, orderWriter, put } from './order-writer';
import { nearestLegal, refuse } from './refusal';
import type { SizedSpec } from './spec';

const rounds = (microbatches: number, ranks: number): number => Math.max(1, Math.floor(microbatches / ranks));
const wholeRounds = (microbatches: number, ranks: number): boolean => microbatches % rounds(microbatches, ranks) === 0;

function check(spec: SizedSpec): ScheduleRefusal | undefined {
  const { microbatches, ranks } = spec;
  if (wholeRounds(microbatches, ranks)) return undefined;
  const n = rounds(microbatches, ranks);
  return refuse(
    'torch-interleaved-rounds',
    `torch runs ${microbatches} microbatches over ${ranks} ranks in ${n} rounds (microbatches // ranks) and needs a multiple of ${n}.`,
    'microbatches',
    microbatches,
    nearestLegal(microbatches, (m) => wholeRounds(m, ranks)),
  );
}

/** What one rank runs: the k-th forward and backward, counted over its stages and microbatches. */
interface RankPasses {
  readonly total: number;
  readonly warmup: number;
  readonly forward: (k: number) => void;
  readonly backward: (k: number) => void;
  readonly weight: (k: number) => void;
}

/** Passes go through `perRound` microbatches of one stage, then the next stage; counters give the microbatch. */
function rankPasses(w: OrderWriter, spec: SizedSpec, rank: number, hop: number, split: boolean): RankPasses {
  const { ranks, microbatches, chunks } = spec;
  const perRound = microbatches / rounds(microbatches, ranks);
  const total = microbatches * chunks;
  const next = { forward: new Int32Array(chunks), backward: new Int32Array(chunks), weight: new Int32Array(chunks) };
  const emit = (op: 0 | 1 | 2 | 3, counters: Int32Array, chunk: number): void => {
    const microbatch = counters[chunk] ?? 0;
    counters[chunk] = microbatch + 1;
    put(w, op, chunk * ranks + rank, microbatch);
  };
  const chunkOf = (k: number): number => Math.floor(k / perRound) % chunks;
  return {
    total,
    warmup: Math.min((chunks - 1) * perRound + hop * (ranks - 1 - rank), total),
    forward: (k) => emit(OP.F, next.forward, chunkOf(k)),
    backward: (k) => emit(split ? OP.I : OP.B, next.backward, chunks - 1 - chunkOf(k)),
    weight: (k) => emit(OP.W, next.weight, chunks - 1 - chunkOf(k)),
  };
}

/** Forwards, then forward and backward in turn, then backwards; weights run `lag` backwards behind when split. */
function writeRank(passes: RankPasses, lag: number): void {
  let weights = 0;
  const backward = (k: number): void => {
    passes.backward(k);
    if (lag >= 0 && k >= lag) {
      passes.weight(weights);
      weights += 1;
    }
  };
  for (let k = 0; k < passes.warmup; k += 1) passes.forward(k);
  for (let k = passes.warmup; k < passes.total; k += 1) {
    passes.forward(k);
    backward(k - passes.warmup);
  }
  for (let k = passes.total - passes.warmup; k < passes.total; k += 1) backward(k);
  if (lag < 0) return;
  for (; weights < passes.total; weights += 1) passes.weight(weights);
}

function build(spec: SizedSpec, split: boolean): ScheduleOrder | ScheduleRefusal {
  const refusal = check(spec);
  if (refusal !== undefined) return refusal;
  const { ranks, microbatches, chunks } = spec;
  const w = orderWriter(ranks, (split ? 3 : 2) * ranks * microbatches * chunks);
  for (let r = 0; r < ranks; r += 1) {
    writeRank(rankPasses(w, spec, r, split ? 1 : 2, split), split ? r : -1);
    endRank(w);
  }
  return finishOrder(w, { kind: spec.kind, ranks, microbatches, chunks, stages: ranks * chunks, bidirectional: false });
}

/**
 * torch's interleaved 1F1B: max(1, M // P) rounds, so M need not be a multiple of P.
 * Source: torch 2.14.1 pipelining/schedules.py `ScheduleInterleaved1F1B`, `_get_1f1b_rank_ops`.
 */
export function interleavedTorch(spec: SizedSpec): ScheduleOrder | ScheduleRefusal {
  return build(spec, false);
}

/**
 * torch's interleaved zero bubble (ZB1P): one warm-up hop a rank, weight gradients start after `rank` backwards.
 * Source: torch 2.14.1 pipelining/schedules.py `ScheduleInterleavedZeroBubble`.
 */
export function interleavedZeroBubbleTorch(spec: SizedSpec): ScheduleOrder | ScheduleRefusal {
  return build(spec, true);
}
