import { findGpu, gpuNames } from '../../dialects/presets';
import type { Finding } from '../../plan/finding';
import type { ResolvedPlan } from '../../plan/plan';
import { placed } from '../../plan/rules/rule-context';

/** A GPU that no preset knows leaves memory, fit and speed unknown: better said than silently left out. */
export function unknownGpu({ plan }: ResolvedPlan): Finding[] {
  const { gpu, memoryBytes } = plan.cluster;
  if (gpu === undefined || gpu.origin === 'assumed' || memoryBytes !== undefined || findGpu(gpu.value) !== undefined)
    return [];
  const message = `The GPU ${gpu.value} is not known here, so nothing can be said about what fits; known are ${gpuNames().join(', ')}.`;
  return [{ rule: 'unknown-gpu', severity: 'warning', message, ...placed([{ value: gpu, says: 'the GPU' }]) }];
}

/** A Shardlens plan that names a model nobody knows: other files may name what only their framework can load. */
export function unknownModel({ plan, model }: ResolvedPlan): Finding[] {
  const { name } = plan.model;
  if (plan.dialect !== 'shardlens' || model !== undefined || name?.origin !== 'file') return [];
  const message = `The model ${name.value} is neither a preset nor a config.json that can be read, so nothing can be computed from it.`;
  return [{ rule: 'unknown-model', severity: 'warning', message, ...placed([{ value: name, says: 'the model' }]) }];
}
