import type { CommProgram, TransferSide } from './comm-program';
import { CommWriter } from './comm-program';
import type { DualPlace } from './dual-order';
import { dualpipePlace, dualpipevPlace } from './dual-order';
import type { DualSink, Phase } from './dual-steps';
import { runDualRank } from './dual-steps';
import type { ScheduleOrder } from './order';
import { microbatchesPerDirection } from './stage-map';

/** Transfers of one rank: posted and waited for together before the next pass (`_commit_and_wait_comm`). */
class CommSink implements DualSink {
  private pending: TransferSide[] = [];
  private readonly counters = new Map<string, number>();

  constructor(
    private readonly w: CommWriter,
    private readonly place: DualPlace,
    private readonly stages: number,
    private readonly perStage: number,
    private readonly local: (stage: number, next: number) => boolean,
  ) {}

  private add(what: string, phase: Phase, send: boolean, backward: boolean): void {
    const stage = this.place.stages[phase];
    // The stage this one exchanges with: the next for forward sends and gradient receipts, else the one before.
    const peer = send === backward ? stage - 1 : stage + 1;
    if (peer < 0 || peer >= this.stages || this.local(stage, peer)) return;
    const key = `${what}${phase}`;
    const microbatch = this.counters.get(key) ?? 0;
    this.counters.set(key, microbatch + 1);
    const line = this.place.directions[phase] * this.stages + (send ? stage : peer);
    const pass = line * this.perStage + microbatch;
    this.pending.push({ send, transfer: backward ? this.w.passes + pass : pass });
  }

  receiveForward(phase: Phase): void {
    this.add('rf', phase, false, false);
  }
  receiveBackward(phase: Phase): void {
    this.add('rb', phase, false, true);
  }
  sendForward(phase: Phase): void {
    this.add('sf', phase, true, false);
  }
  sendBackward(phase: Phase): void {
    this.add('sb', phase, true, true);
  }
  commit(): void {
    if (this.pending.length === 0) return;
    this.w.batch(this.pending);
    this.pending = [];
  }
  forward(): void {
    this.w.compute();
  }
  backward(): void {
    this.w.compute();
  }
  backwardInput(): void {
    this.w.compute();
  }
  weight(): void {
    this.w.compute();
  }
  block(): void {
    this.w.compute();
  }
}

/** DualPipe's and DualPipeV's transfers as coded: one batch before each pass. */
export function dualComm(order: ScheduleOrder): CommProgram {
  const { ranks, microbatches, stages } = order;
  const perStage = microbatchesPerDirection(order);
  const w = new CommWriter(stages * (order.bidirectional ? 2 : 1) * perStage);
  // Only DualPipeV's turn at the bottom of the V stays on one rank.
  const local = (stage: number, peer: number): boolean => !order.bidirectional && stage + peer === 2 * ranks - 1;
  for (let r = 0; r < ranks; r += 1) {
    const place = order.bidirectional ? dualpipePlace(r, ranks, microbatches) : dualpipevPlace(r, ranks, microbatches);
    runDualRank(new CommSink(w, place, stages, perStage, local), place);
    w.endRank();
  }
  return w.finish();
}
