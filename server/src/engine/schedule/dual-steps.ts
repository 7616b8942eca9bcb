/**
 * The eight steps that DualPipe and DualPipeV share. Both run two streams of microbatches, called phases: DualPipe's
 * two directions, or the two legs of DualPipeV's V.
 */
export type Phase = 0 | 1;

/** What one rank does, step by step; transfers are gathered and made together at `commit`. */
export interface DualSink {
  forward(phase: Phase): void;
  backward(phase: Phase): void;
  /** Backward for the input; its weight half is put off. */
  backwardInput(phase: Phase): void;
  /** The oldest weight half that was put off. */
  weight(): void;
  /** One overlapped block: a forward of one phase with a backward of the other. */
  block(forwardPhase: Phase, backwardPhase: Phase): void;
  receiveForward(phase: Phase): void;
  receiveBackward(phase: Phase): void;
  sendForward(phase: Phase): void;
  sendBackward(phase: Phase): void;
  commit(): void;
}

export interface DualRank {
  /** Hops on the way of the pipe: P / 2 for DualPipe, P for DualPipeV. */
  readonly hops: number;
  /** Place of the rank on that way, 0 at the outer end. */
  readonly place: number;
  /** Microbatches that run through each phase. */
  readonly microbatches: number;
  /** DualPipeV hands step 2's first forward on only after the second ran, on every rank; DualPipe not in the middle. */
  readonly sendFirstAtOnce: boolean;
}

interface Transfers {
  readonly receive?: boolean;
  readonly send?: boolean;
}

function forwardPass(sink: DualSink, phase: Phase, { receive = true, send = true }: Transfers = {}): void {
  if (receive) sink.receiveForward(phase);
  sink.commit();
  sink.forward(phase);
  if (send) sink.sendForward(phase);
}

function backwardPass(sink: DualSink, phase: Phase, split: boolean, send = true): void {
  sink.receiveBackward(phase);
  sink.commit();
  if (split) sink.backwardInput(phase);
  else sink.backward(phase);
  if (send) sink.sendBackward(phase);
}

function blockPass(sink: DualSink, forwardPhase: Phase, backwardPhase: Phase, receive = true): void {
  if (receive) sink.receiveForward(forwardPhase);
  sink.receiveBackward(backwardPhase);
  sink.commit();
  sink.block(forwardPhase, backwardPhase);
  sink.sendForward(forwardPhase);
  sink.sendBackward(backwardPhase);
}

function weightPass(sink: DualSink): void {
  sink.commit();
  sink.weight();
}

function times(count: number, body: (i: number) => void): void {
  for (let i = 0; i < count; i += 1) body(i);
}

/** Steps 1 to 3: fill the pipe from this end, let both phases pass, drain the other early with weights put off. */
function fill(sink: DualSink, rank: DualRank, inner: number, outer: number): void {
  const innermost = outer === 0;
  times(2 * outer, () => forwardPass(sink, 0));
  sink.receiveForward(0);
  times(inner, (i) => {
    forwardPass(sink, 0, { receive: false, send: rank.sendFirstAtOnce });
    sink.receiveForward(0);
    forwardPass(sink, 1, { send: !innermost || i < inner - 1 });
    if (!rank.sendFirstAtOnce) sink.sendForward(0);
  });
  times(outer, () => {
    backwardPass(sink, 1, true);
    sink.receiveForward(1);
    weightPass(sink);
    forwardPass(sink, 1, { receive: false });
  });
}

/** Step 4: two overlapped blocks a round; the innermost ranks run their first pair one after the other. */
function steady(sink: DualSink, rounds: number, innermost: boolean): void {
  times(rounds, (i) => {
    if (i > 0) blockPass(sink, 0, 1);
    else if (!innermost) blockPass(sink, 0, 1, false);
    else {
      forwardPass(sink, 0, { receive: false, send: false });
      sink.sendForward(1);
      backwardPass(sink, 1, false, false);
      sink.sendForward(0);
      sink.sendBackward(1);
    }
    blockPass(sink, 1, 0);
  });
}

/** Steps 5 to 8: the last blocks, then backwards; from the middle of step 6 on weight halves fill the end. */
function drain(sink: DualSink, inner: number, outer: number): void {
  times(outer, () => {
    backwardPass(sink, 1, false);
    blockPass(sink, 1, 0);
  });
  const middle = Math.floor(inner / 2);
  const oddPlace = (inner - 1) % 2 === 1;
  times(inner, (i) => {
    backwardPass(sink, 1, i > middle || (i === middle && oddPlace));
    backwardPass(sink, 0, i >= middle);
  });
  times(outer, () => {
    weightPass(sink);
    backwardPass(sink, 0, true);
  });
  times(inner, () => weightPass(sink));
  sink.commit();
}

/**
 * Runs the eight steps of one rank into a sink.
 * Source: deepseek-ai/DualPipe@3da1bbe, `DualPipe.step` and `DualPipeV.step`.
 */
export function runDualRank(sink: DualSink, rank: DualRank): void {
  const inner = rank.place + 1;
  const outer = rank.hops - rank.place - 1;
  fill(sink, rank, inner, outer);
  steady(sink, rank.microbatches - 2 * rank.hops + inner, outer === 0);
  drain(sink, inner, outer);
}
