import type { CommProgram, TransferSide } from './comm-program';
import { CommWriter } from './comm-program';
import type { ScheduleOrder } from './order';
import { OP } from './order';
import { warmupPasses } from './megatron-table';
import type { P2pMode } from './p2p-mode';

/** Transfers one call may make; undefined where there is none. */
interface Calls {
  readonly sendNext?: number | undefined;
  readonly receivePrevious?: number | undefined;
  readonly sendPrevious?: number | undefined;
  readonly receiveNext?: number | undefined;
}

/** The forwards and backwards of one rank in their own order, and where they come from and go to. */
class RankWork {
  readonly forwards: { readonly stage: number; readonly microbatch: number }[] = [];
  readonly backwards: { readonly stage: number; readonly microbatch: number }[] = [];
  /** Forwards before the first steady step. */
  readonly warmup: number;
  /** A steady step is one overlapped block. */
  readonly blocks: boolean;
  readonly first: boolean;
  readonly last: boolean;
  private readonly ranks: number;
  private readonly chunks: number;

  constructor(
    private readonly order: ScheduleOrder,
    readonly rank: number,
    private readonly passes: number,
  ) {
    this.ranks = order.ranks;
    this.chunks = order.chunks;
    this.first = rank === 0;
    this.last = rank === order.ranks - 1;
    this.blocks = order.kind === '1f1b-ep-overlap';
    const end = order.rankStart[rank + 1] ?? 0;
    for (let i = order.rankStart[rank] ?? 0; i < end; i += 1) {
      const one = { stage: order.stage[i] ?? 0, microbatch: order.microbatch[i] ?? 0 };
      const code = order.op[i];
      if (code !== OP.B) this.forwards.push(one);
      if (code === OP.FB) this.backwards.push({ stage: order.stage2[i] ?? 0, microbatch: order.microbatch2[i] ?? 0 });
      else if (code === OP.B) this.backwards.push(one);
    }
    const { ranks, chunks, microbatches, groupSize = ranks } = order;
    this.warmup = warmupPasses({ ranks, chunks, microbatches, groupSize }, rank, this.blocks);
  }

  get total(): number {
    return this.forwards.length;
  }
  private pass(stage: number, microbatch: number): number {
    return stage * this.order.microbatches + microbatch;
  }
  private readonly lastStage = (): number => this.order.stages - 1;

  sendNext(k: number): number | undefined {
    const f = this.forwards[k];
    return f === undefined || f.stage === this.lastStage() ? undefined : this.pass(f.stage, f.microbatch);
  }
  sendPrevious(k: number): number | undefined {
    const b = this.backwards[k];
    return b === undefined || b.stage === 0 ? undefined : this.passes + this.pass(b.stage, b.microbatch);
  }
  needsForward(k: number): boolean {
    return (this.forwards[k]?.stage ?? 0) !== 0;
  }
  needsGradient(k: number): boolean {
    return (this.backwards[k]?.stage ?? 0) !== this.lastStage();
  }
  forwardInput(k: number): number {
    const f = this.forwards[k] ?? { stage: 1, microbatch: 0 };
    return this.pass(f.stage - 1, f.microbatch);
  }
  gradientInput(k: number): number {
    const b = this.backwards[k] ?? { stage: 0, microbatch: 0 };
    return this.passes + this.pass(b.stage + 1, b.microbatch);
  }

  private chunkOf(list: 'forwards' | 'backwards', k: number): number {
    const all = this[list];
    // The table is read modulo its length, as the original does one step past its end.
    return Math.floor((all[k % all.length]?.stage ?? 0) / this.ranks);
  }

  /**
   * Whether a receipt is posted after virtual microbatch k (`recv_tensor_from_previous_stage`): the leading rank
   * (first for forwards, last for backwards) gets what the ending rank makes P-1 steps later.
   */
  expects(k: number, forward: boolean): boolean {
    if (!(forward ? this.first : this.last)) return true;
    if (k < this.ranks - 1) return false;
    const chunk = this.chunkOf(forward ? 'forwards' : 'backwards', k - (this.ranks - 1));
    return chunk !== (forward ? this.chunks - 1 : 0);
  }
}

