import type { CommProgram, TransferSide } from './comm-program';
import { CommWriter } from './comm-program';
import type { ScheduleOrder } from './order';

/**
 * 1F1B's transfers as coded: a forward's result is sent in one call with the receipt of the next gradient, and the
 * other way round, so neighbours in the steady state wait for each other.
 * Source: Megatron-LM@d98e8a6 schedules.py `forward_backward_pipelining_without_interleaving`.
 */
export function oneFOneBComm(order: ScheduleOrder): CommProgram {
  const { ranks, microbatches } = order;
  const w = new CommWriter(ranks * microbatches);
  for (let r = 0; r < ranks; r += 1) {
    const first = r === 0;
    const last = r === ranks - 1;
    const receiveF = (m: number): TransferSide[] =>
      first ? [] : [{ send: false, transfer: (r - 1) * microbatches + m }];
    const sendF = (m: number): TransferSide[] => (last ? [] : [{ send: true, transfer: r * microbatches + m }]);
    const receiveB = (m: number): TransferSide[] =>
      last ? [] : [{ send: false, transfer: w.passes + (r + 1) * microbatches + m }];
    const sendB = (m: number): TransferSide[] =>
      first ? [] : [{ send: true, transfer: w.passes + r * microbatches + m }];
    const warmup = Math.min(ranks - r - 1, microbatches);
    for (let m = 0; m < warmup; m += 1) {
      w.batch(receiveF(m));
      w.compute();
      w.batch(sendF(m));
    }
    if (warmup < microbatches) w.batch(receiveF(warmup));
    for (let m = warmup; m < microbatches; m += 1) {
      const back = m - warmup;
      w.compute();
      w.batch([...sendF(m), ...receiveB(back)]);
      w.compute();
      w.batch(m + 1 < microbatches ? [...sendB(back), ...receiveF(m + 1)] : sendB(back));
    }
    for (let m = microbatches - warmup; m < microbatches; m += 1) {
      w.batch(receiveB(m));
      w.compute();
      w.batch(sendB(m));
    }
    w.endRank();
  }
  return w.finish();
}
