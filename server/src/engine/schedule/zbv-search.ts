import type { DurationsInput } from './durations';
import { durationTable, isUniform } from './durations';
import type { ScheduleOrder, ScheduleRefusal } from './order';
import { OP } from './order';
import { endRank, finishOrder, orderWriter, put as write } from './order-writer';
import { nearestLegal, refuse } from './refusal';
import type { SizedSpec } from './spec';

type Kind = 0 | 1 | 2;
type Leg = 0 | 1;
const F = 0;
const B = 1;
const W = 2;
const MEMORY = [2, -1, -1] as const;

/** One cost a kind of pass and chunk: sail's V searches know no uneven stages. */
interface VCosts {
  readonly cost: readonly [number, number, number];
  readonly comm: number;
}

/** The middle over the ranks of the mean of a rank's two chunks, stages r and 2P-1-r: runtime.py `avg_then_mid`. */
function meanThenMiddle(column: Float64Array): number {
  const ranks = column.length / 2;
  const means = Float64Array.from({ length: ranks }, (_, rank) => {
    return ((column[rank] ?? 0) + (column[2 * ranks - 1 - rank] ?? 0)) / 2;
  }).sort();
  return means[Math.floor(ranks / 2)] ?? 0;
}

/** Costs of F, I and W of one chunk as the V searches take them. */
function vCosts(durations: DurationsInput, ranks: number): VCosts {
  if (isUniform(durations)) return { cost: [durations.F, durations.I, durations.W], comm: durations.comm };
  const { F: f, I: i, W: w, comm } = durationTable(durations, 2 * ranks);
  return { cost: [meanThenMiddle(f), meanThenMiddle(i), meanThenMiddle(w)], comm };
}

/** The search ran into one of the original's own assertions; caught where the search starts. */
class SearchFailed extends Error {}

/** Which gaps the search may fill with a weight half that is longer than the gap. */
interface Fill {
  readonly beforeForward: boolean;
  readonly beforeBackward: boolean;
}

interface Approved {
  readonly bubble: Float64Array;
  readonly worst: number;
}

/**
 * One greedy run over the V. A pass is (kind, leg, rank): a leg is the first or second time a kind passes the rank,
 * so the first backward leg belongs to the second chunk. `done` counts passes by kind · 2 + leg.
 */
class VRun {
  readonly end: Float64Array;
  private readonly now: Float64Array;
  private readonly memory: Int32Array;
  readonly bubble: Float64Array;
  worst = 0;
  /** Whether a choice of `fill` decided anything; if not, the other choice repeats this run. */
  readonly mattered = { beforeForward: false, beforeBackward: false };
  private readonly done: Int32Array;
  /** kind · 2 + leg of the n-th pass: rank · 6 · microbatches + n. */
  readonly sequence: Uint8Array;
  private readonly placed: Int32Array;
  /** Legs of the weight halves that wait, in order, and how many were taken. */
  private readonly pending: Uint8Array;
  private readonly pendingTaken: Int32Array;
  private readonly pendingAdded: Int32Array;
  private readonly maxMemory: number;

  constructor(
    private readonly n: number,
    private readonly m: number,
    private readonly costs: VCosts,
    private readonly fill: Fill,
    private readonly approved: Approved,
  ) {
    this.end = new Float64Array(6 * n * m).fill(-1);
    this.now = new Float64Array(n);
    this.memory = new Int32Array(n);
    this.bubble = new Float64Array(n);
    this.done = new Int32Array(6 * n);
    this.sequence = new Uint8Array(6 * n * m);
    this.placed = new Int32Array(n);
    this.pending = new Uint8Array(2 * n * m);
    this.pendingTaken = new Int32Array(n);
    this.pendingAdded = new Int32Array(n);
    this.maxMemory = MEMORY[F] * n * 2;
  }

