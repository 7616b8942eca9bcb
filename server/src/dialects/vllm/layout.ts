import type { ClusterSpec } from '../../engine/spec/cluster';
import type { LayoutSpec } from '../../engine/spec/layout';
import type { Planned, Sourced, Unresolved } from '../../plan/plan';
import { byDefault, derived, present, written } from '../common/sourced';
import { hiddenBehind } from '../common/values';
import type { VllmArguments } from './values';

const DEFAULT = "vLLM's default";

/** Degrees of one deployment; undefined where an interpolation hides one. */
export interface VllmDegrees {
  readonly tensor: number | undefined;
  readonly pipeline: number | undefined;
  /** Prefill context parallelism, which multiplies the world. */
  readonly context: number | undefined;
  readonly data: number | undefined;
  readonly expertParallel: boolean | undefined;
  /** Ranks that share the experts: TP × prefill CP × DP. */
  readonly flat: number | undefined;
}

/** A degree: 1 unless it is given; undefined where an interpolation hides it or it may stand elsewhere. */
export function degreeOf(args: VllmArguments, name: string): number | undefined {
  return args.entry(name) !== undefined ? args.integer(name) : args.complete === false ? undefined : 1;
}

/** A switch of the command line: off unless it is given; undefined where an interpolation hides it or it may stand elsewhere. */
export function switchOf(args: VllmArguments, name: string): boolean | undefined {
  const entry = args.entry(name);
  if (entry === undefined) return args.complete === false ? undefined : false;
  return args.unknown(name) ? undefined : (args.flag(name) ?? true);
}

/** Source: vllm/model_executor/layers/fused_moe/config.py, `FusedMoEParallelConfig.make`. */
export function vllmDegrees(args: VllmArguments): VllmDegrees {
  const tensor = degreeOf(args, 'tensor-parallel-size');
  const context = degreeOf(args, 'prefill-context-parallel-size');
  const data = degreeOf(args, 'data-parallel-size');
  const flat =
    tensor === undefined || context === undefined || data === undefined ? undefined : tensor * context * data;
  return {
    tensor,
    pipeline: degreeOf(args, 'pipeline-parallel-size'),
    context,
    data,
    expertParallel: switchOf(args, 'enable-expert-parallel'),
    flat,
  };
}

function stated(args: VllmArguments, name: string): Sourced<number> | undefined {
  const entry = args.entry(name);
  if (entry === undefined) return args.complete === false ? undefined : byDefault(1, DEFAULT);
  const value = args.integer(name);
  return value === undefined ? undefined : written(value, entry);
}

function sharers({ tensor, context, data }: VllmDegrees): string {
  const parts = ['tensor-parallel-size'];
  if (context !== 1) parts.push('prefill-context-parallel-size');
  if (data !== 1) parts.push('data-parallel-size');
  return tensor === undefined ? '' : parts.join(' × ');
}

/** How one vLLM deployment is split. Engines of data parallelism keep whole attention weights; experts are shared by all of them. */
export function readVllmLayout(args: VllmArguments, degrees: VllmDegrees): Planned<LayoutSpec> {
  const { pipeline, flat, expertParallel } = degrees;
  const entry = args.entry('enable-expert-parallel');
  const world = flat === undefined || pipeline === undefined ? undefined : flat * pipeline;
  const spread = flat !== undefined && flat > 0 && Number.isInteger(flat) ? flat : undefined;
  const known = spread !== undefined && expertParallel !== undefined;
  return present<Planned<LayoutSpec>>({
    worldSize:
      world !== undefined && world > 0 && Number.isInteger(world)
        ? derived(world, `${sharers(degrees)} × pipeline-parallel-size`)
        : undefined,
    tensor: stated(args, 'tensor-parallel-size'),
    pipeline: stated(args, 'pipeline-parallel-size'),
    virtualPipeline: byDefault(1, DEFAULT),
    context: stated(args, 'prefill-context-parallel-size'),
    data: stated(args, 'data-parallel-size'),
    expert: known
      ? expertParallel
        ? derived(spread, `enable-expert-parallel spreads experts over ${sharers(degrees)}`, entry)
        : byDefault(1, DEFAULT)
      : undefined,
    expertTensor: known
      ? expertParallel
        ? derived(1, 'expert parallelism keeps experts whole', entry)
        : derived(spread, `without expert parallelism every expert is sliced over ${sharers(degrees)}`)
      : undefined,
    sequenceParallel: byDefault(false, DEFAULT),
    attentionData: byDefault(1, 'each engine has its own tensor-parallel group'),
  });
}

/** Machines, where the arguments name them. */
export function readVllmCluster(args: VllmArguments): Planned<ClusterSpec> {
  const entry = args.entry('nnodes');
  const nodes = args.integer('nnodes');
  return entry === undefined || nodes === undefined || nodes < 1 ? {} : { nodes: written(nodes, entry) };
}

/** Plan fields that interpolations hide, so that rules on them stay silent. */
export function hiddenFields(args: VllmArguments): readonly Unresolved[] {
  return hiddenBehind(args, [
    ['layout.tensor', 'tensor-parallel-size'],
    ['layout.pipeline', 'pipeline-parallel-size'],
    ['layout.context', 'prefill-context-parallel-size'],
    ['layout.data', 'data-parallel-size'],
    ['layout.expert', 'enable-expert-parallel'],
    ['cluster.nodes', 'nnodes'],
    ['model.name', 'model'],
    ['serving.memoryFraction', 'gpu-memory-utilization'],
    ['serving.contextLength', 'max-model-len'],
    ['serving.kvDType', 'kv-cache-dtype'],
  ]);
}
