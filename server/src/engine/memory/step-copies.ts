import { DTYPE_BITS } from '../spec/numbers';
import type { TrainingInput } from './input';
import { num } from './ledger';
import type { StateShards } from './static-state';
import type { StageModule } from './weights';

/**
 * Gradients that are reduced in 16 bits and copied to FP32 for the step, each rank those of its shard of the optimizer. They live from the end
 * of the backward pass to the start of the next step (Megatron-LM core/optimizer/distrib_optimizer.py, `_copy_model_grads_to_main_grads`, and
 * optimizer.py, Float16OptimizerWithFloat16Params), so beside no activations. The precision-aware optimizer reads them as they are.
 */
export function stepCopies(
  input: TrainingInput,
  modules: readonly StageModule[],
  dense: StateShards,
  expert: StateShards,
): { readonly bytes: number; readonly formula: string } {
  const { precision, optimizer, details } = input;
  const wide = DTYPE_BITS[precision.gradients] >= 32 || precision.masterWeights !== 'F32';
  // DeepSpeed makes one flat tensor of its shard first (runtime/zero/stage_1_and_2.py, `step`).
  const deepspeed = optimizer.stack === 'deepspeed' && optimizer.zeroStage > 0;
  const each = deepspeed ? 4 + DTYPE_BITS[precision.gradients] / 8 : 4;
  // Under FP16 the copies are counted with the states, and Megatron FSDP makes none.
  const known =
    !deepspeed && (precision.weights === 'F16' || optimizer.stack !== 'megatron' || optimizer.zeroStage > 1);
  if (wide || known || optimizer.offloadOptimizer || details?.decoupledGradients === true)
    return { bytes: 0, formula: '' };
  let bytes = 0;
  const sums: string[] = [];
  for (const cut of [false, true]) {
    const { optimizer: shards } = cut ? expert : dense;
    const elements = modules.reduce((sum, module) => sum + (module.expert === cut ? module.elements : 0), 0);
    if (elements === 0) continue;
    bytes += (elements * each) / shards;
    sums.push(`${num(elements)} × ${num(each)}${shards === 1 ? '' : ` / ${num(shards)}`}`);
  }
  return { bytes, formula: `(${sums.join(' + ')}) B` };
}
