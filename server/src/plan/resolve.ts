import { resolveCluster, resolveLayout } from './resolve-layout';
import { missingModelFields, resolveModel, resolveQuantization } from './resolve-model';
import {
  resolveBatch,
  resolveExperts,
  resolveOptimizer,
  resolvePipeline,
  resolvePrecision,
  resolveRecompute,
  resolveServing,
} from './resolve-training';
import type { Assumption, Plan, ResolvedPlan } from './plan';

/**
 * Fills a plan so that the engine can compute on it. Pure: model and cluster presets must already be merged into the plan.
 * Fields that stay unknown leave their section undefined and are named in `missing`; every fallback is listed in `assumptions`.
 */
export function resolvePlan(plan: Plan): ResolvedPlan {
  const log: Assumption[] = [];
  const model = resolveModel(plan.model, log);
  const layout = resolveLayout(plan, log);
  const cluster = resolveCluster(plan, layout, log);
  const batch = resolveBatch(plan, layout, model, log);
  const serving = resolveServing(plan, log);
  const training: Assumption[] = [];
  const precision = resolvePrecision(plan, training);
  const optimizer = resolveOptimizer(plan, training);
  if (plan.task === 'training') log.push(...training);
  const missing = [
    ...missingModelFields(plan.model),
    ...(plan.cluster.gpu === undefined && plan.task !== 'model' ? ['cluster.gpu'] : []),
  ];
  return {
    plan,
    precision,
    optimizer,
    missing,
    quantization: resolveQuantization(plan.quantization, log),
    recompute: resolveRecompute(plan),
    pipeline: resolvePipeline(plan, layout),
    experts: resolveExperts(plan),
    assumptions: log,
    ...(model === undefined ? {} : { model }),
    ...(layout === undefined ? {} : { layout }),
    ...(cluster === undefined ? {} : { cluster }),
    ...(batch === undefined ? {} : { batch }),
    ...(serving === undefined ? {} : { serving }),
  };
}
