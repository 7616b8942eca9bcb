import type { LayoutSpec } from '../../engine/spec/layout';
import { isSize } from '../fill';
import type { SourceReference } from '../finding';
import type { Plan, Sourced } from '../plan';
import { finding, placed, stated, type PlanRule } from './rule-context';

/** Frameworks whose FP8 products are Transformer Engine's, none of which pads the tokens of dense layers. */
const ENGINE = new Set(['megatron', 'megatron-bridge', 'nemo']);

const SOURCE: SourceReference = {
  framework: 'Transformer Engine',
  repository: 'NVIDIA/TransformerEngine',
  file: 'transformer_engine/pytorch/utils.py',
  function: 'assert_dim_for_fp8_exec',
};

interface Width {
  readonly says: string;
  readonly size: number;
  readonly values: readonly (Sourced<unknown> | undefined)[];
}

/**
 * Sizes of the matrices that a rank multiplies: tokens, and inner and outer widths of its linear layers.
 * Tensor Cores take FP8 in steps of 16 along both (8 would do forward, but weight gradients multiply along the tokens), MXFP8 in blocks of 32.
 */
function widths(plan: Plan, layout: LayoutSpec): readonly Width[] {
  const { hiddenSize, heads, headDim, intermediateSize, attention, kvLoraRank } = plan.model;
  const { tensor, context } = layout;
  const { microBatch, sequenceLength } = plan.batch;
  const all: Width[] = [];
  if (sequenceLength !== undefined && isSize(sequenceLength.value) && isSize(microBatch?.value))
    all.push({
      says: `${microBatch?.value ?? 1} × ${sequenceLength.value} tokens${context > 1 ? ` / CP ${context}` : ''}`,
      size: ((microBatch?.value ?? 1) * sequenceLength.value) / context,
      values: [sequenceLength, plan.layout.context],
    });
  if (hiddenSize !== undefined && isSize(hiddenSize.value))
    all.push({ says: `hidden size ${hiddenSize.value}`, size: hiddenSize.value, values: [hiddenSize] });
  if (intermediateSize?.at !== undefined && isSize(intermediateSize.value))
    all.push({
      says: `inner width ${intermediateSize.value}${tensor > 1 ? ` / TP ${tensor}` : ''}`,
      size: intermediateSize.value / tensor,
      values: [intermediateSize, plan.layout.tensor],
    });
  const latent = attention?.value === 'mla' || kvLoraRank !== undefined;
  if (!latent && isSize(heads?.value) && isSize(headDim?.value))
    all.push({
      says: `${heads?.value ?? 0} heads of ${headDim?.value ?? 0}${tensor > 1 ? ` / TP ${tensor}` : ''}`,
      size: ((heads?.value ?? 0) * (headDim?.value ?? 0)) / tensor,
      values: [heads, plan.layout.tensor],
    });
  return all;
}

export const fp8NotAligned: PlanRule = {
  id: 'fp8-not-aligned',
  title: 'A matrix that a rank multiplies in FP8 has a size that Tensor Cores do not take.',
  severity: 'error',
  check: ({ plan, resolved: { layout } }) => {
    const recipe = plan.precision.fp8Recipe;
    if (!ENGINE.has(plan.dialect) || plan.task !== 'training' || layout === undefined) return [];
    if (recipe?.at === undefined && plan.precision.compute?.value !== 'F8_E4M3') return [];
    if (recipe === undefined || recipe.value === 'none' || !stated(recipe) || !stated(plan.layout.tensor)) return [];
    if (plan.layout.context !== undefined && !stated(plan.layout.context)) return [];
    const step = recipe.value === 'mxfp8' ? 32 : 16;
    // Sizes that do not come out whole have rules of their own.
    const wrong = widths(plan, layout).find(({ size }) => Number.isInteger(size) && size % step !== 0);
    if (wrong === undefined) return [];
    const message = `FP8 products take sizes in steps of ${step}: ${wrong.says}${String(wrong.size) === /(\d+)\D*$/.exec(wrong.says)?.[1] ? '' : ` = ${wrong.size}`} is not a multiple, and the first step fails.`;
    return [
      finding(
        fp8NotAligned,
        { severity: 'error', source: SOURCE },
        message,
        placed([
          ...wrong.values.map((value) => ({ value, says: value?.label ?? 'decides the size' })),
          { value: recipe, says: 'the FP8 recipe' },
        ]),
      ),
    ];
  },
};
