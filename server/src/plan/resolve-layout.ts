import type { ClusterSpec } from '../engine/spec/cluster';
import type { LayoutSpec } from '../engine/spec/layout';
import { defined, filler, isSize } from './fill';
import type { Assumption, Plan } from './plan';

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}

/** Least common multiple; both positive. */
export function lcm(a: number, b: number): number {
  return (a / gcd(a, b)) * b;
}

/**
 * The smallest world in which the degrees can live: a multiple of TP·PP·CP for the dense part and of ETP·EP·PP for the experts
 * (Megatron-LM, megatron/core/parallel_state.py, initialize_model_parallel).
 */
export function smallestWorld(
  layout: Pick<LayoutSpec, 'tensor' | 'pipeline' | 'context' | 'expert' | 'expertTensor'>,
): number {
  return lcm(layout.tensor * layout.pipeline * layout.context, layout.expertTensor * layout.expert * layout.pipeline);
}

interface World {
  readonly size: number;
  /** False when no file says how many GPUs there are. */
  readonly stated: boolean;
}

/** GPUs of the job: stated as a world size, as GPUs, as nodes x GPUs a node, or by all degrees together. */
export function statedWorld(plan: Plan): number | undefined {
  const direct = plan.layout.worldSize?.value ?? plan.cluster.gpus?.value;
  if (isSize(direct)) return direct;
  const nodes = plan.cluster.nodes?.value;
  const perNode = plan.cluster.gpusPerNode?.value;
  if (isSize(nodes) && isSize(perNode)) return nodes * perNode;
  return undefined;
}

function worldOf(
  plan: Plan,
  degrees: Parameters<typeof smallestWorld>[0],
  attentionData: number,
  log: Assumption[],
): World {
  const stated = statedWorld(plan);
  if (stated !== undefined) return { size: stated, stated: true };
  const serving = plan.task === 'serving';
  const data = plan.layout.data?.value;
  const model = degrees.tensor * degrees.pipeline * degrees.context;
  if (isSize(data)) return { size: serving ? model : model * data, stated: true };
  const size = serving ? model : smallestWorld(degrees);
  log.push({
    field: 'layout.worldSize',
    value: size,
    origin: serving ? 'derived' : 'assumed',
    note: serving
      ? 'tensor × pipeline × context'
      : `the smallest world these degrees fit in${attentionData > 1 ? ' (attention data parallelism lives inside tensor)' : ''}`,
  });
  return { size, stated: serving };
}

/** Every degree filled, or undefined while one of them is unknown (interpolated) or not a positive integer. */
export function resolveLayout(plan: Plan, log: Assumption[]): LayoutSpec | undefined {
  const fill = filler<LayoutSpec>('layout', plan.layout, []);
  const degree = (key: 'tensor' | 'pipeline' | 'virtualPipeline' | 'context' | 'expert' | 'attentionData'): number =>
    fill.get(key, 1, 'default');
  const tensor = degree('tensor');
  const pipeline = degree('pipeline');
  const virtualPipeline = degree('virtualPipeline');
  const context = degree('context');
  const expert = degree('expert');
  const attentionData = degree('attentionData');
  const expertTensor = fill.get('expertTensor', plan.dialect === 'megatron' && expert === 1 ? tensor : 1, 'default');
  const degrees = { tensor, pipeline, context, expert, expertTensor };
  if (![...Object.values(degrees), virtualPipeline, attentionData].every(isSize)) return undefined;
  if (plan.unresolved.some(({ path }) => path.startsWith('layout.'))) return undefined;
  const world = worldOf(plan, degrees, attentionData, log);
  const data = Math.max(1, Math.floor(world.size / (tensor * pipeline * context)));
  return defined<LayoutSpec>({
    worldSize: world.size,
    tensor,
    pipeline,
    virtualPipeline,
    context,
    expert,
    expertTensor,
    attentionData,
    data,
    dataShard: fill.known('dataShard'),
    dataReplicate: fill.known('dataReplicate'),
    sequenceParallel: fill.get('sequenceParallel', false, 'default'),
    stageLayers: fill.known('stageLayers'),
  } as LayoutSpec);
}

/** The cluster, or undefined while no GPU is named. GPUs a node default to the preset's, nodes to as many as the world needs. */
export function resolveCluster(plan: Plan, layout: LayoutSpec | undefined, log: Assumption[]): ClusterSpec | undefined {
  const fill = filler<ClusterSpec>('cluster', plan.cluster, log);
  // The filler lists a GPU that was assumed: every time and every fit hangs on it.
  const gpu = plan.cluster.gpu === undefined ? undefined : fill.get('gpu', '', 'assumed');
  const memoryBytes = fill.known('memoryBytes');
  if (gpu === undefined || memoryBytes === undefined || !(memoryBytes > 0)) return undefined;
  const gpusPerNode = fill.get('gpusPerNode', 8, 'assumed', 'an HGX-like node');
  const gpus = statedWorld(plan) ?? layout?.worldSize ?? gpusPerNode;
  const nodes = fill.known('nodes') ?? Math.max(1, Math.ceil(gpus / gpusPerNode));
  return defined<ClusterSpec>({
    gpu,
    memoryBytes,
    gpus,
    gpusPerNode,
    nodes,
    computeCapability: fill.known('computeCapability'),
    bf16Flops: fill.known('bf16Flops'),
    sustainedShare: fill.known('sustainedShare'),
    fp8Flops: fill.known('fp8Flops'),
    fp4Flops: fill.known('fp4Flops'),
    memoryBandwidth: fill.known('memoryBandwidth'),
    nvlinkBandwidth: fill.known('nvlinkBandwidth'),
    nicBandwidth: fill.known('nicBandwidth'),
    nvlinkDomain: fill.known('nvlinkDomain'),
  } as ClusterSpec);
}
