import type { HfPlan } from './hf-plan';
import type { StageModule } from './weights';

/**
 * Bytes an element of NF4 with double quantization: 4 bits, one 8-bit scale a block of 64, and one FP32 scale of scales a block of
 * 256 blocks (QLoRA, arXiv 2305.14314, section 3).
 */
const NF4 = 0.5 + 1 / 64 + 4 / (64 * 256);

/** Bytes an element of a frozen base weight: Linear weights of layers are quantized under QLoRA, tables and norms are not. */
export function lowWeightBytesOfBase(plan: HfPlan, module: StageModule): number {
  const { bytes, input } = plan;
  if (!plan.context.quantizedBase) return bytes.weight;
  const each = input.details?.baseBytes ?? NF4;
  if (module.elements === 0) return bytes.weight;
  return (module.low * each + (module.elements - module.low) * bytes.weight) / module.elements;
}
