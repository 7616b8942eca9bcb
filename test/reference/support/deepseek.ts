import type { TrainingInput } from '../../../server/src/engine/memory/input';
import type { ModelSpec } from '../../../server/src/engine/model/spec';
import { denseModel, layoutOf, megatronInput, moeFrom } from './memory-input';

export const DEEPSEEK_V3: ModelSpec = denseModel({
  name: 'deepseek-ai/DeepSeek-V3',
  layers: 61,
  hiddenSize: 7168,
  intermediateSize: 18432,
  vocabSize: 129280,
  heads: 128,
  kvHeads: 128,
  headDim: 128,
  attention: 'mla',
  qLoraRank: 1536,
  kvLoraRank: 512,
  qkNopeHeadDim: 128,
  qkRopeHeadDim: 64,
  vHeadDim: 128,
  experts: 256,
  expertsPerToken: 8,
  expertIntermediateSize: 2048,
  sharedExperts: 1,
  routerCorrectionBias: true,
  moeLayers: moeFrom(61, 3),
  mtpLayers: 1,
});

/** The published recipe: 2,048 H800, PP16, EP64, ZeRO-1, DualPipe, FP8 weights and saved activations, FP32 master and gradients, BF16 moments. */
export function deepseekPlan(changes: Partial<TrainingInput> = {}): TrainingInput {
  const layout = layoutOf({
    worldSize: 2048,
    pipeline: 16,
    expert: 64,
    stageLayers: [...Array.from({ length: 15 }, () => 4), 1],
  });
  return megatronInput(
    DEEPSEEK_V3,
    layout,
    { microBatch: 1, microbatches: 120, sequenceLength: 4096 },
    {},
    {
      precision: {
        weights: 'BF16',
        compute: 'F8_E4M3',
        gradients: 'F32',
        masterWeights: 'F32',
        firstMoment: 'BF16',
        secondMoment: 'BF16',
        fp8Recipe: 'blockwise',
        fp8Weights: true,
        fp8Activations: true,
      },
      optimizer: {
        kind: 'adam',
        zeroStage: 1,
        stack: 'hai-llm',
        offloadOptimizer: false,
        offloadParameters: false,
        reshardAfterForward: true,
        gradientAccumulationFusion: false,
      },
      recompute: { granularity: 'selective', modules: ['layernorm', 'mla_up_proj', 'swiglu'] },
      pipeline: { kind: 'dualpipe' },
      cluster: {
        gpu: 'H800',
        memoryBytes: 80 * 2 ** 30,
        gpus: 2048,
        gpusPerNode: 8,
        nodes: 256,
        computeCapability: 90,
      },
      ...changes,
    },
  );
}
