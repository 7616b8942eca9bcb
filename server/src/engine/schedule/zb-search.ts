import type { DurationsInput, DurationTable } from './durations';
import { durationTable } from './durations';
import type { ScheduleOrder, ScheduleRefusal } from './order';
import { OP } from './order';
import { endRank, finishOrder, orderWriter, put } from './order-writer';
import { refuse } from './refusal';
import type { SizedSpec } from './spec';

/** Kinds of pass as the search counts them. */
const F = 0;
const B = 1;
const W = 2;
/** Memory of one microbatch in the search's unit: a forward takes two, each half of the backward gives one back. */
const MEMORY = [2, -1, -1] as const;

/** The three choices of the search; sail tries all eight combinations, which often come down to few. */
interface Knobs {
  /** One more warm-up forward even when it makes the first backward wait. */
  readonly bubbleBeforeFirstB: boolean;
  /** Leave a forward out when the next backward is close. */
  readonly prioritizeB: boolean;
  /** Put a weight half into a gap that is shorter than it, even where the worst stage would not mind the gap. */
  readonly fillGreedily: boolean;
}

type KnobName = keyof Knobs;
const KNOBS: readonly KnobName[] = ['bubbleBeforeFirstB', 'prioritizeB', 'fillGreedily'];

/** State of one greedy run; ends are by stage · microbatches + microbatch. */
class GreedyRun {
  readonly ends: readonly [Float64Array, Float64Array, Float64Array];
  /** Passes done on each stage, by kind. */
  readonly done: readonly [Int32Array, Int32Array, Int32Array];
  readonly memory: Float64Array;
  readonly free: Float64Array;
  readonly bubble: Float64Array;
  worstBubble = 0;
  /** Choices that changed something: turning any other one round would repeat this very run. */
  readonly mattered = new Set<KnobName>();
  /** Kind of the n-th pass of each stage: stage · 3 · microbatches + n. */
  readonly sequence: Uint8Array;
  private readonly placed: Int32Array;
  readonly costs: readonly [Float64Array, Float64Array, Float64Array];
  readonly comm: number;

  constructor(
    readonly stages: number,
    readonly microbatches: number,
    table: DurationTable,
    readonly maxMemory: number,
    readonly knobs: Knobs,
  ) {
    const cells = stages * microbatches;
    this.ends = [new Float64Array(cells), new Float64Array(cells), new Float64Array(cells)];
    this.done = [new Int32Array(stages), new Int32Array(stages), new Int32Array(stages)];
    this.memory = new Float64Array(stages);
    this.free = new Float64Array(stages);
    this.bubble = new Float64Array(stages);
    this.sequence = new Uint8Array(3 * cells);
    this.placed = new Int32Array(stages);
    this.costs = [table.F, table.I, table.W];
    this.comm = table.comm;
  }

  count(kind: 0 | 1 | 2, j: number): number {
    return this.done[kind][j] ?? 0;
  }
  cost(kind: 0 | 1 | 2, j: number): number {
    return this.costs[kind][j] ?? 0;
  }
  end(kind: 0 | 1 | 2, j: number, i: number): number {
    return this.ends[kind][j * this.microbatches + i] ?? 0;
  }

  /** Runs the next pass of a kind on stage j as early as its inputs allow. */
  put(j: number, kind: 0 | 1 | 2): void {
    const i = this.count(kind, j);
    const cost = this.cost(kind, j);
    const packed = (this.free[j] ?? 0) + cost;
    let t = packed;
    if (kind === F && j > 0) t = Math.max(t, this.end(F, j - 1, i) + this.comm + cost);
    if (kind === B && j < this.stages - 1) t = Math.max(t, this.end(B, j + 1, i) + this.comm + cost);
    if (this.count(F, j) > 0) {
      const bubble = (this.bubble[j] ?? 0) + (t - packed);
      this.bubble[j] = bubble;
      if (bubble > this.worstBubble) this.worstBubble = bubble;
    }
    this.free[j] = t;
    this.ends[kind][j * this.microbatches + i] = t;
    this.memory[j] = (this.memory[j] ?? 0) + MEMORY[kind];
    this.done[kind][j] = i + 1;
    const at = this.placed[j] ?? 0;
    this.sequence[j * 3 * this.microbatches + at] = kind;
    this.placed[j] = at + 1;
  }

  /** First forwards of every stage, as many as fit before the first backward comes back. */
  warmUp(): void {
    const { stages, microbatches } = this;
    for (let j = 0; j < stages; j += 1) this.put(j, F);
    const extra = this.warmUpForwards();
    for (let j = 1; j < stages; j += 1) {
      const before = extra[j - 1] ?? 0;
      let own = extra[j] ?? 0;
      while (own > 0 && own >= before && this.count(F, j) + own < microbatches) own -= 1;
      extra[j] = own;
    }
    for (let j = 0; j < stages; j += 1) for (let n = 0; n < (extra[j] ?? 0); n += 1) this.put(j, F);
    for (let j = stages - 1; j >= 0; j -= 1) this.put(j, B);
  }

