import type { LayoutSpec } from '../../engine/spec/layout';
import type { BatchSpec, OptimizerSpec, PrecisionSpec, ScheduleKind } from '../../engine/spec/training';
import type { Plan, Planned, Sourced, Unresolved } from '../../plan/plan';
import type { ConfigTree } from '../../syntax/tree';
import { checkConditions, whichOf } from '../common/conditions';
import { dtypeOf } from '../common/dtypes';
import { emptyTraining } from '../common/empty-plan';
import { placeOf, rootMap } from '../common/nodes';
import { byDefault, derived, present, written } from '../common/sourced';
import { hiddenBehind, treeValues, type ConfigValues } from '../common/values';
import type { DialectReading } from '../dialect';
import { automodelConditions } from './conditions';
import { automodelKeyFindings } from './keys';

const NOTE = "NeMo Automodel's default";

const SCHEDULES: Readonly<Record<string, ScheduleKind>> = {
  '1f1b': '1f1b',
  gpipe: 'gpipe',
  interleaved1f1b: 'interleaved-torch',
  loopedbfs: 'looped-bfs',
  interleavedzerobubble: 'interleaved-zb-torch',
  zbvzerobubble: 'zbv-torch',
  dualpipev: 'dualpipev',
};

/** `none` stands for a size that is worked out, as `null` does. */
function size(values: ConfigValues, name: string): Sourced<number> | undefined {
  const entry = values.entry(name);
  const value = values.integer(name);
  return entry === undefined || value === undefined ? undefined : written(value, entry);
}

function degree(values: ConfigValues, key: string): Sourced<number> | undefined {
  const name = `distributed.${key}`;
  const given = values.entry(name);
  if (given === undefined || /^none$/i.test(values.text(name) ?? '')) return byDefault(1, NOTE);
  return size(values, name);
}

function readLayout(values: ConfigValues, schedule: string): Planned<LayoutSpec> {
  const replicate = size(values, 'distributed.dp_replicate_size');
  const single = /^(?:1f1b|gpipe)$/i.test(schedule);
  const pipeline = degree(values, 'pp_size');
  return present<Planned<LayoutSpec>>({
    tensor: degree(values, 'tp_size'),
    pipeline,
    context: degree(values, 'cp_size'),
    expert: degree(values, 'ep_size'),
    expertTensor: byDefault(1, NOTE),
    data: size(values, 'distributed.dp_size'),
    dataReplicate: replicate,
    attentionData: byDefault(1, 'training'),
    // How many stages a rank gets hangs on layers_per_stage and the model.
    virtualPipeline:
      (pipeline?.value ?? 1) <= 1 || single
        ? byDefault(1, NOTE)
        : byDefault(2, 'two stages a rank unless layers_per_stage says otherwise'),
    sequenceParallel: flag(values, 'distributed.sequence_parallel', false),
  });
}

function flag(values: ConfigValues, name: string, otherwise: boolean): Sourced<boolean> | undefined {
  const entry = values.entry(name);
  const value = values.flag(name);
  return entry === undefined ? byDefault(otherwise, NOTE) : value === undefined ? undefined : written(value, entry);
}

function readBatch(values: ConfigValues, micro: string): Planned<BatchSpec> {
  const pipeline = (values.integer('distributed.pp_size') ?? 1) > 1;
  const length = whichOf(values, [
    'dataset.seq_len',
    'dataset.seq_length',
    // Zero turns packing off.
    ...(values.integer('packed_sequence.packed_sequence_size') === 0 ? [] : ['packed_sequence.packed_sequence_size']),
    'autopipeline.pp_seq_len',
  ]);
  const small = pipeline
    ? (size(values, micro) ?? byDefault(1, NOTE))
    : size(values, 'step_scheduler.local_batch_size');
  const local = values.integer('step_scheduler.local_batch_size');
  const count = small === undefined || local === undefined ? undefined : local / small.value;
  return present<Planned<BatchSpec>>({
    globalBatch: size(values, 'step_scheduler.global_batch_size'),
    // Microbatches that do not divide the local batch are refused, and say nothing of the rest.
    microBatch: pipeline && count !== undefined && !Number.isInteger(count) ? undefined : small,
    sequenceLength: size(values, length),
    microbatches:
      pipeline && count !== undefined && Number.isInteger(count) && count > 0
        ? derived(count, 'the local batch cut into microbatches', values.entry('step_scheduler.local_batch_size'))
        : undefined,
  });
}

function readPrecision(values: ConfigValues): Planned<PrecisionSpec> {
  const name = whichOf(values, ['model.torch_dtype', 'model.config.torch_dtype']);
  const entry = values.entry(name);
  const base = dtypeOf(values.text(name) ?? '') ?? (entry === undefined ? 'BF16' : undefined);
  if (base === undefined) return {};
  const same = (): Sourced<typeof base> =>
    entry === undefined ? byDefault(base, NOTE) : derived(base, 'the format of the weights', entry);
  return {
    weights: entry === undefined ? byDefault(base, NOTE) : written(base, entry),
    gradients: same(),
    masterWeights: derived('none', 'the optimizer steps on the sharded weights themselves'),
    firstMoment: same(),
    secondMoment: same(),
  };
}

