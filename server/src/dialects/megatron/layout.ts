import type { ClusterSpec } from '../../engine/spec/cluster';
import type { LayoutSpec } from '../../engine/spec/layout';
import type { Planned, Sourced, Unresolved } from '../../plan/plan';
import type { Entry } from '../../syntax/tree';
import { integerOf } from '../common/nodes';
import { byDefault, derived, present, written } from '../common/sourced';
import type { MegatronArguments } from './arguments';
import { layoutFault, parsePipelineLayout } from './pipeline-layout';

/** A size as the file states it, or Megatron's default of one; absent while an interpolation hides it. */
function degree(args: MegatronArguments, destination: string): Sourced<number> | undefined {
  const entry = args.entry(destination);
  if (entry === undefined) return byDefault(1, args.profile.note);
  const value = args.integer(destination);
  return value === undefined ? undefined : written(value, entry);
}

interface Pipeline {
  readonly virtual: Sourced<number> | undefined;
  readonly stages: Sourced<readonly number[]> | undefined;
}

function fromLayout(args: MegatronArguments, ranks: number | undefined): Pipeline {
  const entry = args.entry('pipeline_model_parallel_layout');
  const text = args.text('pipeline_model_parallel_layout');
  if (entry === undefined || text === undefined) return { virtual: undefined, stages: undefined };
  const layout = parsePipelineLayout(text);
  if ('fault' in layout || layoutFault(layout, ranks) !== undefined) return { virtual: undefined, stages: undefined };
  const stages = layout.stages.map(({ layers }) => layers);
  return {
    stages: written(stages, entry),
    virtual:
      ranks === undefined
        ? undefined
        : derived(stages.length / ranks, `${stages.length} stages over ${ranks} pipeline ranks`, entry),
  };
}

/** Layers that are dealt out: decoder layers, and one for each of embedding and loss that is counted as a layer. */
function counted(args: MegatronArguments, layers: number): number {
  return (
    layers +
    (args.flag('account_for_embedding_in_pipeline_split') === true ? 1 : 0) +
    (args.flag('account_for_loss_in_pipeline_split') === true ? 1 : 0)
  );
}

function virtualStages(args: MegatronArguments, ranks: number | undefined): Sourced<number> | undefined {
  for (const destination of ['num_virtual_stages_per_pipeline_rank', 'virtual_pipeline_model_parallel_size']) {
    const entry = args.entry(destination);
    if (entry === undefined) continue;
    const value = args.integer(destination);
    return value === undefined ? undefined : written(value, entry);
  }
  const entry = args.entry('num_layers_per_virtual_pipeline_stage');
  if (entry === undefined) return byDefault(1, args.profile.note);
  const each = args.integer('num_layers_per_virtual_pipeline_stage');
  const layers = args.integer('num_layers') ?? args.integer('decoder_num_layers');
  if (each === undefined || each < 1 || layers === undefined || ranks === undefined || ranks < 1) return undefined;
  const value = counted(args, layers) / ranks / each;
  return Number.isInteger(value) && value > 0
    ? derived(value, `${counted(args, layers)} layers over ${ranks} pipeline ranks, ${each} in a chunk`, entry)
    : undefined;
}

/**
 * Layers of each stage where the split is uneven: the first and last stage as stated and the rest shared evenly, or one layer less where
 * embedding or loss take its place. Undefined where Megatron splits evenly, or where its own checks would refuse.
 * Source: Megatron-LM, megatron/core/transformer/transformer_block.py, `get_num_layers_to_build`.
 */