  private warmUpForwards(): Int32Array {
    const { stages, microbatches, comm } = this;
    const extra = new Int32Array(stages);
    let last = this.end(F, stages - 1, 0) + this.cost(B, stages - 1);
    for (let j = stages - 2; j >= 0; j -= 1) {
      let memory = this.memory[j] ?? 0;
      let cost = this.free[j] ?? 0;
      const f = this.cost(F, j);
      for (;;) {
        if (this.count(F, j) + (extra[j] ?? 0) >= microbatches || memory + MEMORY[F] > this.maxMemory) break;
        const late = cost + f > last + comm;
        const full = cost >= last + comm;
        if (late !== full) this.mattered.add('bubbleBeforeFirstB');
        if (this.knobs.bubbleBeforeFirstB ? late : full) break;
        memory += MEMORY[F];
        cost += f;
        extra[j] = (extra[j] ?? 0) + 1;
      }
      last = Math.max(cost, last + comm) + this.cost(B, j);
    }
    return extra;
  }

  /** Whether stage j should run a forward in this round, before the later stages have their say. */
  private wantsForward(j: number): boolean {
    if (this.count(F, j) >= this.microbatches) return false;
    if (j + 1 >= this.stages || this.count(F, j) < this.count(F, j + 1) + 2) return true;
    if (!this.holdsBack(j)) return true;
    this.mattered.add('prioritizeB');
    return !this.knobs.prioritizeB;
  }

  /** With backwards first, a forward waits when the next backward is too close to fit it in. */
  private holdsBack(j: number): boolean {
    const free = this.free[j] ?? 0;
    const next = (this.free[j + 1] ?? 0) + this.cost(F, j + 1) + this.cost(B, j + 1) + this.comm;
    if (free >= next) return true;
    let weights = 0;
    let weightCost = 0;
    let memory = (this.memory[j] ?? 0) + MEMORY[F];
    while (memory > this.maxMemory && this.count(W, j) + weights < this.count(B, j)) {
      weightCost += this.cost(W, j);
      memory += MEMORY[W];
      weights += 1;
    }
    if (free + this.cost(F, j) + weightCost <= next) return false;
    return next - free <= this.worstBubble - (this.bubble[j] ?? 0);
  }

  /** Weight halves that must or may run on stage j before a pass that takes `memory` and waits until `arrival`. */
  private weightsBefore(j: number, memory: number, arrival: number | undefined): boolean {
    const pending = (): boolean => this.count(W, j) < this.count(B, j);
    while ((this.memory[j] ?? 0) + memory > this.maxMemory) {
      if (!pending()) return false;
      this.put(j, W);
    }
    if (arrival === undefined) return true;
    while (pending() && (this.free[j] ?? 0) + this.cost(W, j) <= arrival) this.put(j, W);
    const free = this.free[j] ?? 0;
    if (pending() && free < arrival) {
      const harmless = arrival - free <= this.worstBubble - (this.bubble[j] ?? 0);
      if (harmless) this.mattered.add('fillGreedily');
      if (!harmless || this.knobs.fillGreedily) this.put(j, W);
    }
    return true;
  }

  private forwards(): boolean {
    const { stages, comm } = this;
    const wanted = new Uint8Array(stages);
    for (let j = 0; j < stages; j += 1) wanted[j] = this.wantsForward(j) ? 1 : 0;
    for (let j = stages - 2; j >= 0; j -= 1) wanted[j] = Math.min(wanted[j] ?? 0, wanted[j + 1] ?? 0);
    for (let j = 0; j < stages; j += 1) {
      if (wanted[j] === 0) continue;
      const arrival = j > 0 ? this.end(F, j - 1, this.count(F, j)) + comm : undefined;
      if (!this.weightsBefore(j, MEMORY[F], arrival)) return false;
      this.put(j, F);
    }
    return true;
  }

  /** One round: at most one forward and exactly one backward a stage; false when memory cannot hold it. */
  round(i: number): boolean {
    if (!this.forwards()) return false;
    for (let j = this.stages - 1; j >= 0; j -= 1) {
      const arrival = j + 1 < this.stages ? this.end(B, j + 1, i) + this.comm : undefined;
      if (!this.weightsBefore(j, MEMORY[B], arrival)) return false;
      if (j === 0 && this.count(F, 0) === this.microbatches) {
        while (this.count(W, 0) < this.count(B, 0)) this.put(0, W);
      }
      this.put(j, B);
    }
    return true;
  }

  /** The original's closing assertions: a pass ends after what it waits for. Only stages that differ much can break them. */
  sound(): boolean {
    const { stages, microbatches, comm } = this;
    for (let j = 0; j < stages; j += 1) {
      for (let i = 0; i < microbatches; i += 1) {
        const forward = this.end(F, j, i);
        const f = this.cost(F, j);
        const back = this.end(B, j, i);
        if (back < forward + this.cost(B, j)) return false;
        if (j > 0 && forward < this.end(F, j - 1, i) + comm + f) return false;
      }
    }
    return true;
  }

