import { staticGpuLoads } from './dispatch';
import { lpEvenness } from './lp-bound';
import type { Loads, Placement } from './placement';
import { balance, duplicates, evenness } from './place';
import { nodesReached, routedTokens, type RoutedTokens } from './router';
import { expectedPlacesOf, remotePlaces, type Routing } from './traffic';

/** How even GPU loads are, in the words of each framework. */
export interface Evenness {
  /** Mean over layers of mean / max. */
  readonly mean: number;
  readonly worst: number;
  /** Row of the worst layer. */
  readonly worstLayer: number;
  /** Mean over layers of (mean + 1e-5) / (max + 1e-5). Source: sgl-project/sglang, srt/eplb/expert_distribution.py, compute_utilization_rate. */
  readonly sglang: number;
  /** Sum of means over sum of maxima, 0 without any load. Source: vllm-project/vllm, distributed/eplb/eplb_state.py. */
  readonly vllm: number;
  /** Mean over layers of (max - mean) / mean. Source: NVIDIA/TensorRT-LLM, examples/wide_ep/ep_load_balancer, report_load_statistics.py. */
  readonly tensorrtLlm: number;
}

/** One placement judged on one recording. */
export interface Judgement {
  /** When all copies of an expert share equally: random dispatch, SGLang's dynamic. */
  readonly equal: Evenness;
  /** Under SGLang's static dispatch, mean over layers of mean / max. */
  readonly fixed: number;
  /** The best split over the copies that exist, mean over layers. */
  readonly lp: number;
  /** No placement with these slots does better, mean over layers. */
  readonly bound: number;
  readonly duplicates: number;
}

