import type { ClusterSpec } from '../../engine/spec/cluster';
import type { LayoutSpec } from '../../engine/spec/layout';
import type { Planned, Sourced, Unresolved } from '../../plan/plan';
import { byDefault, derived, present, written } from '../common/sourced';
import type { SglangArguments } from './arguments';

const DEFAULT = "SGLang's default";
/** All-to-all backends that take expert parallelism over (SGLang arg_groups/overrides.py, `_a2a_ep_size`). */
const A2A_BACKENDS = new Set(['deepep', 'mooncake', 'nixl', 'mori', 'megamoe', 'flashinfer', 'pplx', 'ascend_fuseep']);

/** Degrees of one server; undefined where an interpolation hides one that the others depend on. */
export interface SglangDegrees {
  readonly tensor: number | undefined;
  readonly pipeline: number | undefined;
  readonly data: number | undefined;
  readonly nodes: number | undefined;
  /** Data-parallel attention is really on: asked for, and more than one data rank. */
  readonly attentionData: boolean;
  readonly a2aBackend: string;
}

function degree(args: SglangArguments, flag: string): number | undefined {
  if (args.unknown(flag)) return undefined;
  const entry = args.entry(flag);
  return entry === undefined ? 1 : args.integer(flag);
}

export function readDegrees(args: SglangArguments): SglangDegrees {
  const joint = args.integer('dwdp-size') ?? 1;
  const data = joint > 1 ? joint : degree(args, 'dp-size');
  return {
    tensor: degree(args, 'tp-size'),
    pipeline: degree(args, 'pp-size'),
    data,
    nodes: degree(args, 'nnodes'),
    attentionData: (args.flag('enable-dp-attention') || joint > 1) && (data ?? 2) > 1,
    // What older releases called it.
    a2aBackend: args.text('moe-a2a-backend') ?? (args.flag('enable-deepep-moe') ? 'deepep' : 'none'),
  };
}

/** A degree as the file states it, or SGLang's default of one; absent while an interpolation hides it. */
function stated(args: SglangArguments, flag: string): Sourced<number> | undefined {
  const entry = args.entry(flag);
  if (entry === undefined) return byDefault(1, DEFAULT);
  const value = args.integer(flag);
  return value === undefined ? undefined : written(value, entry);
}

function attentionData(args: SglangArguments, degrees: SglangDegrees): Sourced<number> | undefined {
  const asked = args.entry('enable-dp-attention');
  const joint = args.entry('dwdp-size');
  if (joint !== undefined && (args.integer('dwdp-size') ?? 1) > 1)
    return derived(args.integer('dwdp-size') ?? 1, 'dwdp-size turns on data-parallel attention of its size', joint);
  if (degrees.attentionData) return stated(args, 'dp-size');
  if (args.flag('enable-dp-attention') && asked !== undefined)
    return derived(1, 'enable-dp-attention does nothing while dp-size is 1', asked);
  return byDefault(1, DEFAULT);
}

function expert(args: SglangArguments, degrees: SglangDegrees): Sourced<number> | undefined {
  const own = stated(args, 'ep-size');
  const backend = args.entry('moe-a2a-backend') ?? args.entry('enable-deepep-moe');
  const joint = args.integer('dwdp-size') ?? 1;
  if (joint > 1) return derived(joint, 'dwdp-size sets expert parallelism to its size', args.entry('dwdp-size'));
  if (backend === undefined || !A2A_BACKENDS.has(degrees.a2aBackend)) return own;
  // What takes the place of ep-size is hidden.
  if (degrees.tensor === undefined) return undefined;
  if (own?.origin === 'file' && own.value === degrees.tensor) return own;
  const wrote = own?.origin === 'file' ? `, ${own.value} was written` : '';
  return derived(
    degrees.tensor,
    `moe-a2a-backend ${degrees.a2aBackend} sets expert parallelism to tp-size${wrote}`,
    args.entry('ep-size') ?? backend,
  );
}

