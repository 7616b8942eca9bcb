import { STEP } from '../../engine/schedule/comm-program';
import type { ScheduleOrder } from '../../engine/schedule/order';
import type { P2pMode } from '../../engine/schedule/p2p-mode';
import { commProgram } from '../../engine/schedule/rendezvous';
import { microbatchesPerDirection } from '../../engine/schedule/stage-map';
import { actionToken } from './tokens';

function transferToken(order: ScheduleOrder, pass: number, passes: number, sending: boolean): string {
  const backward = pass >= passes;
  const flat = backward ? pass - passes : pass;
  const perStage = microbatchesPerDirection(order);
  const line = Math.floor(flat / perStage);
  const direction = Math.floor(line / order.stages);
  const producer = line % order.stages;
  const arrow = order.bidirectional ? (direction === 1 ? '<' : '>') : '';
  // A send is named by its own stage, a receipt by the stage that gets it.
  const stage = sending ? producer : producer + (backward ? -1 : 1);
  return `${arrow}${stage}${sending ? 'SEND' : 'RECV'}_${backward ? 'B' : 'F'}${flat % perStage}`;
}

/**
 * What each rank does with the points where it waits for transfers: `{a|b}` is one call that waits for both.
 * Undefined where the mode is not modelled for the kind.
 */
export function commTokens(order: ScheduleOrder, mode: P2pMode): string[][] | undefined {
  const program = commProgram(order, mode);
  if (program === undefined) return undefined;
  const out: string[][] = [];
  for (let r = 0; r < order.ranks; r += 1) {
    const tokens: string[] = [];
    let action = order.rankStart[r] ?? 0;
    const end = program.rankStart[r + 1] ?? 0;
    for (let at = program.rankStart[r] ?? 0; at < end; at += 1) {
      const step = program.step[at];
      if (step === STEP.compute) tokens.push(actionToken(order, action++));
      else if (step === STEP.waitSend || step === STEP.waitReceive) {
        const token = transferToken(order, program.transfer[at] ?? 0, program.passes, step === STEP.waitSend);
        const before = tokens[tokens.length - 1];
        if (program.joined[at] === 1 && before !== undefined)
          tokens[tokens.length - 1] = `${before.slice(0, -1)}|${token}}`;
        else tokens.push(`{${token}}`);
      }
    }
    out.push(tokens);
  }
  return out;
}
