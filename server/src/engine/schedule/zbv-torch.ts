import type { OpCode, ScheduleOrder, ScheduleRefusal } from './order';
import { OP } from './order';
import type { OrderWriter } from './order-writer';
import { endRank, finishOrder, orderWriter, put } from './order-writer';
import { refuse } from './refusal';
import type { SizedSpec } from './spec';

/** Counters of one rank's two stages; passes beyond the real microbatches are counted and not written. */
class VPasses {
  readonly forwards: [number, number] = [0, 0];
  readonly inputs: [number, number] = [0, 0];
  readonly weights: [number, number] = [0, 0];

  constructor(
    private readonly w: OrderWriter,
    private readonly stages: readonly [number, number],
    private readonly microbatches: number,
  ) {}

  private emit(op: OpCode, counters: [number, number], chunk: 0 | 1): void {
    const microbatch = counters[chunk];
    counters[chunk] += 1;
    if (microbatch < this.microbatches) put(this.w, op, this.stages[chunk], microbatch);
  }

  forward(chunk: 0 | 1): void {
    this.emit(OP.F, this.forwards, chunk);
  }
  input(chunk: 0 | 1): void {
    this.emit(OP.I, this.inputs, chunk);
  }
  weight(chunk: 0 | 1): void {
    this.emit(OP.W, this.weights, chunk);
  }
  backward(chunk: 0 | 1): void {
    this.input(chunk);
    this.weight(chunk);
  }
}

function writeRank(passes: VPasses, rank: number, ranks: number, padded: number): void {
  for (let i = 0; i < 2 * (ranks - rank) - 1; i += 1) passes.forward(0);
  for (let i = 0; i < rank; i += 1) {
    passes.forward(1);
    passes.forward(0);
  }
  for (let i = rank; i < ranks; i += 1) {
    passes.forward(1);
    passes.backward(1);
  }
  while (passes.forwards[1] < passes.forwards[0] || passes.forwards[0] < padded) {
    if (passes.forwards[0] < padded) passes.forward(0);
    passes.backward(0);
    passes.forward(1);
    passes.backward(1);
  }
  for (let i = 0; i < rank; i += 1) {
    passes.input(0);
    passes.input(1);
  }
  for (let i = rank; i < ranks; i += 1) passes.backward(0);
  while (passes.weights[1] < passes.inputs[1]) passes.weight(1);
  while (passes.weights[0] < passes.inputs[0]) passes.weight(0);
}

/**
 * torch's ZB-V: two stages a rank on a V, an order written by hand for F = I = W. Short steps are padded to 2P-1
 * microbatches and the padding is left out again.
 * Source: torch 2.14.1 pipelining/schedules.py `ScheduleZBVZeroBubble`.
 */
export function zbvTorch(spec: SizedSpec): ScheduleOrder | ScheduleRefusal {
  const { ranks, microbatches, chunks } = spec;
  if (chunks !== 2) {
    return refuse(
      'zbv-two-stages',
      `ZBV requires exactly 2 stages on each rank, r and 2P-1-r, not ${chunks} (torch ScheduleZBVZeroBubble).`,
      'chunks',
      chunks,
      [2],
    );
  }
  const w = orderWriter(ranks, 6 * ranks * microbatches);
  const padded = Math.max(2 * ranks - 1, microbatches);
  for (let r = 0; r < ranks; r += 1) {
    writeRank(new VPasses(w, [r, 2 * ranks - 1 - r], microbatches), r, ranks, padded);
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