/** Writes one rank's calls; receipts arrive in the order of the passes that need them. */
class MegatronRank {
  private receivedForwards = 0;
  private receivedGradients = 0;
  private sendNextHandle: number | undefined;
  private sendPreviousHandle: number | undefined;
  private readonly forwardHandles: number[] = [];
  private readonly gradientHandles: number[] = [];
  private readonly overlap: boolean;
  private readonly flush: boolean;

  constructor(
    private readonly w: CommWriter,
    private readonly work: RankWork,
    mode: P2pMode,
  ) {
    this.overlap = mode !== 'batched';
    this.flush = mode === 'overlap-flush';
  }

  private nextForwardInput(): number {
    while (this.receivedForwards < this.work.total && !this.work.needsForward(this.receivedForwards))
      this.receivedForwards += 1;
    const id = this.work.forwardInput(this.receivedForwards);
    this.receivedForwards += 1;
    return id;
  }
  private nextGradientInput(): number {
    while (this.receivedGradients < this.work.total && !this.work.needsGradient(this.receivedGradients))
      this.receivedGradients += 1;
    const id = this.work.gradientInput(this.receivedGradients);
    this.receivedGradients += 1;
    return id;
  }

  /** Posts a call's transfers in the order of `_batched_p2p_ops` or `_p2p_ops`; the latter depends on the rank's parity. */
  private ordered(calls: Calls): TransferSide[] {
    const op = (send: boolean, transfer: number | undefined): TransferSide[] =>
      transfer === undefined ? [] : [{ send, transfer }];
    const sn = op(true, calls.sendNext);
    const rp = op(false, calls.receivePrevious);
    const sp = op(true, calls.sendPrevious);
    const rn = op(false, calls.receiveNext);
    if (!this.overlap) return [...sp, ...rp, ...sn, ...rn];
    return this.work.rank % 2 === 0 ? [...sn, ...rp, ...sp, ...rn] : [...rp, ...sn, ...rn, ...sp];
  }

  /** A call that returns when everything is done. */
  private blocking(calls: Calls): void {
    const ops = this.ordered(calls);
    if (!this.overlap) {
      this.w.batch(ops);
      return;
    }
    for (const op of ops) this.w.post(op);
    for (const op of ops) this.w.wait(op);
  }

  /** A call that returns at once; handles are waited for later. */
  private posting(calls: Calls): void {
    for (const op of this.ordered(calls)) this.w.post(op);
    if (calls.receivePrevious !== undefined) this.forwardHandles.push(calls.receivePrevious);
    if (calls.receiveNext !== undefined) this.gradientHandles.push(calls.receiveNext);
  }
  private turnSendNext(next: number | undefined): void {
    if (this.sendNextHandle !== undefined) this.w.wait({ send: true, transfer: this.sendNextHandle });
    this.sendNextHandle = next;
  }
  private turnSendPrevious(next: number | undefined): void {
    if (this.sendPreviousHandle !== undefined) this.w.wait({ send: true, transfer: this.sendPreviousHandle });
    this.sendPreviousHandle = next;
  }
  private awaitForward(): void {
    const handle = this.forwardHandles.shift();
    if (handle !== undefined) this.w.wait({ send: false, transfer: handle });
  }
  private awaitGradient(): void {
    const handle = this.gradientHandles.shift();
    if (handle !== undefined) this.w.wait({ send: false, transfer: handle });
  }

  run(): void {
    if (this.work.needsForward(0)) this.blocking({ receivePrevious: this.nextForwardInput() });
    for (let k = 0; k < this.work.warmup; k += 1) this.warmup(k);
    const steady = this.work.total - this.work.warmup;
    for (let k = 0; k < steady; k += 1) {
      if (this.overlap) this.steadyOverlapped(k, k === steady - 1);
      else this.steadyBatched(k, k === steady - 1);
    }
    this.cooldown(steady);
    this.w.endRank();
  }