  private id(kind: Kind, leg: Leg, rank: number, micro: number): number {
    return ((kind * 2 + leg) * this.n + rank) * this.m + micro;
  }
  private count(kind: Kind, leg: Leg, rank: number): number {
    return this.done[rank * 6 + kind * 2 + leg] ?? 0;
  }
  private mem(rank: number): number {
    return this.memory[rank] ?? 0;
  }
  private time(rank: number): number {
    return this.now[rank] ?? 0;
  }
  /** End of a pass by id; the original reads the last element for "no such pass", and so does this. */
  private at(id: number): number {
    return this.end[id < 0 ? this.end.length - 1 : id] ?? 0;
  }
  private hasPending(rank: number): boolean {
    return (this.pendingTaken[rank] ?? 0) < (this.pendingAdded[rank] ?? 0);
  }

  private put(kind: Kind, leg: Leg, rank: number): void {
    const micro = this.count(kind, leg, rank);
    const memory = this.mem(rank) + MEMORY[kind];
    if (micro >= this.m || memory > this.maxMemory) throw new SearchFailed();
    this.checkOwn(kind, leg, rank, micro);
    const cost = this.costs.cost[kind];
    const packed = this.time(rank) + cost;
    let t = packed;
    const peer = leg === 1 ? rank + 1 : rank - 1;
    if (kind !== W && peer >= 0 && peer < this.n) {
      const arrival = this.end[this.id(kind, leg, peer, micro)] ?? -1;
      if (arrival < 0) throw new SearchFailed();
      t = Math.max(t, arrival + this.costs.comm + cost);
    }
    if (this.count(F, 0, rank) > 0) {
      const bubble = (this.bubble[rank] ?? 0) + (t - packed);
      this.bubble[rank] = bubble;
      if (bubble > this.worst) this.worst = bubble;
    }
    this.end[this.id(kind, leg, rank, micro)] = t;
    this.now[rank] = t;
    this.memory[rank] = memory;
    const place = this.placed[rank] ?? 0;
    this.sequence[rank * 6 * this.m + place] = kind * 2 + leg;
    this.placed[rank] = place + 1;
    if (kind === B) {
      const added = this.pendingAdded[rank] ?? 0;
      this.pending[rank * 2 * this.m + added] = leg;
      this.pendingAdded[rank] = added + 1;
    }
    this.done[rank * 6 + kind * 2 + leg] = micro + 1;
  }

  /** The pass before this one on the same rank must have run: F0, F1, B0, B1, and B before its W. */
  private checkOwn(kind: Kind, leg: Leg, rank: number, micro: number): void {
    const last = kind * 2 + leg - 1;
    if (last < 0) return;
    const id = kind === W ? this.id(B, leg, rank, micro) : (last * this.n + rank) * this.m + micro;
    if (!((this.end[id] ?? -1) >= 0)) throw new SearchFailed();
  }

  private putWeight(rank: number): void {
    if (!this.hasPending(rank)) throw new SearchFailed();
    const taken = this.pendingTaken[rank] ?? 0;
    this.pendingTaken[rank] = taken + 1;
    this.put(W, this.pending[rank * 2 * this.m + taken] === 1 ? 1 : 0, rank);
  }

  private makeRoom(rank: number, memory: number): void {
    while (this.mem(rank) + memory > this.maxMemory) this.putWeight(rank);
  }

  private allowedBubble(rank: number): number {
    return Math.max(this.worst, this.approved.worst - (this.approved.bubble[rank] ?? 0)) - (this.bubble[rank] ?? 0);
  }

  private warmUp(): void {
    const { n, m } = this;
    for (let i = 0; i < n; i += 1) this.put(F, 0, i);
    for (let i = n - 1; i >= 0; i -= 1) {
      if (i < n - 1) {
        const arrival = (this.end[this.id(F, 1, i + 1, 0)] ?? 0) + this.costs.comm;
        while (
          this.mem(i) + MEMORY[F] * (2 + i * 2) <= this.maxMemory &&
          this.time(i) + this.costs.cost[F] <= arrival &&
          this.count(F, 0, i) < m
        ) {
          for (let j = 0; j <= i; j += 1) this.put(F, 0, j);
        }
      }
      this.put(F, 1, i);
    }
    let leg: Leg = 0;
    for (let i = 1; i < n; i += 1) {
      while (this.lagsBehind(i)) {
        for (let j = n - 1; j >= i; j -= 1) if (this.count(F, leg, j) < m) this.put(F, leg, j);
        leg = leg === 0 ? 1 : 0;
      }
    }
  }

