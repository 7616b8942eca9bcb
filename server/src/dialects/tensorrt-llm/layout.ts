import type { ClusterSpec } from '../../engine/spec/cluster';
import type { LayoutSpec } from '../../engine/spec/layout';
import type { Planned, Sourced, Unresolved } from '../../plan/plan';
import { byDefault, derived, present, written } from '../common/sourced';
import { hiddenBehind } from '../common/values';
import type { TrtValues } from './values';

const DEFAULT = "TensorRT-LLM's default";

/** Degrees of one server; undefined where an interpolation hides one that decides it. */
export interface TrtDegrees {
  readonly tensor: number | undefined;
  readonly pipeline: number | undefined;
  readonly context: number | undefined;
  readonly attentionData: boolean | undefined;
  /** What is left of expert parallelism after TensorRT-LLM has filled in what the file leaves open. */
  readonly experts: number | undefined;
  readonly expertTensor: number | undefined;
  readonly clusters: number | undefined;
}

function degree(values: TrtValues, name: string): number | undefined {
  return values.entry(name) === undefined ? 1 : values.integer(name);
}

/** A degree that may be left open: absent or below one. */
function open(values: TrtValues, name: string): number | 'open' | undefined {
  if (values.entry(name) === undefined) return 'open';
  const value = values.integer(name);
  return value === undefined ? undefined : value < 1 ? 'open' : value;
}

/** Source: tensorrt_llm/mapping.py, `Mapping.__init__`. */
export function trtDegrees(values: TrtValues): TrtDegrees {
  const tensor = degree(values, 'tensor_parallel_size');
  const clusters = open(values, 'moe_cluster_parallel_size');
  const cluster = clusters === 'open' ? 1 : clusters;
  const expert = open(values, 'moe_expert_parallel_size');
  const sliced = open(values, 'moe_tensor_parallel_size');
  const rest = tensor === undefined || cluster === undefined ? undefined : Math.floor(tensor / cluster);
  const known = rest !== undefined && expert !== undefined && sliced !== undefined;
  return {
    tensor,
    pipeline: degree(values, 'pipeline_parallel_size'),
    context: degree(values, 'context_parallel_size'),
    attentionData: values.entry('enable_attention_dp') === undefined ? false : values.flag('enable_attention_dp'),
    clusters: cluster,
    experts: !known
      ? undefined
      : expert !== 'open'
        ? expert
        : sliced === 'open'
          ? 1
          : Math.max(1, Math.floor(rest / sliced)),
    expertTensor: !known
      ? undefined
      : sliced !== 'open'
        ? sliced
        : expert === 'open'
          ? rest
          : Math.max(1, Math.floor(rest / expert)),
  };
}

function stated(values: TrtValues, name: string): Sourced<number> | undefined {
  const entry = values.entry(name);
  if (entry === undefined) return byDefault(1, DEFAULT);
  const value = values.integer(name);
  return value === undefined ? undefined : written(value, entry);
}

function moe(values: TrtValues, name: string, value: number | undefined, note: string): Sourced<number> | undefined {
  if (value === undefined || value < 1) return undefined;
  const entry = values.entry(name);
  return entry !== undefined && values.integer(name) === value ? written(value, entry) : derived(value, note, entry);
}

function stages(values: TrtValues): Sourced<readonly number[]> | undefined {
  const entry = values.entry('pp_partition');
  const layers = values.words('pp_partition')?.map(Number);
  const whole = layers?.every((count) => Number.isInteger(count) && count >= 0);
  return entry === undefined || layers === undefined || whole !== true ? undefined : written(layers, entry);
}

/** How one TensorRT-LLM server is split: experts and attention data parallelism live inside the tensor-parallel group. */
export function readTrtLayout(values: TrtValues, degrees: TrtDegrees): Planned<LayoutSpec> {
  const { tensor, pipeline, context } = degrees;
  const world =
    tensor === undefined || pipeline === undefined || context === undefined ? undefined : tensor * pipeline * context;
  const adp = values.entry('enable_attention_dp');
  return present<Planned<LayoutSpec>>({
    worldSize:
      world !== undefined && world > 0
        ? derived(world, 'tensor_parallel_size × pipeline_parallel_size × context_parallel_size')
        : undefined,
    tensor: stated(values, 'tensor_parallel_size'),
    pipeline: stated(values, 'pipeline_parallel_size'),
    virtualPipeline: byDefault(1, DEFAULT),
    context: stated(values, 'context_parallel_size'),
    expert: moe(values, 'moe_expert_parallel_size', degrees.experts, 'filled in from tensor_parallel_size'),
    expertTensor: moe(
      values,
      'moe_tensor_parallel_size',
      degrees.expertTensor,
      'tensor_parallel_size / expert parallelism',
    ),
    data: byDefault(1, 'one server is one replica'),
    sequenceParallel: byDefault(false, DEFAULT),
    attentionData:
      degrees.attentionData === true && tensor !== undefined && tensor > 0
        ? derived(tensor, 'enable_attention_dp gives every rank its own requests', adp)
        : degrees.attentionData === false
          ? byDefault(1, DEFAULT)
          : undefined,
    stageLayers: stages(values),
  });
}

export function readTrtCluster(values: TrtValues): Planned<ClusterSpec> {
  const entry = values.entry('gpus_per_node');
  const count = values.integer('gpus_per_node');
  return entry === undefined || count === undefined || count < 1 ? {} : { gpusPerNode: written(count, entry) };
}

/** Plan fields that interpolations hide. */
export function hiddenTrt(values: TrtValues): readonly Unresolved[] {
  return hiddenBehind(values, [
    ['layout.tensor', 'tensor_parallel_size'],
    ['layout.pipeline', 'pipeline_parallel_size'],
    ['layout.context', 'context_parallel_size'],
    ['layout.expert', 'moe_expert_parallel_size'],
    ['layout.expert', 'moe_tensor_parallel_size'],
    ['layout.attentionData', 'enable_attention_dp'],
    ['model.name', 'model'],
    ['serving.memoryFraction', 'kv_cache_config.free_gpu_memory_fraction'],
    ['serving.kvDType', 'kv_cache_config.dtype'],
  ]);
}
