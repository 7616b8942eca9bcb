import type { ModelSpec } from '../engine/model/spec';
import type { LayoutSpec } from '../engine/spec/layout';
import type { ExpertsSpec, ServingSpec } from '../engine/spec/serving';
import type {
  BatchSpec,
  OptimizerSpec,
  PipelineSpec,
  PrecisionSpec,
  RecomputeSpec,
  ScheduleKind,
  TrainingStack,
} from '../engine/spec/training';
import { defined, filler, isSize } from './fill';
import type { Assumption, Plan } from './plan';

const STACKS: Readonly<Record<string, TrainingStack>> = { megatron: 'megatron', shardlens: 'hai-llm' };

/** Mixed-precision habits of Megatron-LM: BF16 weights, FP32 gradients, master weights and moments. */
export function resolvePrecision(plan: Plan, log: Assumption[]): PrecisionSpec {
  const fill = filler<PrecisionSpec>('precision', plan.precision, log);
  const recipe = fill.get('fp8Recipe', 'none', 'derived');
  return {
    weights: fill.get('weights', 'BF16', 'default'),
    compute: fill.get('compute', recipe === 'none' ? 'BF16' : 'F8_E4M3', 'derived'),
    gradients: fill.get('gradients', 'F32', 'default'),
    masterWeights: fill.get('masterWeights', 'F32', 'default'),
    firstMoment: fill.get('firstMoment', 'F32', 'default'),
    secondMoment: fill.get('secondMoment', 'F32', 'default'),
    fp8Recipe: recipe,
    fp8Weights: fill.get('fp8Weights', false, 'derived'),
    fp8Activations: fill.get('fp8Activations', false, 'derived'),
  };
}

export function resolveOptimizer(plan: Plan, log: Assumption[]): OptimizerSpec {
  const fill = filler<OptimizerSpec>('optimizer', plan.optimizer, log);
  const stack = fill.get('stack', STACKS[plan.dialect] ?? 'megatron', 'derived');
  return {
    kind: fill.get('kind', 'adam', 'default'),
    zeroStage: fill.get('zeroStage', 0, 'default'),
    stack,
    offloadOptimizer: fill.get('offloadOptimizer', false, 'derived'),
    offloadParameters: fill.get('offloadParameters', false, 'derived'),
    reshardAfterForward: fill.get('reshardAfterForward', true, 'derived'),
    gradientAccumulationFusion: fill.get('gradientAccumulationFusion', stack === 'megatron', 'derived'),
  };
}

export function resolveRecompute(plan: Plan): RecomputeSpec {
  const fill = filler<RecomputeSpec>('recompute', plan.recompute, []);
  return defined<RecomputeSpec>({
    granularity: fill.get('granularity', 'none', 'default'),
    method: fill.known('method'),
    layers: fill.known('layers'),
    modules: fill.known('modules'),
  } as RecomputeSpec);
}

/**
 * Microbatch sizes and counts. Without a global batch the step is taken to be two microbatches a pipeline rank,
 * the least that fills every schedule; without a sequence length the model's longest context, at most 4,096 tokens.
 */
export function resolveBatch(
  plan: Plan,
  layout: LayoutSpec | undefined,
  model: ModelSpec | undefined,
  log: Assumption[],
): BatchSpec | undefined {
  if (plan.task !== 'training' || layout === undefined) return undefined;
  const fill = filler<BatchSpec>('batch', plan.batch, log);
  const unknown = (key: string): boolean => plan.unresolved.some(({ path }) => path === `batch.${key}`);
  if (unknown('sequenceLength') || unknown('microBatch')) return undefined;
  const microBatch = fill.get('microBatch', 1, 'assumed');
  const sequenceLength = fill.get(
    'sequenceLength',
    Math.min(model?.maxPositions ?? 4096, 4096),
    'assumed',
    'no file states a sequence length',
  );
  if (!isSize(microBatch) || !isSize(sequenceLength)) return undefined;
  const globalBatch = fill.known('globalBatch');
  const stated = fill.known('microbatches');
  if (isSize(stated))
    return {
      microBatch,
      sequenceLength,
      microbatches: stated,
      globalBatch: globalBatch ?? stated * microBatch * layout.data,
    };
  if (isSize(globalBatch)) {
    return {
      microBatch,
      sequenceLength,
      globalBatch,
      microbatches: Math.max(1, Math.floor(globalBatch / (microBatch * layout.data))),
    };
  }
  const microbatches = layout.pipeline > 1 ? 2 * layout.pipeline : 1;
  log.push({
    field: 'batch.microbatches',
    value: microbatches,
    origin: 'assumed',
    note: 'no file states a global batch',
  });
  return { microBatch, sequenceLength, microbatches, globalBatch: microbatches * microBatch * layout.data };
}

export function resolvePipeline(plan: Plan, layout: LayoutSpec | undefined): PipelineSpec {
  const fill = filler<PipelineSpec>('pipeline', plan.pipeline, []);
  const kind: ScheduleKind = (layout?.virtualPipeline ?? 1) > 1 ? 'interleaved' : '1f1b';
  return defined<PipelineSpec>({
    kind: fill.get('kind', kind, 'default'),
    groupSize: fill.known('groupSize'),
    durations: fill.known('durations'),
  } as PipelineSpec);
}

/** Fields that an engine's defaults stand in for: absent unless the file states them. */
const ENGINE_FIELDS = [
  'sharedTensor',
  'eager',
  'version',
  'decodeContext',
  'prefixCaching',
  'stateDType',
  'stateRatio',
  'stateSlots',
  'slidingRatio',
  'uniformCache',
  'poolBytes',
  'maxCacheTokens',
  'encoderBytes',
  'draftBytes',
  'draftBytesPerToken',
  'languageOnly',
] as const satisfies readonly (keyof ServingSpec)[];

/** How the model is served. Fractions stay absent when the framework computes them itself. */
export function resolveServing(plan: Plan, log: Assumption[]): ServingSpec | undefined {
  if (plan.task !== 'serving') return undefined;
  const fill = filler<ServingSpec>('serving', plan.serving, log);
  const stack = fill.get('stack', plan.dialect === 'sglang' ? 'sglang' : 'generic', 'derived');
  return defined<ServingSpec>({
    stack,
    kvDType: fill.get('kvDType', 'BF16', 'default'),
    kvLayout: fill.get('kvLayout', 'plain', 'derived'),
    pageSize: fill.get('pageSize', 1, 'default'),
    memoryFraction: fill.known('memoryFraction'),
    contextLength: fill.known('contextLength'),
    maxConcurrency: fill.known('maxConcurrency'),
    chunkedPrefill: fill.known('chunkedPrefill'),
    cudaGraphMaxBatch: fill.known('cudaGraphMaxBatch'),
    denseTensor: fill.known('denseTensor'),
    dataParallelLmHead: fill.known('dataParallelLmHead'),
    speculativeTokens: fill.known('speculativeTokens'),
    ...Object.fromEntries(ENGINE_FIELDS.map((key) => [key, fill.known(key)])),
  } as ServingSpec);
}

export function resolveExperts(plan: Plan): ExpertsSpec {
  const fill = filler<ExpertsSpec>('experts', plan.experts, []);
  return defined<ExpertsSpec>({
    redundant: fill.get('redundant', 0, 'default'),
    algorithm: fill.get('algorithm', 'eplb', 'default'),
    locationFile: fill.known('locationFile'),
    dispatch: fill.known('dispatch'),
  } as ExpertsSpec);
}
