import type { Finding } from '../../plan/finding';
import type { ResolvedPlan } from '../../plan/plan';
import { vllm } from '../../plan/rules/rule-context';
import type { MapNode } from '../../syntax/tree';
import { childOf, textOf, wordsOf } from '../common/nodes';
import { modifierMaps } from './detect';

/** Patterns of modules that any modifier of the recipe leaves alone. */
function ignoredBy(root: MapNode): readonly string[] {
  return modifierMaps(root)
    .flatMap(({ entries }) => entries)
    .flatMap(({ value }) => wordsOf(childOf(value, 'ignore')) ?? []);
}

/** Modules that a recipe leaves alone beyond the head: then it is not known here which widths are quantized. */
function leavesMore(root: MapNode): boolean {
  return modifierMaps(root)
    .flatMap(({ entries }) => entries)
    .some(({ value }) => {
      const ignored = wordsOf(childOf(value, 'ignore')) ?? [];
      const bypass = textOf(childOf(value, 'bypass_divisibility_checks')) === 'true';
      return bypass || ignored.some((word) => !/^(re:)?\.?\*?lm_head\$?$/.test(word));
    });
}

/** Groups that do not divide the columns they cut. Source: modifiers/quantization/group_size_validation.py. */
function groupFindings(root: MapNode, { plan, model }: ResolvedPlan): Finding[] {
  const { groupSize, included } = plan.quantization;
  const size = groupSize?.value;
  if (model === undefined || groupSize === undefined || size === undefined || size <= 0) return [];
  if (included !== undefined || leavesMore(root)) return [];
  const widths = [
    ['hidden size', model.hiddenSize],
    ...((model.experts ?? 0) > 0 ? [] : [['intermediate size', model.intermediateSize] as const]),
    ...(model.expertIntermediateSize === undefined || (model.experts ?? 0) === 0
      ? []
      : [['expert intermediate size', model.expertIntermediateSize] as const]),
  ] as const;
  const bad = widths.find(([, width]) => width % size !== 0);
  if (bad === undefined) return [];
  return [
    {
      rule: 'group-not-dividing',
      severity: 'error',
      message: `${bad[0]} ${bad[1]} is no multiple of the group size ${size}, and llm-compressor refuses such layers; add them to \`ignore\`, or take a group size that divides ${bad[1]}.`,
      ...(groupSize.at === undefined ? {} : { at: groupSize.at }),
      source: {
        framework: 'llm-compressor',
        repository: 'vllm-project/llm-compressor',
        file: 'src/llmcompressor/modifiers/quantization/group_size_validation.py',
        function: 'validate_group_size_divisibility',
      },
    },
  ];
}

const BLOCK = 128;

/**
 * Latent attention has a projection whose rows are no whole number of FP8 blocks, such as DeepSeek's 512 + 64; the checkpoint is made without
 * a word, and engines do not load it.
 */
function latentFindings(root: MapNode, { plan, model }: ResolvedPlan): Finding[] {
  const { method } = plan.quantization;
  if (model?.attention !== 'mla' || method?.value !== 'fp8-block' || plan.quantization.included !== undefined)
    return [];
  const rows = (model.kvLoraRank ?? 0) + (model.qkRopeHeadDim ?? 0);
  const kept = ignoredBy(root).some((word) => /kv_a_proj|self_attn|attn/.test(word));
  if (rows % BLOCK === 0 || kept) return [];
  return [
    {
      rule: 'fp8-block-misaligned',
      severity: 'warning',
      message: `kv_a_proj_with_mqa of ${model.name} has ${rows} rows, which are no whole number of FP8 blocks of ${BLOCK}: vLLM does not load such a checkpoint; add \`re:.*kv_a_proj_with_mqa\` to \`ignore\`.`,
      ...(method.at === undefined ? {} : { at: method.at }),
      source: vllm('model_executor/layers/quantization/utils/fp8_utils.py', 'validate_fp8_block_shape'),
    },
  ];
}

/** What is wrong with a recipe for the model that it is for. */
export function recipeChecks(root: MapNode): (resolved: ResolvedPlan) => Finding[] {
  return (resolved) => [...groupFindings(root, resolved), ...latentFindings(root, resolved)];
}
