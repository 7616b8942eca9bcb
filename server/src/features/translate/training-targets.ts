import type { ScheduleKind } from '../../engine/spec/training';
import type { ResolvedPlan } from '../../plan/plan';
import { modelSettings } from './megatron-model';
import { FORMAT, halfFormat, sharedBatch, withoutMaster } from './training-format';
import { setting, unless, type Draft, type Loss, type Setting, type TranslationTarget } from './target';

const DATA = ['layout.data', 'layout.dataShard', 'layout.dataReplicate', 'layout.worldSize'];
const STACKS = ['optimizer.zeroStage', 'optimizer.stack', 'optimizer.reshardAfterForward'];

function schedule(
  plan: ResolvedPlan,
  words: Readonly<Partial<Record<ScheduleKind, string>>>,
  target: string,
): { readonly word?: string; readonly losses: Loss[] } {
  if ((plan.layout?.pipeline ?? 1) <= 1) return { losses: [] };
  const { kind } = plan.pipeline;
  const word = words[kind];
  return word === undefined
    ? {
        losses: [
          { fields: ['pipeline.kind'], text: `The schedule ${kind} was left out: ${target} has none of that name.` },
        ],
      }
    : { word, losses: [] };
}

function megatronRecompute({ recompute }: ResolvedPlan): Setting[] {
  const at = (flag: string, value: Setting['value'] | undefined, field: string): Setting[] =>
    setting(`MODEL_ARGS/${flag}`, value, field);
  if (recompute.granularity === 'none') return [{ path: [], value: 'none', fields: ['recompute.granularity'] }];
  const modules = recompute.granularity === 'selective' ? recompute.modules : undefined;
  return [
    ...at('--recompute-granularity', recompute.granularity, 'recompute.granularity'),
    ...(recompute.granularity === 'full'
      ? at('--recompute-method', recompute.method ?? 'uniform', 'recompute.method')
      : []),
    ...(recompute.granularity === 'full'
      ? at('--recompute-num-layers', recompute.layers ?? 1, 'recompute.layers')
      : []),
    ...at('--recompute-modules', modules === undefined ? undefined : modules.join(' '), 'recompute.modules'),
  ];
}

function megatronFlag(flag: string, value: Setting['value'] | undefined, ...fields: string[]): Setting[] {
  return setting(`MODEL_ARGS/${flag}`, value, ...fields);
}

const MEGATRON_RECIPES: ReadonlySet<string> = new Set(['delayed', 'tensorwise', 'blockwise', 'mxfp8']);

function megatronPrecision(plan: ResolvedPlan): Setting[] {
  const half = halfFormat(plan);
  const { fp8Recipe } = plan.precision;
  const narrow = half === 'BF16' ? '--bf16' : '--fp16';
  return [
    ...(half === undefined
      ? [{ path: [], value: 'F32', fields: FORMAT }]
      : megatronFlag(narrow, true, ...(withoutMaster(plan) ? ['precision.weights', 'precision.compute'] : FORMAT))),
    ...(MEGATRON_RECIPES.has(fp8Recipe) ? megatronFlag('--fp8-format', 'hybrid', 'precision.compute') : []),
    ...(MEGATRON_RECIPES.has(fp8Recipe) ? megatronFlag('--fp8-recipe', fp8Recipe, 'precision.fp8Recipe') : []),
  ];
}

function megatronDraft(plan: ResolvedPlan): Draft {
  const { layout, batch, optimizer } = plan;
  if (layout === undefined) return { settings: [], losses: [] };
  const at = megatronFlag;
  const overlapped = plan.pipeline.kind === '1f1b-ep-overlap' && layout.pipeline > 1;
  const interleaved = { interleaved: '', 'interleaved-torch': '', '1f1b-ep-overlap': '' };
  const found = schedule(plan, { '1f1b': '', ...interleaved }, 'Megatron-LM');
  const settings: Setting[] = [
    ...at('--tensor-model-parallel-size', layout.tensor, 'layout.tensor', ...DATA),
    ...at('--pipeline-model-parallel-size', layout.pipeline, 'layout.pipeline', 'pipeline.kind'),
    ...(layout.virtualPipeline > 1
      ? at('--num-virtual-stages-per-pipeline-rank', layout.virtualPipeline, 'layout.virtualPipeline')
      : []),
    ...unless(1, 'MODEL_ARGS/--context-parallel-size', layout.context, 'layout.context'),
    ...unless(1, 'MODEL_ARGS/--expert-model-parallel-size', layout.expert, 'layout.expert'),
    ...(plan.model?.experts === undefined
      ? []
      : at('--expert-tensor-parallel-size', layout.expertTensor, 'layout.expertTensor')),
    ...(overlapped ? at('--overlap-moe-expert-parallel-comm', true, 'pipeline.kind') : []),
    ...(layout.sequenceParallel && layout.tensor > 1 ? at('--sequence-parallel', true, 'layout.sequenceParallel') : []),
    ...(optimizer.zeroStage > 0
      ? at('--use-distributed-optimizer', true, 'optimizer.zeroStage', 'optimizer.stack')
      : []),
    ...modelSettings(plan),
    ...at('--micro-batch-size', batch?.microBatch, 'batch.microBatch'),
    ...at('--global-batch-size', batch?.globalBatch, 'batch.globalBatch', 'batch.microbatches'),
    ...at('--seq-length', batch?.sequenceLength, 'batch.sequenceLength'),
    ...megatronPrecision(plan),
    ...megatronRecompute(plan),
  ];
  const stages: Loss[] =
    optimizer.zeroStage > 1
      ? [
          {
            fields: ['optimizer.zeroStage'],
            text: `ZeRO stage ${String(optimizer.zeroStage)} becomes the distributed optimizer, which shards states alone (stage 1).`,
          },
        ]
      : [];
  return { settings, losses: [...found.losses, ...stages] };
}