export function unevenStages(split: {
  readonly layers: number;
  readonly ranks: number;
  readonly chunks: number;
  readonly first?: number;
  readonly last?: number;
  readonly embedding: boolean;
  readonly loss: boolean;
}): readonly number[] | undefined {
  const { layers, ranks, chunks, first, last } = split;
  const stages = ranks * chunks;
  if (stages < 1 || stages > 65_536) return undefined;
  if (first !== undefined || last !== undefined) {
    const left = ranks - (first === undefined ? 0 : 1) - (last === undefined ? 0 : 1);
    const middle = left > 0 ? (layers - (first ?? 0) - (last ?? 0)) / left : 0;
    const perRank = Array.from({ length: ranks }, (_, rank) =>
      rank === 0 && first !== undefined ? first : rank === ranks - 1 && last !== undefined ? last : middle,
    );
    const perStage = Array.from({ length: stages }, (_, stage) => (perRank[stage % ranks] ?? 0) / chunks);
    return perStage.every((count) => Number.isInteger(count) && count >= 0) ? perStage : undefined;
  }
  if (!split.embedding && !split.loss) return undefined;
  const each = (layers + (split.embedding ? 1 : 0) + (split.loss ? 1 : 0)) / stages;
  const perStage = Array.from(
    { length: stages },
    (_, stage) => each - (stage === 0 && split.embedding ? 1 : 0) - (stage === stages - 1 && split.loss ? 1 : 0),
  );
  return perStage.every((count) => Number.isInteger(count) && count >= 0) ? perStage : undefined;
}

function uneven(
  args: MegatronArguments,
  ranks: number | undefined,
  chunks: number | undefined,
): Sourced<readonly number[]> | undefined {
  const layers = args.integer('num_layers');
  if (layers === undefined || ranks === undefined || chunks === undefined || ranks < 1 || chunks < 1) return undefined;
  const first = args.integer('decoder_first_pipeline_num_layers');
  const last = args.integer('decoder_last_pipeline_num_layers');
  const stages = unevenStages({
    layers,
    ranks,
    chunks,
    embedding: args.flag('account_for_embedding_in_pipeline_split') === true,
    loss: args.flag('account_for_loss_in_pipeline_split') === true,
    ...(first === undefined ? {} : { first }),
    ...(last === undefined ? {} : { last }),
  });
  const entry = [
    'decoder_first_pipeline_num_layers',
    'decoder_last_pipeline_num_layers',
    'account_for_embedding_in_pipeline_split',
    'account_for_loss_in_pipeline_split',
  ]
    .map(args.entry)
    .find((found) => found !== undefined);
  return stages === undefined ? undefined : derived(stages, `the stages hold ${shortened(stages)} layers`, entry);
}

function shortened(stages: readonly number[]): string {
  return stages.length > 12 ? `${stages.slice(0, 4).join('|')}|…|${stages.slice(-3).join('|')}` : stages.join('|');
}

function pipelineOf(args: MegatronArguments, ranks: number | undefined): Pipeline {
  if (args.entry('pipeline_model_parallel_layout') !== undefined) return fromLayout(args, ranks);
  const virtual = virtualStages(args, ranks);
  return { virtual, stages: uneven(args, ranks, virtual?.value) };
}

function sequence(args: MegatronArguments, tensor: number | undefined): Sourced<boolean> | undefined {
  const entry = args.entry('sequence_parallel');
  const asked = args.flag('sequence_parallel');
  // Inference does without it, and training alone needs it: arguments of a server say nothing about either.
  const serves = ['inference_max_requests', 'inference_max_seq_length'].some((key) => args.entry(key) !== undefined);
  if (entry === undefined && serves) return undefined;
  if (entry === undefined) return byDefault(false, args.profile.note);
  if (asked === undefined) return undefined;
  return asked && tensor === 1
    ? derived(false, 'Megatron-LM switches sequence parallelism off while TP is 1', entry)
    : written(asked, entry);
}

function expertTensor(args: MegatronArguments, tensor: Sourced<number> | undefined): Sourced<number> | undefined {
  const entry = args.entry('expert_tensor_parallel_size');
  const value = args.integer('expert_tensor_parallel_size');
  if (entry !== undefined) return value === undefined ? undefined : written(value, entry);
  if (value !== undefined) return byDefault(value, args.profile.note);
  return tensor === undefined ? undefined : byDefault(tensor.value, 'left out, it equals tensor parallelism');
}

