import type { DualRank, DualSink, Phase } from './dual-steps';
import { runDualRank } from './dual-steps';
import { OP } from './order';
import type { OrderWriter } from './order-writer';
import { endRank, put, putBlock } from './order-writer';

/** Where each phase of a rank runs. */
export interface DualPlace extends DualRank {
  /** Global stage of phase 0 and phase 1 on this rank. */
  readonly stages: readonly [number, number];
  readonly directions: readonly [number, number];
}

/** Rank r of DualPipe: ranks of the second half see the two directions swapped. */
export function dualpipePlace(rank: number, ranks: number, microbatches: number): DualPlace {
  const swapped = rank >= ranks / 2 ? 1 : 0;
  const stageOf = (direction: number): number => (direction === 0 ? rank : ranks - 1 - rank);
  const place = Math.min(rank, ranks - 1 - rank);
  return {
    hops: ranks / 2,
    place,
    microbatches: microbatches / 2,
    sendFirstAtOnce: place === ranks / 2 - 1,
    stages: [stageOf(swapped), stageOf(1 - swapped)],
    directions: [swapped, 1 - swapped],
  };
}

/** Rank r of DualPipeV: the two phases are the two legs of the V. */
export function dualpipevPlace(rank: number, ranks: number, microbatches: number): DualPlace {
  return {
    hops: ranks,
    place: rank,
    microbatches,
    sendFirstAtOnce: false,
    stages: [rank, 2 * ranks - 1 - rank],
    directions: [0, 0],
  };
}

/** Turns the steps into actions: counters give every pass its microbatch, weight halves run first in, first out. */
class OrderSink implements DualSink {
  private readonly forwards: [number, number] = [0, 0];
  private readonly backwards: [number, number] = [0, 0];
  private readonly pending: { readonly phase: Phase; readonly microbatch: number }[] = [];
  private taken = 0;

  constructor(
    private readonly w: OrderWriter,
    private readonly place: DualPlace,
  ) {}

  forward(phase: Phase): void {
    put(this.w, OP.F, this.place.stages[phase], this.forwards[phase], this.place.directions[phase]);
    this.forwards[phase] += 1;
  }
  backward(phase: Phase): void {
    put(this.w, OP.B, this.place.stages[phase], this.backwards[phase], this.place.directions[phase]);
    this.backwards[phase] += 1;
  }
  backwardInput(phase: Phase): void {
    const microbatch = this.backwards[phase];
    put(this.w, OP.I, this.place.stages[phase], microbatch, this.place.directions[phase]);
    this.backwards[phase] = microbatch + 1;
    this.pending.push({ phase, microbatch });
  }
  weight(): void {
    const next = this.pending[this.taken];
    this.taken += 1;
    if (next !== undefined) {
      put(this.w, OP.W, this.place.stages[next.phase], next.microbatch, this.place.directions[next.phase]);
    }
  }
  block(f: Phase, b: Phase): void {
    const { stages, directions } = this.place;
    putBlock(this.w, stages[f], this.forwards[f], stages[b], this.backwards[b], directions[f], directions[b]);
    this.forwards[f] += 1;
    this.backwards[b] += 1;
  }
  // The order alone says nothing about transfers.
  receiveForward(): void {}
  receiveBackward(): void {}
  sendForward(): void {}
  sendBackward(): void {}
  commit(): void {}
}

/** Writes the actions of one rank. */
export function writeDualRank(w: OrderWriter, place: DualPlace): void {
  runDualRank(new OrderSink(w, place), place);
  endRank(w);
}
