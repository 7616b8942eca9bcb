import type { MemoryPart, MemoryParts, MemoryReport } from '../engine/memory/report';
import type { Calibrated } from './calibrate/calibrate';
import type { Finding } from '../plan/finding';
import type { ResolvedPlan } from '../plan/plan';
import type { Analysis } from './analysis';
import { timeAnswer, type TimeAnswer } from './cost';
import { parameterTotals } from './estimates';
import { assumptionEffect } from './fit/assumed';
import { fitOptions, type FitOption } from './fit/fit';
import { servingTimeAnswer, type ServingTimeAnswer } from './serving-cost';
import { whyNoModel, whyUncounted } from './uncounted';

/** One rank class of `shardlens estimate --format json`; bytes everywhere. */
export interface EstimateClass {
  readonly ranks: string;
  readonly example: number;
  readonly coordinates: {
    readonly pp: number;
    readonly tp: number;
    readonly ep: number;
    readonly dp: number;
    readonly cp: number;
  };
  readonly weights: number;
  readonly gradients: number;
  readonly optimizer: number;
  readonly activations: number;
  readonly kvCache: number;
  readonly buffers: number;
  readonly workspace: number;
  readonly allocated: number;
  readonly reserved: number;
  readonly total: number;
  readonly capacity: number | null;
  readonly fits: boolean | null;
}

/** The `estimate` document of the command line (a stable interface). */
export interface EstimateAnswer {
  readonly dialect: string;
  readonly model: { readonly name: string; readonly parameters: number; readonly activeParameters: number };
  readonly gpu: { readonly name: string; readonly memoryBytes: number } | null;
  readonly worldSize: number;
  readonly assumptions: readonly {
    readonly field: string;
    readonly value: string | number | boolean;
    readonly origin: string;
    /** What another likely value would change on the fullest rank: `+3.2 GiB with 8,192`. */
    readonly effect?: string;
  }[];
  readonly checkpoint: {
    readonly elements: number;
    readonly bytes: number;
    readonly elementsByDtype: Readonly<Record<string, number>>;
  };
  readonly memory: {
    readonly rankClasses: readonly EstimateClass[];
    readonly peak: { readonly rank: number; readonly bytes: number };
    /** Why no rank is counted, as the end of a sentence. */
    readonly uncounted?: string;
  };
  readonly kvCache?: { readonly bytesPerToken: number; readonly tokens?: number; readonly maxConcurrency?: number };
  /** Training: a step, its parts, and the run where its length is stated. */
  readonly time?: TimeAnswer | ServingTimeAnswer;
  /** Single changes that save memory or give a server more cache, best first; `saved` and `bytes` are of the fullest rank. */
  readonly options?: readonly FitOption[];
  /** The user's own measurements beside the estimates before and after they were tuned to them. */
  readonly calibration?: Omit<Calibrated, 'calibration'>;
  readonly findings: readonly Finding[];
}

/** What stands in the way of an estimate: one sentence. */
export interface EstimateRefusal {
  readonly reason: string;
}

/** Bytes are counts; what allocator slack makes of them is rounded where it leaves the engine. */
function wholeBytes(parts: MemoryParts): MemoryParts {
  return Object.fromEntries(Object.entries(parts).map(([part, size]) => [part, Math.round(size)])) as Record<
    MemoryPart,
    number
  >;
}

function rankClasses(analysis: Analysis): EstimateClass[] {
  return (analysis.memory?.classes ?? []).map(
    ({ ranks, example, coordinates, parts, allocated, reserved, total, capacity, fits }) => ({
      ranks,
      example,
      coordinates,
      ...wholeBytes(parts),
      allocated: Math.round(allocated),
      reserved: Math.round(reserved),
      total: Math.round(total),
      capacity: capacity ?? null,
      fits: fits ?? null,
    }),
  );
}

function optionsOf(resolved: ResolvedPlan, memory: MemoryReport): FitOption[] {
  const now = Math.round(memory.peak.bytes);
  return fitOptions(resolved, memory).map((option) => {
    const after = Math.round(option.bytes);
    return { ...option, bytes: after, saved: now - after };
  });
}

function calibrationAnswer(analysis: Analysis): Pick<EstimateAnswer, 'calibration'> {
  const calibrated = analysis.calibrated?.();
  if (calibrated === undefined) return {};
  const { from, factor, comparisons } = calibrated;
  return { calibration: { from, ...(factor === undefined ? {} : { factor }), comparisons } };
}

/** The fullest rank; a model alone has no ranks, and whoever holds it holds its checkpoint. */
function peakOf({ memory }: Analysis, checkpoint: number): { readonly rank: number; readonly bytes: number } {
  if (memory === undefined) return { rank: 0, bytes: checkpoint };
  return { rank: memory.peak.rank, bytes: Math.round(memory.peak.bytes) };
}

/** The estimate of one analysed file, or why there is none. A plain model config has a checkpoint and no ranks. */
export function estimateAnswer(analysis: Analysis): EstimateAnswer | EstimateRefusal {
  const { resolved, dialect } = analysis;
  if (resolved === undefined || dialect === undefined)
    return { reason: 'the file was not recognised as a parallelism, serving or model config' };
  const totals = parameterTotals(resolved);
  if (resolved.model === undefined || totals === undefined) {
    return { reason: whyNoModel(analysis, 'with --model or in a "# shardlens: model=…" comment') };
  }
  if (resolved.layout === undefined)
    return {
      reason:
        'the layout is not known: a parallel degree is not a positive whole number or comes from outside the file',
    };
  const { cluster, layout, assumptions } = resolved;
  const uncounted = whyUncounted(analysis);
  const time = timeAnswer(analysis) ?? servingTimeAnswer(analysis);
  return {
    dialect: dialect.id,
    model: { name: resolved.model.name, parameters: totals.total, activeParameters: totals.active },
    gpu: cluster === undefined ? null : { name: cluster.gpu, memoryBytes: cluster.memoryBytes },
    worldSize: layout.worldSize,
    assumptions: assumptions.map((assumption) => {
      const { field, value, origin } = assumption;
      const effect =
        analysis.memory === undefined ? undefined : assumptionEffect(resolved, analysis.memory, assumption);
      return { field, value, origin, ...(effect === undefined ? {} : { effect }) };
    }),
    checkpoint: totals.checkpoint,
    memory: {
      rankClasses: rankClasses(analysis),
      peak: peakOf(analysis, totals.checkpoint.bytes),
      ...(uncounted === undefined ? {} : { uncounted }),
    },
    ...(analysis.memory?.kvCache === undefined ? {} : { kvCache: analysis.memory.kvCache }),
    ...(time === undefined ? {} : { time }),
    ...calibrationAnswer(analysis),
    ...(analysis.memory === undefined ? {} : { options: optionsOf(resolved, analysis.memory) }),
    findings: analysis.findings,
  };
}