const TITAN: Readonly<Partial<Record<ScheduleKind, string>>> = {
  '1f1b': '1F1B',
  gpipe: 'GPipe',
  interleaved: 'Interleaved1F1B',
  'interleaved-torch': 'Interleaved1F1B',
  'looped-bfs': 'LoopedBFS',
  'interleaved-zb-torch': 'InterleavedZeroBubble',
  'zbv-torch': 'ZBVZeroBubble',
  'zb-v': 'ZBVZeroBubble',
  dualpipev: 'DualPipeV',
};

function titanPrecision(plan: ResolvedPlan): Setting[] {
  const half = halfFormat(plan);
  const written = 'training/mixed_precision_param';
  if (half === 'F16') return [];
  if (half === undefined) return setting(written, 'float32', ...FORMAT);
  return [
    ...setting(written, 'bfloat16', ...FORMAT),
    ...(withoutMaster(plan) ? setting('training/dtype', 'bfloat16', ...FORMAT) : []),
  ];
}

/** Layers a stage that make as many chunks a rank, embedding and head counted as one each; nothing where no number does. */
function titanStages({ layout, model }: ResolvedPlan): number | undefined {
  if (layout === undefined || model === undefined || layout.pipeline < 2 || layout.virtualPipeline < 2)
    return undefined;
  const stages = layout.pipeline * layout.virtualPipeline;
  const each = Math.ceil((model.layers + 2) / stages);
  return Math.ceil((model.layers + 2) / each) === stages ? each : undefined;
}

function titanDraft(plan: ResolvedPlan): Draft {
  const { layout, batch, recompute } = plan;
  if (layout === undefined) return { settings: [], losses: [] };
  const replicate = layout.dataReplicate ?? 1;
  const found = schedule(plan, TITAN, 'torchtitan');
  const local =
    batch === undefined ? undefined : layout.pipeline > 1 ? batch.globalBatch / layout.data : batch.microBatch;
  const settings: Setting[] = [
    ...setting('parallelism/data_parallel_replicate_degree', replicate, ...DATA),
    ...setting('parallelism/data_parallel_shard_degree', layout.data / replicate, 'layout.data', ...STACKS),
    ...setting('parallelism/tensor_parallel_degree', layout.tensor, 'layout.tensor', 'layout.sequenceParallel'),
    ...setting('parallelism/pipeline_parallel_degree', layout.pipeline, 'layout.pipeline'),
    ...unless(1, 'parallelism/context_parallel_degree', layout.context, 'layout.context'),
    ...unless(1, 'parallelism/expert_parallel_degree', layout.expert, 'layout.expert', 'layout.expertTensor'),
    ...setting('parallelism/pipeline_parallel_schedule', found.word, 'pipeline.kind', 'layout.virtualPipeline'),
    ...setting('parallelism/pipeline_parallel_layers_per_stage', titanStages(plan), 'layout.virtualPipeline'),
    ...(layout.pipeline > 1
      ? setting(
          'parallelism/pipeline_parallel_microbatch_size',
          batch?.microBatch,
          'batch.microBatch',
          'batch.microbatches',
        )
      : []),
    ...setting('training/local_batch_size', local, 'batch.microBatch'),
    ...setting('training/global_batch_size', batch?.globalBatch, 'batch.globalBatch', 'batch.microbatches'),
    ...setting('training/seq_len', batch?.sequenceLength, 'batch.sequenceLength'),
    ...setting(
      'activation_checkpoint/mode',
      recompute.granularity,
      'recompute.granularity',
      'recompute.method',
      'recompute.layers',
    ),
    ...titanPrecision(plan),
  ];
  const experts: Loss[] =
    layout.expert > 1 && layout.expertTensor > 1
      ? [
          {
            fields: ['layout.expertTensor'],
            text: `Expert tensor parallelism of ${String(layout.expertTensor)} was left out.`,
          },
        ]
      : [];
  const each = titanStages(plan);
  const chunks: Loss[] =
    each === undefined
      ? []
      : [
          {
            fields: ['layout.virtualPipeline'],
            text: `${String(each)} layers a stage make ${String(layout.virtualPipeline)} chunks a rank of this model: torchtitan counts embedding and head as one layer each.`,
          },
        ];
  return { settings, losses: [...found.losses, ...experts, ...chunks] };
}