  private lagsBehind(i: number): boolean {
    const own = this.count(F, 1, i);
    const before = this.count(F, 1, i - 1);
    const all = this.count(F, 0, i) + own;
    return all < this.count(F, 0, i - 1) + before || (own <= before && before < this.m);
  }

  /** Fills the gap before a pass that waits for pass `source` with weight halves. */
  private fillGap(rank: number, source: number, choice: keyof Fill | undefined): void {
    const { comm, cost } = this.costs;
    while (this.hasPending(rank) && source >= 0 && this.at(source) + comm >= this.time(rank) + cost[W]) {
      this.putWeight(rank);
    }
    if (!this.hasPending(rank)) return;
    if (!(this.at(source) + comm - this.time(rank) > this.allowedBubble(rank))) return;
    if (choice !== undefined) this.mattered[choice] = true;
    if (choice === undefined || this.fill[choice]) this.putWeight(rank);
  }

  private backwardLeg(rank: number): Leg {
    if (this.count(B, 1, rank) >= this.count(B, 0, rank)) return 0;
    if (rank === this.n - 1) return 1;
    const above = this.end[this.id(B, 1, rank + 1, this.count(B, 1, rank))] ?? -1;
    return above >= 0 || this.count(B, 0, rank) >= this.m ? 1 : 0;
  }

  private backward(rank: number, leg: Leg): void {
    let source = -1;
    if (leg === 1 && rank < this.n - 1) source = this.id(B, 1, rank + 1, this.count(B, 1, rank));
    if (leg === 0 && rank > 0) source = this.id(B, 0, rank - 1, this.count(B, 0, rank));
    // A second leg's gap is always filled; only the first leg's is a choice.
    this.fillGap(rank, source, leg === 1 ? undefined : 'beforeBackward');
    this.put(B, leg, rank);
  }

  private forwardLeg(rank: number): Leg | undefined {
    if (this.count(F, 1, rank) >= this.m) return undefined;
    if (this.count(F, 1, rank) >= this.count(F, 0, rank)) return 0;
    if (rank === this.n - 1) return 1;
    if ((this.end[this.id(F, 1, rank + 1, this.count(F, 1, rank))] ?? -1) >= 0) return 1;
    if (this.count(F, 0, rank) >= this.m) return undefined;
    if (rank === 0) return 0;
    return (this.end[this.id(F, 0, rank - 1, this.count(F, 0, rank))] ?? -1) >= 0 ? 0 : undefined;
  }

  private forward(rank: number): void {
    const leg = this.forwardLeg(rank);
    if (leg === undefined) return;
    this.makeRoom(rank, MEMORY[F]);
    let source = -1;
    if (leg === 0 && rank > 0) source = this.id(F, 0, rank - 1, this.count(F, 0, rank));
    if (leg === 1 && rank < this.n - 1) source = this.id(F, 1, rank + 1, this.count(F, 1, rank));
    this.fillGap(rank, source, 'beforeForward');
    this.put(F, leg, rank);
  }

  run(): void {
    this.warmUp();
    for (let round = 0; round < 2 * this.m; round += 1) {
      const legs = new Uint8Array(this.n);
      for (let i = 0; i < this.n; i += 1) this.makeRoom(i, MEMORY[B]);
      for (let i = 0; i < this.n; i += 1) legs[i] = this.backwardLeg(i);
      // Second legs run from the far end, then first legs from the near end: each sees its producer's result.
      for (let i = this.n - 1; i >= 0; i -= 1) if (legs[i] === 1) this.backward(i, 1);
      for (let i = 0; i < this.n; i += 1) if (legs[i] === 0) this.backward(i, 0);
      for (let i = 0; i < this.n; i += 1) this.forward(i);
    }
    for (let i = 0; i < this.n; i += 1) while (this.hasPending(i)) this.putWeight(i);
  }
}

