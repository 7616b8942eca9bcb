import type { TrainingInput } from '../../../server/src/engine/memory/input';
import type { PublishedRow } from './published-rows';

/**
 * What a published row leaves to the recipe that it names, as the recipe's own file says.
 * Megatron-Bridge src/megatron/bridge/recipes/moonlight/h100/moonlight_16b.py (precision-aware optimizer with BF16 gradients and moments);
 * perf_recipes/_common.py (gradients reduced in BF16, FP8 primary weights); perf_recipes/llama/h100/llama3.py (deferred head gradients,
 * overlapped tensor parallelism, the feed-forward part in CUDA graphs). ms-swift examples/megatron: the loss is Megatron's fused one (`cross_entropy_fusion_impl` native, which is
 * its default), and both runs of fp8/benchmark.sh come from one script, whose moments are BF16.
 */
export function withRecipe(row: PublishedRow, input: TrainingInput): TrainingInput {
  if (row.group === 'ms-swift') {
    const details = { ...input.details, crossEntropy: 'fused' as const };
    if (!/^Qwen3-14B/.test(row.model)) return { ...input, details };
    return { ...input, details, precision: { ...input.precision, firstMoment: 'BF16', secondMoment: 'BF16' } };
  }
  if (row.group !== 'bridge-ablation') return input;
  if (/^Moonlight/.test(row.model))
    return {
      ...input,
      precision: { ...input.precision, gradients: 'BF16', firstMoment: 'BF16', secondMoment: 'BF16' },
      details: { ...input.details, decoupledGradients: true },
    };
  if (/^Llama3 70B SFT/.test(row.model))
    return {
      ...input,
      details: { ...input.details, tensorOverlap: true, deferredHeadGradients: 22, graphedModules: ['mlp'] },
    };
  return input;
}