export function mean(values: readonly number[]): number {
  return values.length === 0 ? 1 : values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Slots that hold a copy of an expert which their GPU already has, over all layers. */
export function wastedSlots(placement: Placement): number {
  return duplicates(placement).reduce((sum, count) => sum + count, 0);
}

/** All three frameworks' figures from GPU loads, [layer][gpu]. */
export function evennessOf(gpuLoads: readonly Float64Array[]): Evenness {
  const layers = gpuLoads.map((sums) => {
    const most = sums.reduce((a, b) => Math.max(a, b), 0);
    return { most, average: sums.reduce((a, b) => a + b, 0) / Math.max(1, sums.length) };
  });
  const even = gpuLoads.map(evenness);
  const worst = even.reduce((least, value) => Math.min(least, value), 1);
  const maxima = layers.reduce((sum, { most }) => sum + most, 0);
  return {
    mean: mean(even),
    worst,
    worstLayer: Math.max(0, even.indexOf(worst)),
    sglang: mean(layers.map(({ most, average }) => (average + 1e-5) / (most + 1e-5))),
    vllm: maxima > 0 ? layers.reduce((sum, { average }) => sum + average, 0) / maxima : 0,
    tensorrtLlm:
      layers.length === 0 ? 0 : mean(layers.map(({ most, average }) => (average > 0 ? (most - average) / average : 0))),
  };
}

/** Judges a placement on a recording under every dispatch; the recording need not be the one it was made for. */
export function judge(placement: Placement, loads: Loads): Judgement {
  const { gpuLoads, lowerBound } = balance(placement, loads);
  return {
    equal: evennessOf(gpuLoads),
    fixed: mean(staticGpuLoads(placement, loads).map(evenness)),
    lp: mean(lpEvenness(placement, loads)),
    bound: mean(lowerBound),
    duplicates: wastedSlots(placement),
  };
}

/** What it takes to go from one placement to another, weights only. */
export interface Move {
  /** Slots of all layers whose GPU did not hold their expert before. */
  readonly slots: number;
  /** Most such slots of one GPU, over all layers. */
  readonly busiest: number;
}

/** Slots that a change of placement fills with weights from other GPUs. Undefined for placements of different sizes. */
export function movedSlots(from: Placement, to: Placement): Move | undefined {
  const { slots, gpus } = to.shape;
  const same =
    from.shape.slots === slots &&
    from.shape.gpus === gpus &&
    from.physicalToLogical.length === to.physicalToLogical.length;
  if (!same) return undefined;
  const perGpu = slots / gpus;
  const arrivals = new Int32Array(gpus);
  to.physicalToLogical.forEach((row, layer) => {
    for (let gpu = 0; gpu < gpus; gpu += 1) {
      const before = new Set(from.physicalToLogical[layer]?.subarray(gpu * perGpu, (gpu + 1) * perGpu));
      for (const expert of new Set(row.subarray(gpu * perGpu, (gpu + 1) * perGpu)))
        if (!before.has(expert)) arrivals[gpu] = (arrivals[gpu] ?? 0) + 1;
    }
  });
  return { slots: arrivals.reduce((a, b) => a + b, 0), busiest: arrivals.reduce((a, b) => Math.max(a, b), 0) };
}

/** Where a token goes on average, over layers. */
export interface Reach {
  readonly nodes: number;
  /** Nodes beside its own. */
  readonly remoteNodes: number;
  readonly gpus: number;
}

/** Tokens and layers that the estimate of traffic looks at: enough for two digits in a few tens of milliseconds. */
const TOKENS = 256;
const LAYERS = 4;

/** Rows spread over the depth of the model. */
function sampled(count: number): number[] {
  const wanted = Math.min(count, LAYERS);
  return Array.from({ length: wanted }, (_, index) => Math.floor(((index + 0.5) * count) / wanted));
}

/**
 * Nodes and GPUs that a token reaches when each of its experts takes a random copy. Nodes come from tokens of a group-limited router fitted to
 * the loads, GPUs from the chance of each expert on its own. Undefined where the router's sizes make no sense.
 */
export function reachOf(
  placement: Placement,
  loads: Loads,
  routing: Routing,
  made?: readonly RoutedTokens[],
): Reach | undefined {
  const { nodes, gpus, experts } = placement.shape;
  const chosen = routing.topGroups ?? routing.groups;
  const legal =
    routing.topK > 0 &&
    routing.topK <= experts &&
    experts % routing.groups === 0 &&
    chosen <= routing.groups &&
    routing.topK <= (experts / routing.groups) * chosen;
  if (!legal) return undefined;
  const rows = sampled(placement.physicalToLogical.length);
  const reached = rows.map((layer, index) => {
    const load = loads[layer] ?? new Float64Array(experts);
    const tokens = made?.[index] ?? routedTokens(load, routing, TOKENS);
    const total = load.reduce((a, b) => a + b, 0);
    const chance = Float64Array.from(load, (value) =>
      total > 0 ? Math.min(1, (routing.topK * value) / total) : routing.topK / experts,
    );
    const row = placement.physicalToLogical[layer] ?? new Int32Array(0);
    const copies = placement.replicaCounts[layer] ?? new Int32Array(0);
    return {
      nodes: nodes === 1 ? 1 : nodesReached(placement, layer, tokens),
      gpus: expectedPlacesOf(row, copies, chance, gpus),
    };
  });
  const reach = mean(reached.map((one) => one.nodes));
  return {
    nodes: reach,
    remoteNodes: nodes === 1 ? 0 : remotePlaces(reach, nodes),
    gpus: mean(reached.map((one) => one.gpus)),
  };
}

/** Tokens for `reachOf`, recorded ones where there are any, made once where several placements are compared on the same loads. */
export function sampledTokens(
  loads: Loads,
  routing: Routing,
  traces?: readonly RoutedTokens[],
): readonly RoutedTokens[] {
  return sampled(loads.length).map((layer) => {
    const recorded = traces?.[layer];
    if (recorded !== undefined && recorded.experts.length > 0) return recorded;
    return routedTokens(loads[layer] ?? new Float64Array(routing.experts), routing, TOKENS);
  });
}
