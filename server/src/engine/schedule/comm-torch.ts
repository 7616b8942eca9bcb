import type { CommProgram } from './comm-program';
import { CommWriter } from './comm-program';
import type { ScheduleOrder } from './order';
import { OP } from './order';
import type { TorchLine } from './torch-lower';
import { deferReceipts, LINE, torchLines } from './torch-lower';

/** Receipts are posted where they stand and waited for by their consumer; sends are waited for at the step's end. */
function writeRank(w: CommWriter, order: ScheduleOrder, lines: readonly TorchLine[]): void {
  const pass = (stage: number, m: number): number => stage * order.microbatches + m;
  const posted = new Set<number>();
  const sent: number[] = [];
  const await_ = (transfer: number): void => {
    if (posted.delete(transfer)) w.wait({ send: false, transfer: transfer });
  };
  const compute = (item: TorchLine): void => {
    const code = order.op[item.action];
    if (code === OP.F || code === OP.FB) await_(pass(item.stage - 1, item.microbatch));
    if (code === OP.FB) {
      await_(w.passes + pass((order.stage2[item.action] ?? 0) + 1, order.microbatch2[item.action] ?? 0));
    } else if (code === OP.B || code === OP.I) await_(w.passes + pass(item.stage + 1, item.microbatch));
    w.compute();
  };
  for (const item of lines) {
    const { kind, stage, microbatch } = item;
    if (kind === LINE.compute) compute(item);
    else if (kind === LINE.sendF || kind === LINE.sendB) {
      const transfer = pass(stage, microbatch) + (kind === LINE.sendB ? w.passes : 0);
      w.post({ send: true, transfer: transfer });
      sent.push(transfer);
    } else if (kind === LINE.receiveF || kind === LINE.receiveB) {
      const transfer = kind === LINE.receiveF ? pass(stage - 1, microbatch) : w.passes + pass(stage + 1, microbatch);
      w.post({ send: false, transfer: transfer });
      posted.add(transfer);
    }
  }
  for (const transfer of sent) w.wait({ send: true, transfer: transfer });
  w.endRank();
}

/**
 * torch's runtime for an order of one direction; undefined when torch could not lower it.
 * Source: torch 2.14.1 pipelining/schedules.py `_PipelineScheduleRuntime._step_microbatches`.
 */
export function torchComm(order: ScheduleOrder, deferred: boolean): CommProgram | undefined {
  const early = torchLines(order);
  if (early === undefined) return undefined;
  const lines = deferred ? deferReceipts(order, early) : early;
  const w = new CommWriter(order.stages * order.microbatches);
  for (const rank of lines) writeRank(w, order, rank);
  return w.finish();
}