function readOptimizer(values: ConfigValues): Planned<OptimizerSpec> {
  const strategy = (
    values.text('distributed.strategy') ??
    values.text('distributed._target_') ??
    'fsdp2'
  ).toLowerCase();
  const stack =
    /ddp/.test(strategy) && !/fsdp/.test(strategy) ? 'ddp' : /megatron/.test(strategy) ? 'megatron' : 'fsdp2';
  const entry = values.entry('distributed.strategy');
  return {
    kind: derived('adam', 'the optimizer that is named', values.entry('optimizer._target_')),
    zeroStage:
      stack === 'ddp'
        ? derived(0, 'plain replicas')
        : derived(3, 'parameters, gradients and optimizer states are shared', entry),
    stack: entry === undefined ? byDefault(stack, NOTE) : written(stack, entry),
    gradientAccumulationFusion: byDefault(false, NOTE),
    offloadOptimizer: byDefault(false, NOTE),
    offloadParameters: byDefault(false, NOTE),
  };
}

/** Machines: one of the places where these files keep the number of nodes. */
function cluster(values: ConfigValues): Plan['cluster'] {
  const nodes = size(values, whichOf(values, ['slurm.nodes', 'benchmark.num_nodes', 'ci.nodes']));
  const tag = values.entry('ci.cluster_tag');
  const each =
    size(values, 'slurm.ntasks_per_node') ??
    size(values, 'slurm.gpus_per_node') ??
    // A node of a Grace-Blackwell rack has four GPUs.
    (/^gb\d/i.test(values.text('ci.cluster_tag') ?? '') ? derived(4, 'a Grace-Blackwell node', tag) : undefined);
  const gpu = /^(?:gb|[abh])\d00$/i.exec(values.text('ci.cluster_tag') ?? '')?.[0];
  return present<Plan['cluster']>({
    nodes,
    gpusPerNode: each,
    gpu: gpu === undefined ? undefined : derived(gpu.toUpperCase(), 'the cluster that it is run on', tag),
  });
}

const FROZEN = 'what adapters (`peft`) leave frozen is not modelled for this framework';

/** With adapters most weights have no gradients and no optimizer states, which the Plan cannot say. */
function frozen(values: ConfigValues): readonly Unresolved[] {
  const entry = values.entry('peft');
  return entry === undefined ? [] : [{ path: 'optimizer.trainable', at: placeOf(entry), why: FROZEN }];
}

const HIDDEN = [
  ['layout.tensor', 'distributed.tp_size'],
  ['layout.pipeline', 'distributed.pp_size'],
  ['layout.context', 'distributed.cp_size'],
  ['layout.expert', 'distributed.ep_size'],
] as const;

/** Reads a NeMo Automodel recipe: the model by its Hugging Face name, degrees under `distributed`. */
export function readAutomodel(tree: ConfigTree): DialectReading {
  const root = rootMap(tree);
  if (root === undefined) return { plan: emptyTraining('nemo-automodel'), findings: [], references: [] };
  const values = treeValues(root);
  const section = values.entry('autopipeline') === undefined ? 'distributed.pipeline' : 'autopipeline';
  const schedule = values.text(`${section}.pp_schedule`) ?? '1f1b';
  const kind = SCHEDULES[schedule.toLowerCase()];
  const model = whichOf(values, ['model.pretrained_model_name_or_path', 'model.config.pretrained_model_name_or_path']);
  const name = values.entry(model);
  const text = values.text(model);
  // Files of 2025 hand it to the function that builds the parallel model.
  const recompute = flag(
    values,
    whichOf(values, ['parallelizer.activation_checkpointing', 'distributed.activation_checkpointing']),
    false,
  );
  const plan: Plan = {
    ...emptyTraining('nemo-automodel'),
    model: name === undefined || text === undefined ? {} : { name: written(text, name) },
    cluster: cluster(values),
    layout: readLayout(values, schedule),
    precision: readPrecision(values),
    optimizer: readOptimizer(values),
    recompute:
      recompute === undefined ? {} : { granularity: { ...recompute, value: recompute.value ? 'full' : 'none' } },
    batch: readBatch(values, `${section}.pp_microbatch_size`),
    pipeline:
      kind === undefined || (values.integer('distributed.pp_size') ?? 1) <= 1
        ? {}
        : { kind: derived(kind, 'pp_schedule', values.entry(`${section}.pp_schedule`)) },
    unresolved: [...hiddenBehind(values, HIDDEN), ...frozen(values)],
    details: { vocabDivisor: 1 },
  };
  return {
    plan,
    findings: [...automodelKeyFindings(root), ...checkConditions(automodelConditions, values)],
    references: [],
  };
}
