import { bubbles } from '../../engine/schedule/bubble';
import { criticalPath } from '../../engine/schedule/critical-path';
import { actionRanks } from '../../engine/schedule/dependencies';
import type { DurationsInput } from '../../engine/schedule/durations';
import { idleGaps, idleReasons, type Gaps } from '../../engine/schedule/explain';
import type { Timeline } from '../../engine/schedule/order';
import { actionToken } from './tokens';

const CAUSES = ['activation', 'gradient', 'transfer', 'done'] as const;
const PHASES = ['warmup', 'steady', 'cooldown'] as const;
const OPS = ['F', 'B', 'I', 'W', 'FB'] as const;

/** One idle interval with what it waits for. */
export interface GapJson {
  readonly rank: number;
  readonly start: number;
  readonly end: number;
  readonly waitsFor: (typeof CAUSES)[number];
  readonly phase: (typeof PHASES)[number];
  /** The pass that ends the wait, and the rank that runs it. */
  readonly token?: string;
  readonly onRank?: number;
}

/** Why a schedule takes as long as it does. Times in the unit of its durations. */
export interface ExplanationJson {
  readonly bubbles: { readonly idleShare: number; readonly spanIdle: number; readonly overWork: number };
  /** Idle time of all ranks by what it waits for and by part of the step. */
  readonly idleBy: Readonly<Record<(typeof CAUSES)[number] | (typeof PHASES)[number], number>>;
  /** The longest intervals first, ties by time and rank. */
  readonly gaps: readonly GapJson[];
  readonly gapsLeftOut: number;
  readonly criticalPath: {
    readonly byPass: Readonly<Record<(typeof OPS)[number], number>>;
    readonly byRank: readonly number[];
    readonly transfers: number;
    readonly waits: number;
    readonly hops: number;
    readonly passes: number;
  };
}

const MOST_GAPS = 200;

function rounded(value: number): number {
  return Number.parseFloat(value.toPrecision(12));
}

function named<T extends string>(names: readonly T[], values: readonly number[]): Readonly<Record<T, number>> {
  return Object.fromEntries(names.map((name, at) => [name, rounded(values[at] ?? 0)])) as Record<T, number>;
}

function gapList(timeline: Timeline, gaps: Gaps): GapJson[] {
  const ranks = actionRanks(timeline.order);
  const length = (g: number): number => rounded((gaps.end[g] ?? 0) - (gaps.start[g] ?? 0));
  const rankOf = new Int32Array(gaps.start.length);
  for (let r = 0; r + 1 < gaps.rankStart.length; r += 1)
    rankOf.fill(r, gaps.rankStart[r] ?? 0, gaps.rankStart[r + 1] ?? 0);
  const longest = Array.from(gaps.start.keys())
    .sort((a, b) => length(b) - length(a) || (gaps.start[a] ?? 0) - (gaps.start[b] ?? 0) || a - b)
    .slice(0, MOST_GAPS);
  return longest.map((g) => {
    const producer = gaps.producer[g] ?? -1;
    return {
      rank: rankOf[g] ?? 0,
      start: rounded(gaps.start[g] ?? 0),
      end: rounded(gaps.end[g] ?? 0),
      waitsFor: CAUSES[gaps.cause[g] ?? 0] ?? 'done',
      phase: PHASES[gaps.phase[g] ?? 0] ?? 'cooldown',
      ...(producer < 0 ? {} : { token: actionToken(timeline.order, producer), onRank: ranks[producer] ?? 0 }),
    };
  });
}

/** The explanation of one simulated schedule; undefined where it cannot finish. */
export function explanationJson(timeline: Timeline, durations: DurationsInput): ExplanationJson | undefined {
  const gaps = idleGaps(timeline);
  const path = criticalPath(timeline);
  if (gaps === undefined || path === undefined) return undefined;
  const { idleShare, spanIdle, overWork } = bubbles(timeline, durations);
  const { byCause = [], byPhase = [] } = idleReasons(timeline) ?? {};
  return {
    bubbles: { idleShare: rounded(idleShare), spanIdle: rounded(spanIdle), overWork: rounded(overWork) },
    idleBy: { ...named(CAUSES, byCause), ...named(PHASES, byPhase) },
    gaps: gapList(timeline, gaps),
    gapsLeftOut: Math.max(0, gaps.start.length - MOST_GAPS),
    criticalPath: {
      byPass: named(OPS, path.byOp),
      byRank: Array.from(path.byRank, rounded),
      transfers: rounded(path.transfers),
      waits: rounded(path.waits),
      hops: path.hops,
      passes: path.actions.length,
    },
  };
}
