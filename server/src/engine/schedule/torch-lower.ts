import type { ScheduleOrder } from './order';
import { OP } from './order';
import { IntegerSet } from './integer-set';
import { stageRanks } from './stage-map';

/** Kinds of line in torch's schedule with communication. */
export const LINE = {
  compute: 0,
  sendF: 1,
  receiveF: 2,
  sendB: 3,
  receiveB: 4,
  unshard: 5,
  reshard: 6,
  reduceGrad: 7,
} as const;

/** One line of a rank's program; `action` is the order's action index for compute lines, else -1. */
export interface TorchLine {
  readonly kind: number;
  readonly stage: number;
  readonly microbatch: number;
  readonly action: number;
}

/** FSDP keeps so many stages gathered (`_add_unshard_reshard`, max_active_stages). */
const ACTIVE_STAGES = 3;

/** Where each of a rank's stages is used next, so that looking ahead does not scan the rest of the list. */
class NextUses {
  private readonly uses = new Map<number, number[]>();
  private readonly at = new Map<number, number>();

  constructor(order: ScheduleOrder, from: number, to: number) {
    const add = (stage: number, place: number): void => {
      const list = this.uses.get(stage);
      if (list === undefined) {
        this.uses.set(stage, [place]);
        this.at.set(stage, 0);
      } else list.push(place);
    };
    for (let i = from; i < to; i += 1) {
      add(order.stage[i] ?? 0, 2 * i);
      if (order.op[i] === OP.FB) add(order.stage2[i] ?? 0, 2 * i + 1);
    }
  }

  /** The stages used next from action `i` on; both of a block count before the look-ahead stops. */
  next(i: number, count: number): number[] {
    const upcoming: { readonly stage: number; readonly place: number }[] = [];
    for (const [stage, list] of this.uses) {
      let at = this.at.get(stage) ?? 0;
      while (at < list.length && (list[at] ?? 0) < 2 * i) at += 1;
      this.at.set(stage, at);
      const place = list[at];
      if (place !== undefined) upcoming.push({ stage, place });
    }
    upcoming.sort((a, b) => a.place - b.place);
    const out: number[] = [];
    for (const [n, use] of upcoming.entries()) {
      const sameAction = n > 0 && use.place >> 1 === (upcoming[n - 1]?.place ?? -2) >> 1;
      if (out.length >= count && !sameAction) break;
      out.push(use.stage);
    }
    return out;
  }
}

function line(kind: number, stage: number, microbatch = -1, action = -1): TorchLine {
  return { kind, stage, microbatch, action };
}

/** Adds the gathering and freeing of FSDP-sharded stages and the gradient reduction after a stage's last backward. */
function withSharding(order: ScheduleOrder, rank: number): TorchLine[] {
  const from = order.rankStart[rank] ?? 0;
  const to = order.rankStart[rank + 1] ?? 0;
  const uses = new NextUses(order, from, to);
  const active = new IntegerSet();
  const backwards = new Map<number, number>();
  const out: TorchLine[] = [];
  const backward = (stage: number): void => {
    const done = (backwards.get(stage) ?? 0) + 1;
    backwards.set(stage, done);
    if (done === order.microbatches) out.push(line(LINE.reduceGrad, stage));
  };
  for (let i = from; i < to; i += 1) {
    const next = uses.next(i, ACTIVE_STAGES);
    const fetch = next.filter((stage) => !active.has(stage));
    for (const stage of active.values().filter((held) => !next.includes(held))) {
      active.delete(stage);
      out.push(line(LINE.reshard, stage));
    }
    for (const stage of fetch) {
      active.add(stage);
      out.push(line(LINE.unshard, stage));
    }
    const code = order.op[i];
    out.push(line(LINE.compute, order.stage[i] ?? 0, order.microbatch[i] ?? 0, i));
    if (code === OP.FB) backward(order.stage2[i] ?? 0);
    else if (code === OP.B || code === OP.W) backward(order.stage[i] ?? 0);
  }
  for (const stage of active.values()) out.push(line(LINE.reshard, stage));
  return out;
}

/** Sends and receipts are placed when the producer runs: all ranks advance one line a round, in rank order. */
class Exchange {
  readonly lines: TorchLine[][];
  private readonly forwards: Uint8Array;
  private readonly backwards: Uint8Array;
  private readonly rankOf: Int32Array;

  constructor(private readonly order: ScheduleOrder) {
    this.lines = Array.from({ length: order.ranks }, () => []);
    this.forwards = new Uint8Array(order.stages * order.microbatches);
    this.backwards = new Uint8Array(order.stages * order.microbatches);
    this.rankOf = stageRanks(order);
  }

  private forwardReady(stage: number, m: number): boolean {
    return stage === 0 || this.forwards[(stage - 1) * this.order.microbatches + m] === 1;
  }
  private backwardReady(stage: number, m: number): boolean {
    return stage === this.order.stages - 1 || this.backwards[(stage + 1) * this.order.microbatches + m] === 1;
  }

