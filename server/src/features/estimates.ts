import type { CheckpointReport, MemoryReport } from '../engine/memory/report';
import type { ServingInput, TrainingInput } from '../engine/memory/input';
import { estimateServing } from '../engine/memory/serving';
import { usesTransformers } from '../engine/memory/hf';
import { estimateTraining } from '../engine/memory/training';
import { checkpoint } from '../engine/model/checkpoint';
import { parameterCounts } from '../engine/model/parameters';
import type { ResolvedPlan } from '../plan/plan';

/** Sections that decide the bytes of a state: while one of their values is unknown, so are the bytes. */
export const DECISIVE = /^(?:optimizer|precision|recompute|quantization)\./;

/** Memory of every rank class; undefined while model, layout or batch are unknown, or when the engine refuses the sizes. */
export function estimateMemory(resolved: ResolvedPlan): MemoryReport | undefined {
  const { model, layout, cluster, quantization, experts } = resolved;
  if (model === undefined || layout === undefined) return undefined;
  if (resolved.plan.unresolved.some(({ path }) => DECISIVE.test(path))) return undefined;
  const common = { model, layout, quantization, experts, ...(cluster === undefined ? {} : { cluster }) };
  const report = reportOf(resolved, common);
  return report === undefined || report.classes.length === 0 ? undefined : report;
}

function reportOf(
  resolved: ResolvedPlan,
  common: Omit<Parameters<typeof estimateServing>[0], 'serving'>,
): MemoryReport | undefined {
  if (resolved.serving !== undefined) return estimateServing({ ...common, serving: resolved.serving });
  const input = trainingInputOf(resolved);
  return input === undefined ? undefined : estimateTraining(input);
}

/** What the engine computes a server from; undefined while model or layout are unknown, or for another task. */
export function servingInputOf(resolved: ResolvedPlan): ServingInput | undefined {
  const { model, layout, cluster, quantization, experts, serving } = resolved;
  if (model === undefined || layout === undefined || serving === undefined) return undefined;
  return { model, layout, quantization, experts, serving, ...(cluster === undefined ? {} : { cluster }) };
}

/** Far more stages than any model has layers: what a slip of the keyboard asks for is not counted rank by rank. */
const MOST_STAGES = 8_192;

/** Adapters are counted where transformers runs every layer whole; cut by tensor or pipeline parallelism they are not modelled. */
export function adaptersUncounted(input: TrainingInput): boolean {
  return input.details?.lora !== undefined && !usesTransformers(input);
}

/** What the engine computes a training job from; undefined while model, layout or batch are unknown, or for another task. */
export function trainingInputOf(resolved: ResolvedPlan): TrainingInput | undefined {
  const { model, layout, cluster, quantization, experts, batch, precision, optimizer, recompute, pipeline } = resolved;
  if (model === undefined || layout === undefined || batch === undefined) return undefined;
  if (layout.pipeline * (layout.virtualPipeline ?? 1) > MOST_STAGES) return undefined;
  const { details } = resolved.plan;
  const input = {
    model,
    layout,
    quantization,
    experts,
    precision,
    optimizer,
    recompute,
    batch,
    pipeline,
    ...(cluster === undefined ? {} : { cluster }),
    ...(details === undefined ? {} : { details }),
  };
  return adaptersUncounted(input) ? undefined : input;
}

export interface ParameterTotals {
  readonly total: number;
  readonly active: number;
  readonly checkpoint: CheckpointReport;
}

/** Parameters and checkpoint of the model, where it is known. */
export function parameterTotals({ model, quantization }: ResolvedPlan): ParameterTotals | undefined {
  if (model === undefined) return undefined;
  const counts = parameterCounts(model);
  return { total: counts.total, active: counts.active, checkpoint: checkpoint(model, quantization) };
}
