import { balancedStages } from '../../engine/cost/balance';
import { machineOf } from '../../engine/cost/rates';
import { chunksPerRank, isVShaped } from '../../engine/layout/stages';
import type { ScheduleKind } from '../../engine/spec/training';
import type { ResolvedPlan } from '../../plan/plan';
import { trainingInputOf } from '../estimates';

/** Sizes of a schedule that somebody asks for in place of the file's. */
export interface ScheduleAsk {
  readonly kind?: ScheduleKind;
  /** Pipeline ranks; the world grows or shrinks with them. */
  readonly ranks?: number;
  readonly microbatches?: number;
  readonly chunks?: number;
  readonly groupSize?: number;
}

const LOOPED: ReadonlySet<ScheduleKind> = new Set([
  'interleaved',
  'looped-bfs',
  '1f1b-ep-overlap',
  'interleaved-torch',
  'interleaved-zb-torch',
]);

/** Kinds whose number of stages a rank is free. */
export function isLooped(kind: ScheduleKind): boolean {
  return LOOPED.has(kind);
}

function chunksOf(kind: ScheduleKind, asked: number | undefined, own: number, sameKind: boolean): number {
  if (isVShaped(kind)) return chunksPerRank(kind, own);
  if (!LOOPED.has(kind)) return 1;
  if (asked !== undefined) return asked;
  // A looped kind with one chunk is plain 1F1B, except where the file itself says so.
  return own > 1 || sameKind ? own : 2;
}

/** Chunks a rank that a plan's order is built with: looped kinds without a number of their own get two. */
export function drawnChunks({ pipeline, layout }: ResolvedPlan): number {
  const own = layout?.virtualPipeline ?? 1;
  if (isVShaped(pipeline.kind)) return 2;
  return LOOPED.has(pipeline.kind) ? (own > 1 ? own : 2) : 1;
}

/**
 * A split made by hand belongs to the number of stages it was made for. Another number of stages gets one as good: the slowest
 * stage as fast as can be. Plans without a split of their own keep the framework's rule.
 */
function rebalanced(own: ResolvedPlan, asked: ResolvedPlan): ResolvedPlan {
  const { layout, cluster } = asked;
  const made = own.layout?.stageLayers;
  if (made === undefined || layout === undefined || cluster === undefined) return asked;
  const stages = layout.pipeline * drawnChunks(asked);
  if (stages === made.length) return asked;
  const { stageLayers: _, ...bare } = layout;
  const plain = { ...asked, layout: { ...bare, virtualPipeline: drawnChunks(asked) } };
  const input = trainingInputOf(plain);
  const machine = machineOf(cluster, asked.calibration?.());
  if (input === undefined || 'missing' in machine || input.model.layers < stages) return plain;
  const stageLayers = balancedStages(input, machine);
  return stageLayers.length === stages ? { ...plain, layout: { ...plain.layout, stageLayers } } : plain;
}

/**
 * The same plan under another schedule: the whole batch of a rank stays, so fewer microbatches are larger ones. Where the batch
 * does not divide, the microbatch keeps its size and the batch grows or shrinks instead. The plan itself where nothing differs.
 */
export function planUnder(resolved: ResolvedPlan, ask: ScheduleAsk): ResolvedPlan {
  const { layout, batch, pipeline } = resolved;
  if (layout === undefined || batch === undefined) return resolved;
  const kind = ask.kind ?? pipeline.kind;
  const sameKind = kind === pipeline.kind;
  const chunks = sameKind && ask.chunks === undefined ? layout.virtualPipeline : 0;
  const virtualPipeline = chunks > 0 ? chunks : chunksOf(kind, ask.chunks, layout.virtualPipeline, sameKind);
  const microbatches = ask.microbatches ?? batch.microbatches;
  const groupSize = ask.groupSize ?? (sameKind ? pipeline.groupSize : undefined);
  const ranks = ask.ranks ?? layout.pipeline;
  const sameSizes = virtualPipeline === layout.virtualPipeline && microbatches === batch.microbatches;
  if (sameKind && sameSizes && ranks === layout.pipeline && ask.groupSize === undefined) return resolved;
  const samples = batch.microBatch * batch.microbatches;
  const divides = microbatches > 0 && samples % microbatches === 0;
  const microBatch = divides ? samples / microbatches : batch.microBatch;
  const globalBatch = divides ? batch.globalBatch : (batch.globalBatch / batch.microbatches) * microbatches;
  const { groupSize: _, ...rest } = pipeline;
  return rebalanced(resolved, {
    ...resolved,
    layout: { ...layout, virtualPipeline, pipeline: ranks, worldSize: (layout.worldSize / layout.pipeline) * ranks },
    batch: { ...batch, microbatches, microBatch, globalBatch },
    pipeline: { ...rest, kind, ...(groupSize === undefined ? {} : { groupSize }) },
  });
}
