/** Times of one layer pair inside an overlapped block: a forward of one microbatch and a backward of another. Any one unit. */
export interface OverlapTimes {
  readonly attention: { readonly F: number; readonly B: number; readonly W: number };
  readonly mlp: { readonly F: number; readonly B: number; readonly W: number };
  /** Exchange before and after the experts, forward. */
  readonly dispatch: number;
  readonly combine: number;
  /** The same exchanges backward: gradients of the experts' outputs arrive first, those of their inputs leave. */
  readonly combineBackward: number;
  readonly dispatchBackward: number;
  /** Handing both microbatches on to the neighbouring stages. */
  readonly pipeline: number;
}

export type OverlapLane = 'compute' | 'communication';

export interface OverlapPhase {
  readonly label: string;
  readonly lane: OverlapLane;
  readonly half: 'forward' | 'backward';
  /** Layer pair, from 0. */
  readonly pair: number;
  readonly start: number;
  readonly end: number;
}

export interface OverlapBlock {
  readonly phases: readonly OverlapPhase[];
  readonly makespan: number;
  /** Time in which the communication lane works and the compute lane waits. */
  readonly exposed: number;
}

interface Step {
  readonly label: string;
  readonly lane: OverlapLane;
  readonly half: OverlapPhase['half'];
  readonly lasts: number;
  /** Labels of the same pair, or of the pair before with a `-`, that must have ended. */
  readonly after: readonly string[];
}

/**
 * One layer pair in the order of DeepSeek's published training trace (deepseek-ai/profile-data, and arXiv 2412.19437 figure 4):
 * compute ATTN(F) MLP(B) MLP(W) MLP(F) ATTN(B) ATTN(W), communication COMBINE(B) DISPATCH(F) DISPATCH(B) COMBINE(F).
 */
function steps(t: OverlapTimes): Step[] {
  const compute = (label: string, half: Step['half'], lasts: number, after: readonly string[]): Step => ({
    label,
    lane: 'compute',
    half,
    lasts,
    after,
  });
  const exchange = (label: string, half: Step['half'], lasts: number, after: readonly string[]): Step => ({
    label,
    lane: 'communication',
    half,
    lasts,
    after,
  });
  return [
    exchange('COMBINE(B)', 'backward', t.combineBackward, ['-ATTN(B)']),
    compute('ATTN(F)', 'forward', t.attention.F, ['-COMBINE(F)']),
    exchange('DISPATCH(F)', 'forward', t.dispatch, ['ATTN(F)']),
    compute('MLP(B)', 'backward', t.mlp.B, ['COMBINE(B)']),
    compute('MLP(W)', 'backward', t.mlp.W, []),
    exchange('DISPATCH(B)', 'backward', t.dispatchBackward, ['MLP(B)']),
    compute('MLP(F)', 'forward', t.mlp.F, ['DISPATCH(F)']),
    exchange('COMBINE(F)', 'forward', t.combine, ['MLP(F)']),
    compute('ATTN(B)', 'backward', t.attention.B, ['DISPATCH(B)']),
    compute('ATTN(W)', 'backward', t.attention.W, []),
  ];
}

/** Length of the union of intervals `a` that no interval of `b` covers; both in time order and free of overlap. */
function uncovered(a: readonly OverlapPhase[], b: readonly OverlapPhase[]): number {
  let out = 0;
  for (const { start, end } of a) {
    let covered = 0;
    for (const other of b) covered += Math.max(0, Math.min(end, other.end) - Math.max(start, other.start));
    out += Math.max(0, end - start - covered);
  }
  return out;
}

/**
 * An overlapped block of `pairs` layer pairs as two lanes, each running its phases one after the other, each phase as soon as its
 * lane is free and what it needs has ended. Phases of no length are left out.
 */
export function overlapBlock(times: OverlapTimes, pairs: number): OverlapBlock {
  const free: Record<OverlapLane, number> = { compute: 0, communication: 0 };
  const phases: OverlapPhase[] = [];
  let before = new Map<string, number>();
  for (let pair = 0; pair < pairs; pair += 1) {
    const ended = new Map<string, number>();
    for (const { label, lane, half, lasts, after } of steps(times)) {
      const ready = after.map((name) =>
        name.startsWith('-') ? (before.get(name.slice(1)) ?? 0) : (ended.get(name) ?? 0),
      );
      const start = Math.max(free[lane], ...ready);
      const end = start + lasts;
      free[lane] = end;
      ended.set(label, end);
      if (lasts > 0) phases.push({ label, lane, half, pair, start, end });
    }
    before = ended;
  }
  if (times.pipeline > 0) {
    const start = Math.max(free.communication, before.get('ATTN(B)') ?? 0);
    free.communication = start + times.pipeline;
    phases.push({
      label: 'PP',
      lane: 'communication',
      half: 'forward',
      pair: pairs - 1,
      start,
      end: free.communication,
    });
  }
  const lane = (name: OverlapLane): OverlapPhase[] => phases.filter((phase) => phase.lane === name);
  return {
    phases,
    makespan: Math.max(free.compute, free.communication),
    exposed: uncovered(lane('communication'), lane('compute')),
  };
}
