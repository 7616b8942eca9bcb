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

/** The sending or the receiving side of one transfer. */
export interface TransferSide {
  readonly send: boolean;
  readonly transfer: number;
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
  /** Posts one side of a transfer. */
  post(op: TransferSide): void {
    this.add(op.send ? STEP.postSend : STEP.postReceive, op.transfer);
  }
  /** Waits for one side of a transfer; `joined` when the same call waited just before. */
  wait(op: TransferSide, joined = false): void {
    this.add(op.send ? STEP.waitSend : STEP.waitReceive, op.transfer, joined ? 1 : 0);
  }

  /** One group call: everything is posted together and waited for together. */
  batch(ops: readonly TransferSide[]): void {
    for (const op of ops) this.post(op);
    ops.forEach((op, i) => {
      this.wait(op, i > 0);
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
