import { machineOf } from '../../engine/cost/rates';
import { trainingStep } from '../../engine/cost/training-step';
import { bubbleShare } from '../../engine/schedule/bubble';
import { buildOrder, SCHEDULE_KINDS } from '../../engine/schedule/build';
import type { ScheduleRefusal } from '../../engine/schedule/order';
import { isRefusal } from '../../engine/schedule/refusal';
import { passesPerRank } from '../../engine/schedule/scale';
import { simulate } from '../../engine/schedule/simulate';
import type { ScheduleSpec } from '../../engine/schedule/spec';
import type { ScheduleKind } from '../../engine/spec/training';
import type { ResolvedPlan } from '../../plan/plan';
import { scheduleSpecOf } from '../../plan/schedule-spec';
import { estimateMemory, trainingInputOf } from '../estimates';
import { planTimes } from './planned';
import { drawnChunks, isLooped, planUnder, type ScheduleAsk } from './variant';

/** One schedule tried on a plan. Times are those of the file's own global batch, in milliseconds, or in units where F = 1. */
export interface SweepRow {
  readonly kind: ScheduleKind;
  readonly microbatches: number;
  readonly chunks: number;
  readonly groupSize?: number;
  readonly microBatch?: number;
  /** The whole optimizer step where the cost model times it, else the pipeline alone. */
  readonly step: number;
  readonly bubble: number;
  /** Most activations alive on a rank, in whole microbatches of a rank's layers. */
  readonly peakActivations: number;
  /** Fullest rank of the whole job, where the model is known. */
  readonly peakBytes?: number;
  readonly fits?: boolean;
  /** Nothing tried is both faster and smaller. */
  readonly pareto?: boolean;
}

/** A schedule that its framework would refuse, or that is too large to try. */
export interface SweepRefusal {
  readonly refused: string;
  /** Nobody would refuse it; it only takes too long beside others. */
  readonly large?: true;
}

export type SweepTry = SweepRow | SweepRefusal;

export function isRefused(row: SweepTry): row is SweepRefusal {
  return 'refused' in row;
}

/** Passes beyond which a schedule is not tried beside others: one takes longer than a person waits for a list of them. */
const LARGEST_TRY = 150_000;

/** Kinds that search for their order take far longer a pass. */
const LARGEST_SEARCH = 12_000;

function isSearch(kind: ScheduleKind): boolean {
  return kind.startsWith('zb-');
}

interface Timing {
  readonly chunks: number;
  readonly step: number;
  readonly bubble: number;
  readonly peakActivations: number;
}

function ran(spec: ScheduleSpec): Timing | ScheduleRefusal {
  const order = buildOrder(spec);
  if (isRefusal(order)) return order;
  const timeline = simulate(order, spec.durations ?? { F: 1, B: 2, I: 1, W: 1, FB: 3, comm: 0 });
  return {
    chunks: order.chunks,
    step: timeline.makespan,
    bubble: bubbleShare(timeline),
    peakActivations: Math.max(0, ...timeline.peakActivations) / passesPerRank(order.kind, order.chunks),
  };
}

/** The whole step by the cost model, which draws long runs on instead of simulating all of them. */
function wholeStep(asked: ResolvedPlan): { readonly step: number; readonly bubble: number } | undefined {
  const input = trainingInputOf(asked);
  const machine = asked.cluster === undefined ? undefined : machineOf(asked.cluster, asked.calibration?.());
  if (input === undefined || machine === undefined || 'missing' in machine) return undefined;
  const step = trainingStep(input, machine);
  return isRefusal(step) ? undefined : { step: step.stepSeconds * 1000, bubble: step.bubble };
}

function tooLarge(kind: ScheduleKind, passes: number): boolean {
  return passes > (isSearch(kind) ? LARGEST_SEARCH : LARGEST_TRY);
}

