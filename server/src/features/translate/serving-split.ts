import type { ResolvedPlan } from '../../plan/plan';

/**
 * How one server is split, in terms that the three engines share. SGLang and TensorRT-LLM count data-parallel attention
 * inside the tensor-parallel world; vLLM runs an engine a data rank, each with its own tensor-parallel group, and spreads experts over all.
 */
export interface ServingSplit {
  /** Ranks that share one attention head group. */
  readonly attentionTensor: number;
  /** Groups of ranks that each serve their own requests while sharing the experts. */
  readonly attentionData: number;
  /** Whole copies of the server. */
  readonly replicas: number;
  readonly pipeline: number;
  readonly context: number;
  readonly expert: number;
  /** Ranks of one pipeline stage: attention tensor x attention data. */
  readonly group: number;
}

/** The split of a serving plan, or undefined where its layout is not known. */
export function servingSplit({ layout, model, serving }: ResolvedPlan): ServingSplit | undefined {
  if (layout === undefined) return undefined;
  const { tensor, data, pipeline, context, expert } = layout;
  if (serving?.stack === 'vllm') {
    const shared = model?.experts !== undefined && data > 1;
    const attentionData = shared ? data : 1;
    return {
      attentionTensor: tensor,
      attentionData,
      replicas: shared ? 1 : data,
      pipeline,
      context,
      expert,
      group: tensor * attentionData,
    };
  }
  const attentionData = Math.max(1, layout.attentionData);
  return {
    attentionTensor: Math.max(1, Math.floor(tensor / attentionData)),
    attentionData,
    replicas: data,
    pipeline,
    context,
    expert,
    group: tensor,
  };
}

/**
 * Requests that one data rank runs at once. SGLang counts them over all ranks that share data-parallel attention
 * (managers/tp_worker.py, `max_running_requests // dp_size`), the other engines on each rank.
 */
export function requestsPerRank(plan: ResolvedPlan, requests: number | undefined): number | undefined {
  if (requests === undefined || plan.serving?.stack !== 'sglang') return requests;
  return Math.max(1, Math.floor(requests / (servingSplit(plan)?.attentionData ?? 1)));
}
