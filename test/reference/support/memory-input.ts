import type { TrainingDetails, TrainingInput } from '../../../server/src/engine/memory/input';
import type { ModelSpec } from '../../../server/src/engine/model/spec';
import type { LayoutSpec } from '../../../server/src/engine/spec/layout';

/** A dense SwiGLU model with grouped-query attention and 128-wide heads; tests change what differs. */
export function denseModel(changes: Partial<ModelSpec>): ModelSpec {
  return {
    name: 'test',
    layers: 1,
    hiddenSize: 4096,
    intermediateSize: 14336,
    vocabSize: 128256,
    heads: 32,
    kvHeads: 8,
    headDim: 128,
    attention: 'gqa',
    tiedEmbeddings: false,
    gatedMlp: true,
    mlpBias: false,
    qkvBias: false,
    attentionOutputBias: false,
    attentionSinks: false,
    qkNorm: 'none',
    normsPerLayer: 2,
    normBias: false,
    ...changes,
  };
}

/** MoE flags: the first `dense` layers are dense. */
export function moeFrom(layers: number, dense: number): boolean[] {
  return Array.from({ length: layers }, (_, layer) => layer >= dense);
}

export function layoutOf(changes: Partial<LayoutSpec>): LayoutSpec {
  const base = {
    worldSize: 1,
    tensor: 1,
    pipeline: 1,
    virtualPipeline: 1,
    context: 1,
    expert: 1,
    sequenceParallel: false,
    attentionData: 1,
    ...changes,
  };
  const data = changes.data ?? Math.max(1, base.worldSize / (base.tensor * base.pipeline * base.context));
  return { ...base, expertTensor: changes.expertTensor ?? 1, data };
}

/** Megatron's usual training job: BF16, FP32 gradients and states, distributed optimizer. */
export function megatronInput(
  model: ModelSpec,
  layout: LayoutSpec,
  batch: { microBatch: number; microbatches: number; sequenceLength: number },
  details: TrainingDetails = {},
  changes: Partial<TrainingInput> = {},
): TrainingInput {
  return {
    model,
    layout,
    details,
    precision: {
      weights: 'BF16',
      compute: 'BF16',
      gradients: 'F32',
      masterWeights: 'F32',
      firstMoment: 'F32',
      secondMoment: 'F32',
      fp8Recipe: 'none',
      fp8Weights: false,
      fp8Activations: false,
    },
    optimizer: {
      kind: 'adam',
      zeroStage: 1,
      stack: 'megatron',
      offloadOptimizer: false,
      offloadParameters: false,
      reshardAfterForward: true,
      gradientAccumulationFusion: true,
    },
    recompute: { granularity: 'none' },
    batch: { ...batch, globalBatch: batch.microBatch * batch.microbatches * layout.data },
    pipeline: { kind: layout.virtualPipeline > 1 ? 'interleaved' : '1f1b' },
    ...changes,
  };
}

/** Quantile of a list by nearest rank; 0 for an empty one. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(q * sorted.length) - 1))] ?? 0;
}