function deepSpeedPrecision(plan: ResolvedPlan): Setting[] {
  const half = halfFormat(plan);
  if (half === undefined) return setting('bf16/enabled', false, ...FORMAT);
  return setting(half === 'F16' ? 'fp16/enabled' : 'bf16/enabled', true, ...FORMAT);
}

/** Ranks of a dropped pipeline share the batch like all others, so the accumulation is counted anew. */
function deepSpeedBatch({ layout, batch }: ResolvedPlan): Setting[] {
  if (layout === undefined || batch === undefined) return [];
  const ranks = Math.max(1, Math.floor(layout.worldSize / (layout.tensor * layout.context)));
  const { micro, accumulation, global } = sharedBatch(batch.globalBatch, batch.microBatch, ranks);
  return [
    ...setting('train_batch_size', global, 'batch.globalBatch', ...DATA),
    ...setting('train_micro_batch_size_per_gpu', micro, 'batch.microBatch'),
    ...setting('gradient_accumulation_steps', accumulation, 'batch.microbatches'),
  ];
}

function deepSpeedDraft(plan: ResolvedPlan): Draft {
  const { layout, optimizer } = plan;
  const settings: Setting[] = [
    ...deepSpeedBatch(plan),
    ...setting('zero_optimization/stage', optimizer.zeroStage, ...STACKS),
    ...(optimizer.offloadOptimizer
      ? setting('zero_optimization/offload_optimizer/device', 'cpu', 'optimizer.offloadOptimizer')
      : []),
    ...(optimizer.offloadParameters
      ? setting('zero_optimization/offload_param/device', 'cpu', 'optimizer.offloadParameters')
      : []),
    ...deepSpeedPrecision(plan),
    ...(layout === undefined
      ? []
      : [
          ...unless(1, 'tensor_parallel/autotp_size', layout.tensor, 'layout.tensor'),
          ...unless(1, 'sequence_parallel_size', layout.context, 'layout.context'),
        ]),
  ];
  const ulysses: Loss[] =
    (layout?.context ?? 1) > 1
      ? [
          {
            fields: [],
            text: "Context parallelism becomes DeepSpeed's sequence parallelism (Ulysses), which splits attention by heads: its size must divide them.",
          },
        ]
      : [];
  return { settings, losses: ulysses };
}

function nanotronDraft(plan: ResolvedPlan): Draft {
  const { layout, batch, optimizer } = plan;
  if (layout === undefined) return { settings: [], losses: [] };
  const found = schedule(plan, { '1f1b': '1f1b', gpipe: 'afab' }, 'nanotron');
  const half = halfFormat(plan);
  const settings: Setting[] = [
    ...setting('parallelism/dp', layout.data, ...DATA),
    ...setting('parallelism/tp', layout.tensor, 'layout.tensor'),
    ...setting('parallelism/pp', layout.pipeline, 'layout.pipeline'),
    ...setting('parallelism/pp_engine', found.word, 'pipeline.kind'),
    ...unless(1, 'parallelism/context_parallel_size', layout.context, 'layout.context'),
    ...unless(1, 'parallelism/expert_parallel_size', layout.expert, 'layout.expert'),
    ...setting(
      'parallelism/tp_mode',
      layout.sequenceParallel ? 'REDUCE_SCATTER' : 'ALL_REDUCE',
      'layout.sequenceParallel',
    ),
    ...setting(
      'parallelism/recompute_layer',
      plan.recompute.granularity === 'full',
      'recompute.granularity',
      'recompute.method',
    ),
    ...setting('tokens/micro_batch_size', batch?.microBatch, 'batch.microBatch'),
    ...setting('tokens/sequence_length', batch?.sequenceLength, 'batch.sequenceLength'),
    ...setting('tokens/batch_accumulation_per_replica', batch?.microbatches, 'batch.microbatches', 'batch.globalBatch'),
    ...setting('optimizer/zero_stage', Math.min(1, optimizer.zeroStage), 'optimizer.zeroStage', 'optimizer.stack'),
    ...setting('model/dtype', half === 'BF16' ? 'bfloat16' : half === 'F16' ? 'float16' : 'float32', ...FORMAT),
    ...setting('optimizer/accumulate_grad_in_fp32', !withoutMaster(plan), ...FORMAT),
  ];
  return { settings, losses: found.losses };
}

export const trainingTargets: readonly TranslationTarget[] = [
  { dialect: 'megatron', title: 'Megatron-LM arguments', language: 'yaml', task: 'training', draft: megatronDraft },
  { dialect: 'torchtitan', title: 'torchtitan job file', language: 'toml', task: 'training', draft: titanDraft },
  { dialect: 'deepspeed', title: 'DeepSpeed JSON', language: 'json', task: 'training', draft: deepSpeedDraft },
  { dialect: 'nanotron', title: 'nanotron config', language: 'yaml', task: 'training', draft: nanotronDraft },
];
