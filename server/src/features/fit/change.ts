import { hasNoCost, trainingCost } from '../../engine/cost/plan-cost';
import type { MemoryReport } from '../../engine/memory/report';
import type { Plan, ResolvedPlan } from '../../plan/plan';
import { resolvePlan } from '../../plan/resolve';
import { planRules } from '../../plan/rules/rules';
import { estimateMemory, trainingInputOf } from '../estimates';
import { withValue } from '../what-if';

export type Value = string | number | boolean;

/** A plan field and the value it is given. */
export interface Change {
  readonly field: string;
  readonly value: Value;
}

/** A plan after a change, with its memory. */
export interface Outcome {
  readonly resolved: ResolvedPlan;
  readonly memory: MemoryReport;
}

/** Values that follow from the changed one: as many GPUs and the same global batch as before, split anew. */
function rederived(plan: Plan, resolved: ResolvedPlan): Plan {
  const { layout, batch } = resolved;
  if (layout === undefined || plan.task !== 'training') return plan;
  const { data: _data, dataShard: _shard, ...degrees } = plan.layout;
  const { microbatches: _microbatches, ...samples } = plan.batch;
  const replicas = plan.layout.dataReplicate?.value ?? 1;
  const inner = (plan.layout.tensor?.value ?? 1) * (plan.layout.pipeline?.value ?? 1) * replicas;
  const shard = Math.floor(layout.worldSize / inner);
  return {
    ...plan,
    layout: {
      ...degrees,
      worldSize: { value: layout.worldSize, origin: 'derived' },
      ...(plan.layout.dataShard === undefined ? {} : { dataShard: { value: shard, origin: 'derived' } }),
    },
    batch: batch === undefined ? samples : { ...samples, globalBatch: { value: batch.globalBatch, origin: 'derived' } },
  };
}

/** Seconds of one step by the cost model; undefined while the GPU is a guess or its rates are not known. */
export function secondsOf(resolved: ResolvedPlan): number | undefined {
  if ((resolved.plan.cluster.gpu?.origin ?? 'assumed') === 'assumed') return undefined;
  const input = trainingInputOf(resolved);
  if (input === undefined) return undefined;
  const cost = trainingCost(input);
  return hasNoCost(cost) ? undefined : cost.stepSeconds;
}

/** The plan with these values, resolved anew; undefined where a rule of the framework refuses it. */
export function changedPlan(resolved: ResolvedPlan, changes: readonly Change[]): ResolvedPlan | undefined {
  const plan = changes.reduce((before, { field, value }) => withValue(before, field, value), resolved.plan);
  const layout = changes.some(({ field }) => /^(?:layout|batch)\./.test(field));
  const changed = layout ? rederived(plan, resolved) : plan;
  const after = resolvePlan(changed);
  const refused = planRules.some((rule) =>
    rule.check({ plan: changed, resolved: after }).some(({ severity }) => severity === 'error'),
  );
  return refused ? undefined : after;
}

/** The plan with these values and its memory; undefined where it is refused or cannot be computed. */
export function outcomeOf(resolved: ResolvedPlan, changes: readonly Change[]): Outcome | undefined {
  const after = changedPlan(resolved, changes);
  const memory = after === undefined ? undefined : estimateMemory(after);
  return after === undefined || memory === undefined ? undefined : { resolved: after, memory };
}
