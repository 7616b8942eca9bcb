import type { MemoryReport } from '../../engine/memory/report';
import type { Finding } from '../../plan/finding';
import type { ResolvedPlan } from '../../plan/plan';
import { placed, vllm } from '../../plan/rules/rule-context';

/** Room that an estimate of the cache must leave before a shortage counts as likely: engines differ by this much from release to release. */
const DOUBT = 0.05;

/**
 * vLLM starts only when one request of the longest length fits the cache. A warning, because the room left for the cache is an estimate;
 * nothing while the GPU is our guess.
 */
export function contextAboveCache(resolved: ResolvedPlan, memory: MemoryReport | undefined): Finding[] {
  const { plan, serving, cluster } = resolved;
  const tokens = memory?.kvCache?.tokens;
  const length = serving?.contextLength;
  if (serving?.stack !== 'vllm' || cluster === undefined || tokens === undefined || tokens <= 0) return [];
  if (length === undefined || plan.cluster.gpu === undefined || plan.cluster.gpu.origin === 'assumed') return [];
  const room = tokens * (serving.decodeContext ?? 1);
  if (length <= room * (1 + DOUBT)) return [];
  const name = plan.serving.contextLength?.origin === 'file' ? 'max-model-len' : "the model's length";
  return [
    {
      rule: 'context-above-cache',
      severity: 'warning',
      message: `${name} ${length} is more than the ${Math.floor(room)} tokens that the KV cache is estimated to hold on ${cluster.gpu}, and vLLM stops at start; lower max-model-len, or raise the memory share or tensor-parallel-size.`,
      source: vllm('v1/core/kv_cache_utils.py', '_check_enough_kv_cache_memory'),
      ...placed(
        [plan.serving.contextLength, plan.serving.memoryFraction, plan.layout.tensor, plan.model.name].map((value) => ({
          value,
          says: value?.label ?? 'this value',
        })),
      ),
    },
  ];
}