/** How the job is split. Source: Megatron-LM, megatron/training/arguments.py, `validate_args`. */
export function readLayout(args: MegatronArguments): Planned<LayoutSpec> {
  const tensor = degree(args, 'tensor_model_parallel_size');
  const pipeline = degree(args, 'pipeline_model_parallel_size');
  const split = pipelineOf(args, pipeline?.value);
  const world = args.entry('world_size');
  const worldSize = args.integer('world_size');
  const instances = args.entry('num_distributed_optimizer_instances');
  const copies = args.integer('num_distributed_optimizer_instances');
  return present<Planned<LayoutSpec>>({
    tensor,
    pipeline,
    worldSize: world === undefined || worldSize === undefined ? undefined : written(worldSize, world),
    virtualPipeline: split.virtual,
    stageLayers: split.stages,
    context: degree(args, 'context_parallel_size'),
    expert: degree(args, 'expert_model_parallel_size'),
    expertTensor: expertTensor(args, tensor),
    sequenceParallel: sequence(args, tensor?.value),
    attentionData: byDefault(1, 'training'),
    dataReplicate: instances === undefined || copies === undefined ? undefined : written(copies, instances),
  });
}

const NODES = ['trainer.num_nodes', 'NNODES', 'NUM_NODES', 'SLURM_NNODES', 'nnodes', 'num_nodes'];
const PER_NODE = ['trainer.devices', 'GPUS_PER_NODE', 'NPROC_PER_NODE', 'nproc_per_node', 'gpus_per_node'];

function firstNumber(args: MegatronArguments, keys: readonly string[]): Sourced<number> | undefined {
  for (const key of keys) {
    const entry: Entry | undefined = args.other(key);
    const value = integerOf(entry?.value);
    if (entry !== undefined && value !== undefined && value > 0) return written(value, entry);
  }
  return undefined;
}

/** Machines, where launcher keys stand in the file. */
export function readCluster(args: MegatronArguments): Planned<ClusterSpec> {
  const world = firstNumber(args, ['WORLD_SIZE']);
  return present<Planned<ClusterSpec>>({
    nodes: firstNumber(args, NODES),
    gpusPerNode: firstNumber(args, PER_NODE),
    gpus: world,
  });
}

const HIDDEN: readonly (readonly [string, string])[] = [
  ['layout.tensor', 'tensor_model_parallel_size'],
  ['layout.pipeline', 'pipeline_model_parallel_size'],
  ['layout.context', 'context_parallel_size'],
  ['layout.expert', 'expert_model_parallel_size'],
  ['layout.expertTensor', 'expert_tensor_parallel_size'],
  ['layout.virtualPipeline', 'num_virtual_stages_per_pipeline_rank'],
  ['layout.virtualPipeline', 'num_layers_per_virtual_pipeline_stage'],
  ['layout.virtualPipeline', 'virtual_pipeline_model_parallel_size'],
  ['layout.stageLayers', 'pipeline_model_parallel_layout'],
  ['layout.stageLayers', 'decoder_first_pipeline_num_layers'],
  ['layout.stageLayers', 'decoder_last_pipeline_num_layers'],
  ['layout.sequenceParallel', 'sequence_parallel'],
  ['layout.worldSize', 'world_size'],
  ['batch.microBatch', 'micro_batch_size'],
  ['batch.globalBatch', 'global_batch_size'],
  ['batch.sequenceLength', 'seq_length'],
  ['model.layers', 'num_layers'],
  ['model.hiddenSize', 'hidden_size'],
  ['model.heads', 'num_attention_heads'],
  ['model.kvHeads', 'num_query_groups'],
  ['model.experts', 'num_experts'],
  ['model.intermediateSize', 'ffn_hidden_size'],
  ['model.expertIntermediateSize', 'moe_ffn_hidden_size'],
  ['model.vocabSize', 'vocab_size'],
  ['recompute.granularity', 'recompute_granularity'],
  ['recompute.modules', 'recompute_modules'],
  ['precision.fp8Recipe', 'fp8_recipe'],
  ['precision.compute', 'fp8'],
  ['pipeline.groupSize', 'microbatch_group_size_per_vp_stage'],
];

/** Arguments that an interpolation hides, by the plan field they would fill. */
export function hiddenFields(args: MegatronArguments): readonly Unresolved[] {
  return HIDDEN.flatMap(([field, destination]) => args.unresolved(field, destination));
}