  private warmup(k: number): void {
    const { work } = this;
    if (this.flush && k > 0 && work.needsForward(k)) this.awaitForward();
    const receive = k < work.total - 1 && work.expects(k, true);
    const input = receive ? this.nextForwardInput() : undefined;
    if (this.flush && !work.first) this.posting({ receivePrevious: input });
    this.w.compute();
    const output = work.sendNext(k);
    const lastWarm = k === work.warmup - 1 && work.warmup < work.total;
    const gradient = lastWarm && !work.last ? this.nextGradientInput() : undefined;
    if (this.flush) {
      this.posting({ sendNext: output, ...(work.first ? { receivePrevious: input } : {}) });
      this.turnSendNext(output);
    } else if (this.overlap) this.blocking({ sendNext: output, receivePrevious: input });
    else this.blocking({ sendNext: output, receivePrevious: input, receiveNext: gradient });
    if (this.overlap && lastWarm) {
      this.posting({ receiveNext: gradient });
      this.turnSendPrevious(undefined);
    }
  }

  private steadyOverlapped(k: number, last: boolean): void {
    const { work } = this;
    const forward = k + work.warmup;
    if (work.needsForward(forward)) this.awaitForward();
    if (work.blocks) {
      if (work.needsGradient(k)) this.awaitGradient();
      this.w.compute();
      this.afterForward(forward, last);
      this.afterBackward(k);
      return;
    }
    this.w.compute();
    this.afterForward(forward, last);
    if (work.needsGradient(k)) this.awaitGradient();
    this.w.compute();
    this.afterBackward(k);
  }

  private afterForward(forward: number, last: boolean): void {
    const output = this.work.sendNext(forward);
    const receive = !last && this.work.expects(forward, true);
    this.posting({ sendNext: output, receivePrevious: receive ? this.nextForwardInput() : undefined });
    this.turnSendNext(output);
  }
  private afterBackward(k: number): void {
    const output = this.work.sendPrevious(k);
    const receive = k < this.work.total - 1 && this.work.expects(k, false);
    this.posting({ sendPrevious: output, receiveNext: receive ? this.nextGradientInput() : undefined });
    this.turnSendPrevious(output);
  }

  private steadyBatched(k: number, last: boolean): void {
    const { work } = this;
    const forward = k + work.warmup;
    this.w.compute();
    if (!work.blocks) this.w.compute();
    const receivePrevious = !last && work.expects(forward, true) ? this.nextForwardInput() : undefined;
    const receiveNext = k < work.total - 1 && work.expects(k, false) ? this.nextGradientInput() : undefined;
    this.blocking({
      sendNext: work.sendNext(forward),
      sendPrevious: work.sendPrevious(k),
      receivePrevious,
      receiveNext,
    });
  }

  private cooldown(steady: number): void {
    const { work } = this;
    if (steady === 0 && !work.last) this.blocking({ receiveNext: this.nextGradientInput() });
    for (let k = steady; k < work.total; k += 1) {
      if (this.overlap && k !== 0 && work.needsGradient(k)) this.awaitGradient();
      const receive = k < work.total - 1 && work.expects(k, false);
      const input = receive ? this.nextGradientInput() : undefined;
      if (this.flush && !work.last) this.posting({ receiveNext: input });
      this.w.compute();
      const output = work.sendPrevious(k);
      if (this.flush) {
        this.posting({ sendPrevious: output, ...(work.last ? { receiveNext: input } : {}) });
        this.turnSendPrevious(output);
      } else this.blocking({ sendPrevious: output, receiveNext: input });
    }
    if (this.sendPreviousHandle !== undefined) this.w.wait({ send: true, transfer: this.sendPreviousHandle });
  }
}

/**
 * Interleaved 1F1B's transfers as coded, with and without `overlap_p2p_comm` and its `warmup_flush`.
 * Source: Megatron-LM@d98e8a6 schedules.py `forward_backward_pipelining_with_interleaving`, p2p_communication.py.
 */
export function megatronInterleavedComm(order: ScheduleOrder, mode: P2pMode): CommProgram {
  const w = new CommWriter(order.stages * order.microbatches);
  for (let r = 0; r < order.ranks; r += 1) new MegatronRank(w, new RankWork(order, r, w.passes), mode).run();
  return w.finish();
}