/** Runs a plan under another schedule: time, bubble and memory, or why not. */
export function tryUnder(resolved: ResolvedPlan, ask: ScheduleAsk): SweepTry {
  const asked = planUnder(resolved, ask);
  const spec = scheduleSpecOf(asked);
  const { batch, layout } = asked;
  if (spec === undefined || batch === undefined || layout === undefined || resolved.batch === undefined)
    return { refused: 'Layout or batch are not known.' };
  const chunks = drawnChunks(asked);
  if (tooLarge(spec.kind, spec.ranks * spec.microbatches * chunks))
    return {
      refused: `${spec.kind} with ${spec.microbatches} microbatches is too large to try beside others.`,
      large: true,
    };
  const times = planTimes(resolved, ask, true);
  const own = ran({ ...spec, chunks: isLooped(spec.kind) ? chunks : spec.chunks, durations: times.durations });
  if (isRefusal(own)) return { refused: own.message };
  const whole = times.origin === 'model' ? wholeStep(asked) : undefined;
  const perBatch = resolved.batch.globalBatch / batch.globalBatch;
  const memory = estimateMemory(asked);
  const capacity = asked.cluster?.memoryBytes;
  return {
    kind: spec.kind,
    microbatches: spec.microbatches,
    chunks: own.chunks,
    ...(spec.groupSize === undefined ? {} : { groupSize: spec.groupSize }),
    microBatch: batch.microBatch,
    step: (whole?.step ?? own.step) * perBatch,
    bubble: whole?.bubble ?? own.bubble,
    peakActivations: own.peakActivations * (batch.microBatch / resolved.batch.microBatch),
    ...(memory === undefined ? {} : { peakBytes: memory.peak.bytes }),
    ...(memory === undefined || capacity === undefined ? {} : { fits: memory.peak.bytes <= capacity }),
  };
}

/** Marks the rows that no other row beats in both time and memory, among those that fit. */
export function markPareto(rows: readonly SweepRow[]): SweepRow[] {
  const weight = (row: SweepRow): number => row.peakBytes ?? row.peakActivations;
  const fitting = rows.filter(({ fits }) => fits !== false);
  return rows.map((row) => {
    if (row.fits === false) return { ...row, pareto: false };
    const beaten = fitting.some(
      (other) =>
        other.step <= row.step &&
        weight(other) <= weight(row) &&
        (other.step < row.step || weight(other) < weight(row)),
    );
    return { ...row, pareto: !beaten };
  });
}

const MOST_SIZES = 5;

/** Microbatch counts of the same batch around the file's own: divisors of a rank's samples, nearest first, the own one always. */
export function microbatchChoices({ batch }: ResolvedPlan): number[] {
  if (batch === undefined) return [];
  const samples = batch.microBatch * batch.microbatches;
  const own = batch.microbatches;
  const all: number[] = [];
  for (let m = 1; m <= Math.min(samples, 1 << 16); m += 1) if (samples % m === 0) all.push(m);
  const near = (m: number): number => Math.abs(Math.log2(m / own));
  const [first, ...rest] = all.length > 0 ? [own, ...all.filter((m) => m !== own)] : [own];
  return [first ?? own, ...rest.sort((a, b) => near(a) - near(b)).slice(0, MOST_SIZES - 1)].sort((a, b) => a - b);
}

/** Numbers of chunks a rank that cut the layers evenly; without a model the small powers of two. */
export function chunkChoices({ model, layout }: ResolvedPlan): number[] {
  const own = layout?.virtualPipeline ?? 1;
  const layers = model?.layers;
  const pipeline = layout?.pipeline ?? 1;
  const found = layers === undefined ? [2, 4] : [2, 3, 4, 5, 6, 8].filter((v) => layers % (pipeline * v) === 0);
  return [...new Set([...(own > 1 ? [own] : []), ...(found.length === 0 ? [2] : found)])]
    .sort((a, b) => a - b)
    .slice(0, MOST_SIZES);
}

/** Every schedule worth trying on a plan: each kind with a few numbers of microbatches and, where a kind lets one choose, chunks. */
export function sweepAsks(resolved: ResolvedPlan): ScheduleAsk[] {
  const sizes = microbatchChoices(resolved);
  const chunks = chunkChoices(resolved);
  return SCHEDULE_KINDS.flatMap((kind) =>
    sizes.flatMap((microbatches) =>
      isLooped(kind)
        ? chunks.map((v): ScheduleAsk => ({ kind, microbatches, chunks: v }))
        : [{ kind, microbatches } satisfies ScheduleAsk],
    ),
  );
}