function expertTensor(
  args: SglangArguments,
  degrees: SglangDegrees,
  experts: number | undefined,
): Sourced<number> | undefined {
  const copies = args.integer('moe-dp-size') ?? 1;
  if (degrees.tensor === undefined || experts === undefined || experts < 1 || copies < 1) return undefined;
  const value = degrees.tensor / experts / copies;
  return Number.isInteger(value) && value > 0 ? derived(value, 'tp-size / ep-size / moe-dp-size') : undefined;
}

/**
 * How one SGLang server is split. `tp-size` is the whole world of one pipeline stage: data-parallel attention and expert parallelism
 * live inside it; without DP attention `dp-size` makes whole copies.
 * Source: python/sglang/srt/server_args.py, `_handle_data_parallelism`, `_handle_a2a_moe`; distributed/parallel_state.py.
 */
export function readLayout(args: SglangArguments, degrees: SglangDegrees): Planned<LayoutSpec> {
  const { tensor, pipeline, data } = degrees;
  const experts = expert(args, degrees);
  const copies = degrees.attentionData ? 1 : data;
  const world =
    tensor === undefined || pipeline === undefined || copies === undefined ? undefined : tensor * pipeline * copies;
  const replicas = degrees.attentionData
    ? derived(1, 'data ranks share one tensor-parallel world')
    : stated(args, 'dp-size');
  const formula = copies === 1 ? 'tp-size × pp-size' : 'tp-size × pp-size × dp-size';
  return present<Planned<LayoutSpec>>({
    worldSize: world !== undefined && world > 0 ? derived(world, formula) : undefined,
    tensor: stated(args, 'tp-size'),
    pipeline: stated(args, 'pp-size'),
    virtualPipeline: byDefault(1, DEFAULT),
    context: byDefault(1, 'context-parallel ranks are carved out of tp-size'),
    expert: experts,
    expertTensor: expertTensor(args, degrees, experts?.value),
    data: replicas,
    sequenceParallel: byDefault(false, DEFAULT),
    attentionData: attentionData(args, degrees),
  });
}

/** Machines, where the file names them; the GPUs of one follow from the world. */
export function readCluster(args: SglangArguments, world: number | undefined): Planned<ClusterSpec> {
  const entry = args.entry('nnodes');
  const nodes = args.integer('nnodes');
  if (entry === undefined || nodes === undefined || nodes < 1) return {};
  const perNode = world === undefined ? undefined : world / nodes;
  return present<Planned<ClusterSpec>>({
    nodes: written(nodes, entry),
    gpusPerNode:
      perNode !== undefined && Number.isInteger(perNode) && perNode > 0
        ? derived(perNode, 'tp-size × pp-size / nnodes', entry)
        : undefined,
  });
}

/** Degrees that an interpolation hides, so that rules on them stay silent. */
export function hiddenDegrees(args: SglangArguments): readonly Unresolved[] {
  return [
    ...args.unresolved('layout.tensor', 'tp-size'),
    ...args.unresolved('layout.pipeline', 'pp-size'),
    ...args.unresolved('layout.attentionData', 'dp-size'),
    ...args.unresolved('layout.attentionData', 'enable-dp-attention'),
    ...args.unresolved('layout.expert', 'ep-size'),
    ...args.unresolved('layout.expert', 'moe-a2a-backend'),
    ...args.unresolved('cluster.nodes', 'nnodes'),
    ...args.unresolved('model.name', 'model-path'),
    ...args.unresolved('experts.redundant', 'ep-num-redundant-experts'),
    ...args.unresolved('experts.locationFile', 'init-expert-location'),
    ...args.unresolved('serving.memoryFraction', 'mem-fraction-static'),
    ...args.unresolved('serving.contextLength', 'context-length'),
    ...args.unresolved('serving.kvDType', 'kv-cache-dtype'),
    ...args.unresolved('serving.chunkedPrefill', 'chunked-prefill-size'),
  ];
}
