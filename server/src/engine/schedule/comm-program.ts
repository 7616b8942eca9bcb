/** Steps of a rank's program: run its next action, post one side of a transfer, or wait for one. */
export const STEP = { compute: 0, postSend: 1, postReceive: 2, waitSend: 3, waitReceive: 4 } as const;

/**
 * What each rank really does, transfers included. A transfer is named by the pass whose result it carries:
 * (direction · stages + stage) · microbatches + microbatch, backwards after all forwards.
 */
export interface CommProgram {
  readonly rankStart: Int32Array;
  readonly step: Uint8Array;
  /** The transfer of a post or wait; unused for compute steps, which run the rank's actions in order. */
  readonly transfer: Int32Array;
  /** 1 where a wait belongs to the same call as the wait before it. */
  readonly joined: Uint8Array;
  readonly passes: number;
}

/** Gathers the steps of all ranks, rank after rank. */
export class CommWriter {
  private readonly steps: number[] = [];
  private readonly transfers: number[] = [];
  private readonly joins: number[] = [];
  private readonly starts: number[] = [0];

  constructor(readonly passes: number) {}

  private add(step: number, transfer: number, joined = 0): void {
    this.steps.push(step);
    this.transfers.push(transfer);
    this.joins.push(joined);
  }

  compute(): void {
    this.add(STEP.compute, -1);
  }
  postSend(transfer: number): void {
    this.add(STEP.postSend, transfer);
  }
  postReceive(transfer: number): void {
    this.add(STEP.postReceive, transfer);
  }
  waitSend(transfer: number, joined = false): void {
    this.add(STEP.waitSend, transfer, joined ? 1 : 0);
  }
  waitReceive(transfer: number, joined = false): void {
    this.add(STEP.waitReceive, transfer, joined ? 1 : 0);
  }

  /** One group call: everything is posted together and waited for together. */
  batch(ops: readonly { readonly send: boolean; readonly transfer: number }[]): void {
    for (const op of ops) (op.send ? this.postSend(op.transfer) : this.postReceive(op.transfer));
    ops.forEach((op, i) => {
      if (op.send) this.waitSend(op.transfer, i > 0);
      else this.waitReceive(op.transfer, i > 0);
    });
  }

  endRank(): void {
    this.starts.push(this.steps.length);
  }

  finish(): CommProgram {
    return {
      rankStart: Int32Array.from(this.starts),
      step: Uint8Array.from(this.steps),
      transfer: Int32Array.from(this.transfers),
      joined: Uint8Array.from(this.joins),
      passes: this.passes,
    };
  }
}