/** What one choice led to, and whether the choices decided anything on the way. */
interface Improved {
  readonly run: VRun;
  readonly fill: Fill;
  readonly mattered: Fill;
}

/** Runs once, then again knowing how much bubble each rank had, for as long as that helps. */
function improve(n: number, m: number, costs: VCosts, fill: Fill, approved: Approved): Improved {
  const run = new VRun(n, m, costs, fill, approved);
  run.run();
  const own = { run, fill, mattered: run.mattered };
  if (approved.worst >= 0 && run.worst >= approved.worst) return own;
  const next = improve(n, m, costs, fill, { bubble: run.bubble, worst: run.worst });
  const mattered = {
    beforeForward: run.mattered.beforeForward || next.mattered.beforeForward,
    beforeBackward: run.mattered.beforeBackward || next.mattered.beforeBackward,
  };
  return { run: next.run.worst < run.worst ? next.run : run, fill, mattered };
}

function bestRun(n: number, m: number, costs: VCosts): VRun | undefined {
  let best: VRun | undefined;
  const tried: Improved[] = [];
  for (const beforeBackward of [true, false]) {
    for (const beforeForward of [true, false]) {
      const approved = { bubble: new Float64Array(n).fill(-1), worst: -1 };
      const repeats = ({ fill, mattered }: Improved): boolean =>
        (fill.beforeForward === beforeForward || !mattered.beforeForward) &&
        (fill.beforeBackward === beforeBackward || !mattered.beforeBackward);
      if (tried.some(repeats)) continue;
      try {
        const answer = improve(n, m, costs, { beforeForward, beforeBackward }, approved);
        tried.push(answer);
        if (best === undefined || answer.run.worst < best.worst) best = answer.run;
      } catch (error) {
        if (error instanceof SearchFailed) return undefined;
        throw error;
      }
    }
  }
  return best;
}

/** Stage and op code of a V pass: forwards visit chunk 0 first, backwards and their weights chunk 1 first. */
export function vStage(code: number, rank: number, ranks: number): number {
  const leg = code % 2;
  const chunk = code < 2 ? leg : 1 - leg;
  return chunk === 0 ? rank : 2 * ranks - 1 - rank;
}

export const V_OPS = [OP.F, OP.F, OP.I, OP.I, OP.W, OP.W] as const;

/**
 * ZB-V: two stages a rank on a V, weight halves placed by a greedy search with 1F1B's activation memory on every rank.
 * Source: sail-sg/zero-bubble@39f2c18 scheduler/zbv.py `PipelineGraph.try_v_schedule`; arXiv 2401.10241 section 6.
 */
export function zbvSearch(spec: SizedSpec, durations: DurationsInput): ScheduleOrder | ScheduleRefusal {
  const { ranks, microbatches } = spec;
  const costs = vCosts(durations, ranks);
  const run = bestRun(ranks, microbatches, costs);
  if (run === undefined) {
    const reach = 2 * ranks + 1;
    return refuse(
      'zbv-microbatches',
      `sail's ZB-V search cannot place ${microbatches} microbatches on ${ranks} ranks: its warm-up runs out of microbatches (zbv.py).`,
      'microbatches',
      microbatches,
      nearestLegal(microbatches, (m) => m <= reach && bestRun(ranks, m, costs) !== undefined, reach),
    );
  }
  const w = orderWriter(ranks, 6 * ranks * microbatches);
  const counters = new Int32Array(6);
  for (let r = 0; r < ranks; r += 1) {
    counters.fill(0);
    const from = r * 6 * microbatches;
    for (let i = from; i < from + 6 * microbatches; i += 1) {
      const code = run.sequence[i] ?? 0;
      const micro = counters[code] ?? 0;
      counters[code] = micro + 1;
      write(w, V_OPS[code] ?? OP.F, vStage(code, r, ranks), micro);
    }
    endRank(w);
  }
  return finishOrder(w, {
    kind: spec.kind,
    ranks,
    microbatches,
    chunks: 2,
    stages: 2 * ranks,
    bidirectional: false,
  });
}
