import { size } from '../model/tensors';
import type { ServingInput } from './input';
import type { EngineSizes } from './serving-budget';
import { forwardWidths, hasFeedForward } from './serving-forward';
import { servingDegrees } from './serving-weights';

const BF16 = 2;
/** Most tokens whose context vLLM's MLA expands at once (v1/attention/backends/mla/common.py, chunked prefill workspace). */
const LATENT_WORKSPACE = 65_536;

/**
 * Most activation bytes of one step of a serving engine over `tokens`: hidden and residual, with the widest working set of a layer.
 * Dense: gate and up in one tensor, and their product. Fused experts: two intermediate buffers for all routed copies. Attention:
 * the joint projection and its output; MLA also expands a chunk of cached context.
 */
export function engineForward(input: ServingInput, { tokens }: EngineSizes): number {
  const { model, serving } = input;
  const d = servingDegrees(input);
  const w = forwardWidths(model, {
    attention: d.attention,
    dense: d.dense,
    shared: d.shared,
    expertTensor: d.expertTensor,
  });
  const streams = 2 * w.hidden;
  const sets = [
    w.mla === undefined ? 2 * w.queries + 2 * w.values : 3 * w.mla.qk + w.mla.up + w.mla.out + w.mla.latent,
  ];
  if (hasFeedForward(model, false)) sets.push(3 * w.dense);
  if (hasFeedForward(model, true))
    sets.push(
      w.hidden + 2 * w.experts + (w.topk / d.expert) * (Math.max(2 * w.expert, w.hidden) + w.expert) + 3 * w.shared,
    );
  let bytes = BF16 * tokens * (streams + Math.max(...sets));
  if (w.mla !== undefined && serving.stack === 'vllm') {
    const context = Math.min(LATENT_WORKSPACE, 8 * (size(serving.contextLength) || size(model.maxPositions) || 8192));
    bytes += BF16 * context * (w.mla.up + size(model.kvLoraRank) + size(model.qkRopeHeadDim));
  }
  return bytes;
}

/**
 * The sampler's dummy run over whole logits: BF16 and FP32 logits, probabilities and exponential noise (14 B an entry). Before 0.16 vLLM
 * sorted the logits: FP32 values and 64-bit indices, twice (30 B). Source: vllm/v1/sample/ops/topk_topp_sampler.py, v1/worker/gpu_model_runner.py _dummy_sampler_run.
 */
export function samplerBytes({ model }: ServingInput, { tokens, sequences }: EngineSizes, sorts: boolean): number {
  return sequences * size(model.vocabSize) * (sorts ? 30 : 14) + BF16 * tokens * size(model.hiddenSize);
}