  /** Runs everything; the longest span of a stage from its first start to its last end, or -1 when it cannot run. */
  run(): number {
    const { stages, microbatches } = this;
    this.warmUp();
    for (let i = 1; i < microbatches; i += 1) if (!this.round(i)) return -1;
    let span = 0;
    for (let j = 0; j < stages; j += 1) {
      while (this.count(W, j) < microbatches) this.put(j, W);
      span = Math.max(span, this.end(W, j, microbatches - 1) - this.end(F, j, 0) + this.cost(F, j));
    }
    return span;
  }
}

const CHOICES = [true, false] as const;

/** The middle of each column on every stage: what sail's runtime hands to the search instead of the stages' own times. */
function middling(table: DurationTable): DurationTable {
  const middle = (column: Float64Array): Float64Array => {
    const sorted = Float64Array.from(column).sort();
    return new Float64Array(column.length).fill(sorted[Math.floor(sorted.length / 2)] ?? 0);
  };
  return { ...table, F: middle(table.F), I: middle(table.I), W: middle(table.W), uniform: true };
}

function bestRun(spec: SizedSpec, table: DurationTable): GreedyRun | undefined {
  // In stages' worth of microbatches held: P for H1, 2P for H2.
  const maxMemory = MEMORY[F] * spec.ranks * (spec.kind === 'zb-h2' ? 2 : 1);
  let best: GreedyRun | undefined;
  let bestSpan = Infinity;
  const runs: GreedyRun[] = [];
  for (const bubbleBeforeFirstB of CHOICES) {
    for (const prioritizeB of CHOICES) {
      for (const fillGreedily of CHOICES) {
        const knobs = { bubbleBeforeFirstB, prioritizeB, fillGreedily };
        const repeats = (run: GreedyRun): boolean =>
          KNOBS.every((knob) => run.knobs[knob] === knobs[knob] || !run.mattered.has(knob));
        if (runs.some(repeats)) continue;
        const run = new GreedyRun(spec.ranks, spec.microbatches, table, maxMemory, knobs);
        const span = run.run();
        if (span < 0 || !(table.uniform || run.sound())) return undefined;
        runs.push(run);
        if (span < bestSpan) {
          best = run;
          bestSpan = span;
        }
      }
    }
  }
  // The original does not notice that the first stage still owes forwards and sorts them to the front.
  return best !== undefined && best.count(F, 0) < spec.microbatches ? undefined : best;
}

/** Passes of a stage by completion; sail sorts them so, which only differs from the run's order where costs are 0. */
function sortedStage(run: GreedyRun, j: number): { readonly kind: number; readonly microbatch: number }[] {
  const passes = [F, B, W].flatMap((kind) =>
    Array.from({ length: run.microbatches }, (_, microbatch) => ({ kind: kind as 0 | 1 | 2, microbatch })),
  );
  return passes.sort((a, b) => run.end(a.kind, j, a.microbatch) - run.end(b.kind, j, b.microbatch));
}

const CODES = [OP.F, OP.I, OP.W] as const;

/**
 * ZB-H1 and ZB-H2: backward split into input and weight half, the weight halves placed by a greedy search over the
 * given durations with at most P (H1) or 2P (H2) microbatches held a stage.
 * Source: sail-sg/zero-bubble@39f2c18 scheduler/zb.py `Graph.manual_order`, `initial_solution`; runtime.py `scheduler`; arXiv 2401.10241.
 */
export function zbSearch(spec: SizedSpec, durations: DurationsInput): ScheduleOrder | ScheduleRefusal {
  const { ranks, microbatches } = spec;
  const table = durationTable(durations, ranks);
  // Stages that differ so much that the original stops on its own assertions are searched as its runtime does it.
  const run = bestRun(spec, table) ?? (table.uniform ? undefined : bestRun(spec, middling(table)));
  if (run === undefined) {
    return refuse(
      'zb-memory',
      `The zero-bubble search cannot fit ${microbatches} microbatches into its memory cap (zb.py: Cannot fit memory).`,
      'microbatches',
      microbatches,
      [],
    );
  }
  const w = orderWriter(ranks, 3 * ranks * microbatches);
  const free = run.costs.some((cost) => cost.includes(0));
  const counters = new Int32Array(3);
  for (let j = 0; j < ranks; j += 1) {
    if (free) for (const pass of sortedStage(run, j)) put(w, CODES[pass.kind] ?? OP.F, j, pass.microbatch);
    else {
      counters.fill(0);
      const from = 3 * j * microbatches;
      for (let n = from; n < from + 3 * microbatches; n += 1) {
        const kind = run.sequence[n] ?? 0;
        const microbatch = counters[kind] ?? 0;
        counters[kind] = microbatch + 1;
        put(w, CODES[kind] ?? OP.F, j, microbatch);
      }
    }
    endRank(w);
  }
  return finishOrder(w, { kind: spec.kind, ranks, microbatches, chunks: 1, stages: ranks, bidirectional: false });
}
