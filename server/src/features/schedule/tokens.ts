import type { ScheduleOrder } from '../../engine/schedule/order';
import { OP } from '../../engine/schedule/order';

const LETTER = ['F', 'B', 'I', 'W', ''] as const;

/** Token of action `i`: torch's compute-only grammar, with `>` or `<` before the stage where an order has two directions. */
export function actionToken(order: ScheduleOrder, i: number): string {
  const arrow = (direction: number | undefined): string => (order.bidirectional ? (direction === 1 ? '<' : '>') : '');
  const code = order.op[i] ?? 0;
  const first = `${arrow(order.direction[i])}${order.stage[i] ?? 0}`;
  const microbatch = order.microbatch[i] ?? 0;
  if (code !== OP.FB) return `${first}${LETTER[code] ?? ''}${microbatch}`;
  const second = `${arrow(order.direction2[i])}${order.stage2[i] ?? 0}B${order.microbatch2[i] ?? 0}`;
  return `(${first}F${microbatch};${second})OVERLAP_F_B`;
}

/** Tokens of every rank, in order: the `actions` of the schedule interface. */
export function orderTokens(order: ScheduleOrder): string[][] {
  const out: string[][] = [];
  for (let r = 0; r < order.ranks; r += 1) {
    const tokens: string[] = [];
    const end = order.rankStart[r + 1] ?? 0;
    for (let i = order.rankStart[r] ?? 0; i < end; i += 1) tokens.push(actionToken(order, i));
    out.push(tokens);
  }
  return out;
}