  private ready(item: TorchLine): boolean {
    if (item.kind !== LINE.compute) return true;
    const { op, stage2, microbatch2 } = this.order;
    const code = op[item.action];
    if (code === OP.W) return true;
    if (code === OP.B || code === OP.I) return this.backwardReady(item.stage, item.microbatch);
    if (!this.forwardReady(item.stage, item.microbatch)) return false;
    return code !== OP.FB || this.backwardReady(stage2[item.action] ?? 0, microbatch2[item.action] ?? 0);
  }

  private exchange(rank: number, stage: number, peer: number, m: number, forward: boolean): void {
    const other = this.rankOf[peer] ?? -1;
    if (other < 0 || other === rank) return;
    this.lines[rank]?.push(line(forward ? LINE.sendF : LINE.sendB, stage, m));
    this.lines[other]?.push(line(forward ? LINE.receiveF : LINE.receiveB, peer, m));
  }

  private forwardRan(rank: number, stage: number, m: number): void {
    this.forwards[stage * this.order.microbatches + m] = 1;
    if (stage < this.order.stages - 1) this.exchange(rank, stage, stage + 1, m, true);
  }
  private backwardRan(rank: number, stage: number, m: number): void {
    this.backwards[stage * this.order.microbatches + m] = 1;
    if (stage > 0) this.exchange(rank, stage, stage - 1, m, false);
  }

  /** Places one line if it can run. */
  place(rank: number, item: TorchLine): boolean {
    if (!this.ready(item)) return false;
    this.lines[rank]?.push(item);
    if (item.kind !== LINE.compute) return true;
    const { op, stage2, microbatch2 } = this.order;
    const code = op[item.action];
    if (code === OP.F || code === OP.FB) this.forwardRan(rank, item.stage, item.microbatch);
    if (code === OP.FB) this.backwardRan(rank, stage2[item.action] ?? 0, microbatch2[item.action] ?? 0);
    else if (code === OP.B || code === OP.I) this.backwardRan(rank, item.stage, item.microbatch);
    return true;
  }
}

/**
 * The schedule with communication that torch's runtime would run for an order of one direction.
 * Undefined when sends and receipts cannot be placed (torch: "Malformed compute schedule").
 * Source: torch 2.14.1 pipelining/schedules.py `_add_unshard_reshard`, `_add_reduce_grad`, `_add_send_recv`.
 */
export function torchLines(order: ScheduleOrder): TorchLine[][] | undefined {
  if (order.bidirectional) return undefined;
  const queues = Array.from({ length: order.ranks }, (_, r) => withSharding(order, r));
  const at = new Int32Array(order.ranks);
  const exchange = new Exchange(order);
  let left = queues.filter((queue) => queue.length > 0).length;
  while (left > 0) {
    let progress = false;
    for (let r = 0; r < order.ranks; r += 1) {
      const item = queues[r]?.[at[r] ?? 0];
      if (item === undefined || !exchange.place(r, item)) continue;
      progress = true;
      at[r] = (at[r] ?? 0) + 1;
      if (at[r] === queues[r]?.length) left -= 1;
    }
    if (!progress) return undefined;
  }
  return exchange.lines;
}

function peerOf(rankOf: Int32Array, item: TorchLine): number {
  const up = item.kind === LINE.sendF || item.kind === LINE.receiveB;
  return rankOf[item.stage + (up ? 1 : -1)] ?? -1;
}

/** Keeps receipts back until their consumer, or until a send from a lower rank to the same peer would cross them. */
function deferRank(order: ScheduleOrder, lines: readonly TorchLine[], rank: number, rankOf: Int32Array): TorchLine[] {
  const out: TorchLine[] = [];
  const held = new Map<string, TorchLine>();
  const release = (kind: number, stage: number, m: number): void => {
    const key = `${kind} ${stage} ${m}`;
    const item = held.get(key);
    if (item === undefined) return;
    held.delete(key);
    out.push(item);
  };
  for (const item of lines) {
    if (item.kind === LINE.receiveF || item.kind === LINE.receiveB) {
      held.set(`${item.kind} ${item.stage} ${item.microbatch}`, item);
      continue;
    }
    if (item.kind === LINE.sendF || item.kind === LINE.sendB) {
      const peer = peerOf(rankOf, item);
      if (rank < peer) {
        for (const [key, waiting] of [...held]) {
          if (peerOf(rankOf, waiting) !== peer) continue;
          held.delete(key);
          out.push(waiting);
        }
      }
    } else if (item.kind === LINE.compute) {
      const code = order.op[item.action];
      if (code === OP.F || code === OP.FB) release(LINE.receiveF, item.stage, item.microbatch);
      if (code === OP.FB) release(LINE.receiveB, order.stage2[item.action] ?? 0, order.microbatch2[item.action] ?? 0);
      else if (code === OP.B || code === OP.I) release(LINE.receiveB, item.stage, item.microbatch);
    }
    out.push(item);
  }
  return out;
}

/** The same with `defer_pp_recv`. Source: torch 2.14.1 pipelining/schedules.py `_defer_recv_ops`. */
export function deferReceipts(order: ScheduleOrder, lines: readonly (readonly TorchLine[])[]): TorchLine[][] {
  const rankOf = stageRanks(order);
  return lines.map((rank, r) => deferRank(order, rank, r, rankOf));
}
