import type { Dialect } from '../../dialects/dialect';
import type { ResolvedPlan } from '../../plan/plan';
import { resolvePlan } from '../../plan/resolve';
import { parseConfig } from '../../syntax/parse';
import { planField } from '../fields';
import { requestsPerRank, servingSplit } from './serving-split';
import type { Loss, TranslationTarget } from './target';
import { halfFormat } from './training-format';

type Value = string | number | boolean | undefined;
type Compared = readonly [field: string, name: string, value: Value];

/** Schedules of one shape under the names that two frameworks give it. */
function shapeOf(kind: string): string {
  return kind === 'zbv-torch' ? 'zb-v' : kind.replace(/-torch$/, '');
}

function training(plan: ResolvedPlan): Compared[] {
  const { layout, batch, precision, recompute, optimizer, pipeline, model } = plan;
  const full = recompute.granularity === 'full';
  const piped = (layout?.pipeline ?? 1) > 1;
  // A length that nothing states is the model's, and no word of the file.
  const assumesLength = plan.assumptions.some(({ field }) => field === 'batch.sequenceLength');
  return [
    ['layout.tensor', 'Tensor parallelism', layout?.tensor],
    ['layout.pipeline', 'Pipeline parallelism', layout?.pipeline],
    ['layout.virtualPipeline', 'Model chunks a pipeline rank', layout?.virtualPipeline],
    ['layout.context', 'Context parallelism', layout?.context],
    ['layout.expert', 'Expert parallelism', layout?.expert],
    [
      'layout.expertTensor',
      'Expert tensor parallelism',
      model?.experts === undefined ? undefined : layout?.expertTensor,
    ],
    ['layout.data', 'Data parallelism', layout?.data],
    ['layout.dataReplicate', 'Replicas of the shards', layout?.dataReplicate ?? 1],
    ['layout.sequenceParallel', 'Sequence parallelism', (layout?.tensor ?? 1) > 1 && layout?.sequenceParallel],
    ['layout.stageLayers', 'Layers of the stages', piped ? layout?.stageLayers?.join('|') : undefined],
    ['batch.microBatch', 'The microbatch', batch?.microBatch],
    ['batch.globalBatch', 'The global batch', batch?.globalBatch],
    ['batch.microbatches', 'Microbatches a step', batch?.microbatches],
    ['batch.sequenceLength', 'The sequence length', assumesLength ? undefined : batch?.sequenceLength],
    ['precision.weights', 'The number format', halfFormat(plan) ?? 'F32'],
    ['precision.fp8Recipe', 'The FP8 recipe', precision.fp8Recipe],
    ['recompute.granularity', 'Recomputation', recompute.granularity],
    ['recompute.method', 'The method of recomputation', full ? (recompute.method ?? 'uniform') : undefined],
    ['recompute.layers', 'Layers that are recomputed together', full ? (recompute.layers ?? 1) : undefined],
    [
      'recompute.modules',
      'Recomputed modules',
      recompute.granularity === 'selective' ? recompute.modules?.join(' ') : undefined,
    ],
    ['pipeline.kind', 'The schedule', piped ? shapeOf(pipeline.kind) : undefined],
    ['optimizer.zeroStage', 'The ZeRO stage', optimizer.zeroStage],
    ['optimizer.offloadOptimizer', 'Offloading of optimizer states', optimizer.offloadOptimizer],
    ['optimizer.offloadParameters', 'Offloading of parameters', optimizer.offloadParameters],
  ];
}

function serving(plan: ResolvedPlan): Compared[] {
  const split = servingSplit(plan);
  return [
    ['layout.tensor', 'Tensor parallelism of attention', split?.attentionTensor],
    ['layout.attentionData', 'Data parallelism of attention', split?.attentionData],
    ['layout.data', 'The number of replicas', split?.replicas],
    ['layout.pipeline', 'Pipeline parallelism', split?.pipeline],
    ['layout.context', 'Context parallelism', split?.context],
    ['layout.expert', 'Expert parallelism', split?.expert],
    ['experts.redundant', 'Redundant experts', plan.experts.redundant],
  ];
}

const SIZES: readonly (readonly [string, string])[] = [
  ['serving.kvDType', 'The format of the cache'],
  ['serving.contextLength', 'The context length'],
  ['serving.maxConcurrency', 'Requests at once'],
  ['serving.chunkedPrefill', 'Tokens of a step'],
  ['serving.pageSize', 'The page size of the cache'],
  ['serving.cudaGraphMaxBatch', 'The largest batch with a CUDA graph'],
  ['serving.speculativeTokens', 'Speculative tokens'],
];

/** Sizes that the source states; what an engine fills in by itself is its own. */
function sizes(plan: ResolvedPlan, stated: ResolvedPlan): Compared[] {
  return SIZES.flatMap(([field, name]): Compared[] => {
    if (planField(stated.plan, field)?.at === undefined) return [];
    const value = planField(plan.plan, field)?.value as Value;
    const known = field === 'serving.maxConcurrency' ? requestsPerRank(plan, Number(value)) : value;
    return [[field, name, known]];
  });
}

function compared(plan: ResolvedPlan, source: ResolvedPlan): Compared[] {
  return plan.plan.task === 'training' ? training(plan) : [...serving(plan), ...sizes(plan, source)];
}

/** The plan that our own reader makes of a translated file, for the same model on as many GPUs. */
export function reread(source: ResolvedPlan, target: TranslationTarget, dialect: Dialect, text: string): ResolvedPlan {
  const reading = dialect.read(parseConfig(text, target.language), () => undefined);
  const world = source.layout?.worldSize;
  const model = { ...source.plan.model, ...reading.plan.model };
  const cluster =
    world === undefined || target.task === 'serving'
      ? source.plan.cluster
      : { ...source.plan.cluster, gpus: { value: world, origin: 'file' as const } };
  const plan = { ...reading.plan, model, cluster };
  return resolvePlan(reading.complete?.(plan, { model }) ?? plan);
}

const shown = (value: Value): string => (value === true ? 'on' : value === false ? 'off' : String(value));

/** What comes back otherwise than it was, a sentence each: whatever the writer of a format overlooks is still told. */
export function differences(source: ResolvedPlan, back: ResolvedPlan): Loss[] {
  const after = new Map(compared(back, source).map(([field, , value]) => [field, value]));
  return compared(source, source).flatMap(([field, name, before]) => {
    const now = after.get(field);
    if (before === undefined || before === now) return [];
    const text =
      now === undefined
        ? `${name} (${shown(before)}) was left out.`
        : `${name} ${shown(before)} becomes ${shown(now)}.`;
    return [{ fields: [field], text }];
  });
}
