import type { MemoryReport, RankClass } from '../../engine/memory/report';
import type { Finding } from '../../plan/finding';
import type { ResolvedPlan } from '../../plan/plan';
import { resolvePlan } from '../../plan/resolve';
import { placed } from '../../plan/rules/rule-context';
import { estimateMemory } from '../estimates';
import { firstFitting } from '../fit/fit';
import { gib, stageList } from '../format';

const PARTS = {
  weights: 'weights',
  gradients: 'gradients',
  optimizer: 'optimizer states',
  activations: 'activations',
  kvCache: 'the KV cache',
  buffers: 'buffers',
  workspace: 'workspace',
} as const;

/** How far an engine's own choice of its share of the memory may be from ours. */
const FRACTION_DOUBT = 0.03;

export const OUT_OF_MEMORY = 'out-of-memory';

function largestPart(rank: RankClass): string {
  const entries = (Object.keys(PARTS) as (keyof typeof PARTS)[]).map((part) => [part, rank.parts[part]] as const);
  const [part, size] = entries.reduce((best, entry) => (entry[1] > best[1] ? entry : best));
  return `${PARTS[part]} take ${gib(size)} GiB`
    .replace('the KV cache take', 'the KV cache takes')
    .replace('workspace take ', 'workspace takes ');
}

/** More doublings than any cluster has. */
const DOUBLINGS = 13;

/** The least number of GPUs, by doubling an assumed one, over which the plan's states are spread thinly enough. */
function smallestFitting(resolved: ResolvedPlan, assumed: number): number | undefined {
  for (let count = 2 * assumed, tried = 0; tried < DOUBLINGS; count *= 2, tried += 1) {
    const { plan } = resolved;
    const layout = { ...plan.layout, worldSize: { value: count, origin: 'assumed' as const } };
    const memory = estimateMemory(resolvePlan({ ...plan, layout }));
    const rank = memory?.classes[memory.peak.classIndex];
    if (rank === undefined) return undefined;
    if (rank.total <= (rank.capacity ?? 0)) return count;
  }
  return undefined;
}

/**
 * Says when the fullest rank does not fit: an error when what the allocator must hold is above the device by itself,
 * a warning when only slack, context and communication push it over, information while GPU or world are our guess.
 */
export function outOfMemory(resolved: ResolvedPlan, memory: MemoryReport | undefined): Finding[] {
  const peak = memory?.classes[memory.peak.classIndex];
  const { plan, cluster, layout } = resolved;
  if (
    peak === undefined ||
    cluster === undefined ||
    layout === undefined ||
    plan.task === 'model' ||
    peak.total <= cluster.memoryBytes
  )
    return [];
  const certain = peak.allocated > cluster.memoryBytes;
  // Trainers leave sharding to whoever launches them.
  const launched = plan.optimizer.stack?.origin === 'assumed';
  const guessed =
    launched ||
    [plan.cluster.gpu, plan.cluster.memoryBytes].some((value) => value?.origin === 'assumed') ||
    resolved.assumptions.some(
      ({ field, origin }) => origin === 'assumed' && /^(layout\.worldSize|batch\.|model\.)/.test(field),
    );
  const severity = guessed ? 'information' : certain ? 'error' : 'warning';
  const stage = layout.pipeline > 1 && peak.stages.length > 0 ? ` (${stageList(peak.stages)})` : '';
  const amount = certain
    ? `${gib(peak.allocated)} GiB allocated`
    : `${gib(peak.total)} GiB with allocator slack, context and communication buffers`;
  const verb = certain ? 'needs' : 'may need';
  // States that are dealt over ranks are few bytes on many GPUs: the count is part of the claim.
  const alone = plan.task === 'training' && resolved.assumptions.some(({ field }) => field === 'layout.worldSize');
  const few = alone ? `, with ${layout.worldSize} GPU${layout.worldSize === 1 ? '' : 's'} assumed as well` : '';
  const enough = alone && !launched ? smallestFitting(resolved, layout.worldSize) : undefined;
  const best = memory === undefined || enough !== undefined ? undefined : firstFitting(resolved, memory);
  const way =
    enough !== undefined
      ? ` It fits on ${enough} of them.`
      : best === undefined
        ? ''
        : ` It would fit with ${best.name} ${best.from} → ${best.to}.`;
  const message = `Rank ${peak.example}${stage} ${verb} ${amount}, more than the ${gib(cluster.memoryBytes)} GiB of ${guessed && !launched ? 'an assumed ' : 'one '}${cluster.gpu}${launched ? ', unless the launcher shards it' : few}: ${largestPart(peak)}.${way}`;
  const anchors = [
    plan.layout.pipeline,
    plan.layout.tensor,
    plan.layout.expert,
    plan.batch.microBatch,
    plan.serving.memoryFraction,
    plan.model.name,
    plan.cluster.gpu,
  ];
  return [
    {
      rule: OUT_OF_MEMORY,
      severity,
      message,
      ...placed(anchors.map((value) => ({ value, says: value?.label ?? 'this value' }))),
    },
  ];
}

/** Serving: weights that fill the share of memory the engine may take leave no room for a single cached token, and the server stops at start. */
export function noRoomForCache(resolved: ResolvedPlan, memory: MemoryReport | undefined): Finding[] {
  const rank = memory?.classes[memory.peak.classIndex];
  const { plan, cluster, serving } = resolved;
  if (rank === undefined || cluster === undefined || serving === undefined || memory?.kvCache?.tokens !== 0) return [];
  const fraction = serving.memoryFraction ?? 1;
  const budget = fraction * cluster.memoryBytes;
  const guessed = plan.cluster.gpu?.origin === 'assumed';
  // A share that the engine works out from the GPU by itself is known to a few percent only.
  const slack = plan.serving.memoryFraction?.origin === 'file' ? 0 : FRACTION_DOUBT * cluster.memoryBytes;
  const severity = guessed ? 'information' : rank.parts.weights > budget + slack ? 'error' : 'warning';
  const message = `Weights take ${gib(rank.parts.weights)} GiB of the ${gib(budget)} GiB that the server may use on rank ${rank.example} (${fraction} of one ${cluster.gpu}), which leaves no room for the KV cache.`;
  const anchors = [plan.layout.tensor, plan.serving.memoryFraction, plan.model.name];
  const place = placed(anchors.map((value) => ({ value, says: value?.label ?? 'this value' })));
  return [{ rule: OUT_OF_MEMORY, severity, message, ...place }];
}
