import { chunksPerRank } from '../layout/stages';
import type { TrainingInput } from '../memory/input';
import { size } from '../model/tensors';
import type { LayoutSpec } from '../spec/layout';
import type { PrecisionSpec, RecomputeSpec, ScheduleKind } from '../spec/training';
import type { SearchSpace } from './space';

/** Degrees that decide what one layer costs on one rank. */
export interface Degrees {
  readonly gpus: number;
  readonly tensor: number;
  readonly context: number;
  readonly expert: number;
  readonly expertTensor: number;
}

/** Everything but schedule and ZeRO stage that the time of a layer hangs on. */
export interface LayerChoice extends Degrees {
  readonly microBatch: number;
  readonly recompute: RecomputeSpec;
  readonly precision: PrecisionSpec;
}

/** One whole layout. */
export interface Choice extends LayerChoice {
  readonly pipeline: number;
  readonly virtual: number;
  readonly kind: ScheduleKind;
  readonly zero: 0 | 1 | 2 | 3;
  readonly microbatches: number;
  /** Decoder layers a stage where they differ. */
  readonly stageLayers: readonly number[] | undefined;
}

/** Tensor degrees that the heads, key-value heads and widths of a model can be cut by. */
export function cutsModel({ model }: TrainingInput, tensor: number): boolean {
  if (tensor === 1) return true;
  const divides = (value: number | undefined): boolean => size(value) % tensor === 0;
  const keys = model.attention === 'mla' || divides(model.kvHeads);
  return divides(model.heads) && keys && divides(model.hiddenSize) && divides(model.intermediateSize);
}

/** Every set of degrees inside a stage that fits a world and the model. */
export function* degreesOf(input: TrainingInput, space: SearchSpace, gpus: number): Generator<Degrees> {
  const { model } = input;
  const experts = size(model.experts);
  for (const tensor of space.tensor) {
    if (!cutsModel(input, tensor)) continue;
    for (const context of space.context) {
      const expertTensors = experts > 0 && space.cutExperts && tensor > 1 ? [1, tensor] : [1];
      for (const expertTensor of expertTensors) {
        if (experts > 0 && size(model.expertIntermediateSize) % expertTensor !== 0) continue;
        for (const expert of space.expert)
          if (gpus % (tensor * context) === 0) yield { gpus, tensor, context, expert, expertTensor };
      }
    }
  }
}

/** Data-parallel ranks of a split, or undefined where the degrees do not divide the world. */
export function dataDegree(degrees: Degrees, pipeline: number): number | undefined {
  const { gpus, tensor, context, expert, expertTensor } = degrees;
  const data = gpus / (tensor * context * pipeline);
  const replicas = gpus / (expert * expertTensor * pipeline);
  return Number.isInteger(data) && Number.isInteger(replicas) ? data : undefined;
}

/** Chunks a rank holds under a schedule, as the layout's virtual degree counts them. */
export function virtualChoices(kind: ScheduleKind, space: SearchSpace): readonly number[] {
  const loops = kind.startsWith('interleaved') || kind === 'looped-bfs';
  if (loops) return space.virtual.filter((value) => value > 1);
  if (kind === '1f1b-ep-overlap') return space.virtual;
  return [1];
}

/** Whether the schedule accepts these counts; its own builder has the last word. */
export function acceptsSchedule(kind: ScheduleKind, pipeline: number, microbatches: number): boolean {
  if (pipeline === 1) return kind === '1f1b';
  if (kind === 'dualpipe') return pipeline % 2 === 0 && microbatches % 2 === 0 && microbatches >= 2 * pipeline;
  if (kind === 'dualpipev') return microbatches >= 2 * pipeline;
  if (kind === 'interleaved' || kind === '1f1b-ep-overlap') return microbatches % pipeline === 0;
  return microbatches >= pipeline;
}

/** Global stages of a schedule. */
export function stageCount(kind: ScheduleKind, pipeline: number, virtual: number): number {
  return pipeline * (kind === 'dualpipe' ? 1 : chunksPerRank(kind, virtual));
}

/** The plan's input under another layout. */
export function inputOf(base: TrainingInput, choice: Choice): TrainingInput {
  const { gpus, tensor, context, expert, expertTensor, pipeline, virtual, microBatch, microbatches } = choice;
  const { stageLayers: _own, dataShard: _shard, dataReplicate: _replicate, ...rest } = base.layout;
  const data = gpus / (tensor * context * pipeline);
  const layout: LayoutSpec = {
    ...rest,
    worldSize: gpus,
    tensor,
    pipeline,
    virtualPipeline: virtual,
    context,
    expert,
    expertTensor,
    data,
    sequenceParallel: tensor > 1 && (base.layout.sequenceParallel || base.layout.tensor === 1),
    ...(base.layout.dataShard === undefined ? {} : { dataShard: data * context }),
    ...(base.layout.dataReplicate === undefined ? {} : { dataReplicate: 1 }),
    ...(choice.stageLayers === undefined ? {} : { stageLayers: choice.stageLayers }),
  };
  const { groupSize, durations: _durations, ...schedule } = base.pipeline;
  const keepsGroup = groupSize !== undefined && pipeline === base.layout.pipeline && choice.kind === base.pipeline.kind;
  return {
    ...base,
    layout,
    precision: choice.precision,
    recompute: choice.recompute,
    optimizer: { ...base.optimizer, zeroStage: choice.zero },
    batch: { ...base.batch, microBatch, microbatches },
    pipeline: { ...schedule, kind: choice.kind, ...(keepsGroup ? { groupSize } : {}) },
    ...(base.cluster === undefined
      ? {}
      : { cluster: { ...base.cluster, gpus, nodes: Math.ceil(gpus / Math.max(1, base.cluster.gpusPerNode)) } }),
  };
}
