import { joinLayers, orderByNode, type LayerPlacement } from './eplb';
import { byDescendingWeight, packByLoad, TORCH } from './packing';
import type { Loads, Placement, PlacementShape } from './placement';

const f32 = Math.fround;

/** Where the greatest load a copy of one step is, and what it would become with one copy more there. */
interface StepMost {
  readonly at: number;
  readonly most: number;
  readonly after: number;
}

function stepMost(load: Float64Array, first: number, size: number, counts: Int32Array): StepMost {
  let at = 0;
  let most = -Infinity;
  let second = -Infinity;
  for (let i = 0; i < size; i += 1) {
    const expert = first + i;
    // The original adds a ramp over the experts to tell equal loads apart; in float32 it vanishes beside large counts.
    const share = f32(f32((load[expert] ?? 0) + f32(expert * f32(1e-4))) / (counts[expert] ?? 1));
    if (share > most) {
      second = most;
      most = share;
      at = i;
    } else if (share > second) second = share;
  }
  const eased = f32((load[first + at] ?? 0) / ((counts[first + at] ?? 1) + 1));
  return { at, most, after: Math.max(second, eased) };
}

/**
 * The expert whose further copy makes the sum over steps of the greatest load a copy smallest, the first on ties. Only the fullest
 * expert of some step can lower that sum, so all others score alike and the first of them stands for all.
 */
function bestCopy(steps: Loads, first: number, size: number, counts: Int32Array): number {
  const peaks = steps.map((load) => stepMost(load, first, size, counts));
  const leaders = new Set(peaks.map(({ at }) => at));
  let other = 0;
  while (leaders.has(other)) other += 1;
  const candidates = [...leaders, ...(other < size ? [other] : [])].sort((a, b) => a - b);
  let best = 0;
  let least = Infinity;
  for (const candidate of candidates) {
    let score = 0;
    for (const { at, most, after } of peaks) score = f32(score + (at === candidate ? after : most));
    if (score < least) {
      least = score;
      best = candidate;
    }
  }
  return best;
}

/** Loads of all steps together, a row of float32. */
function summed(steps: Loads): Float64Array {
  const sum = new Float64Array(steps[0]?.length ?? 0);
  for (const load of steps) for (let i = 0; i < sum.length; i += 1) sum[i] = f32((sum[i] ?? 0) + (load[i] ?? 0));
  return sum;
}

/**
 * One layer in `chunks` equal parts (one a node, or one for all): copies chosen over the steps, then GPUs filled in snake order, that
 * is, sorted replicas dealt out row by row with every other row reversed.
 * Source: sgl-project/sglang, srt/eplb/eplb_algorithms/deepseek_vec.py, make_redundant_experts_chunkwise.
 */
function placeChunks(steps: Loads, shape: PlacementShape, chunks: number): LayerPlacement {
  const { experts, slots, gpus } = shape;
  const expertsPerChunk = experts / chunks;
  const slotsPerChunk = slots / chunks;
  const slotsPerGpu = slots / gpus;
  const gpusPerChunk = gpus / chunks;
  const total = summed(steps);
  const counts = new Int32Array(experts).fill(1);
  const physicalToLogical = new Int32Array(slots);
  for (let chunk = 0; chunk < chunks; chunk += 1) {
    const first = chunk * expertsPerChunk;
    const placed = new Int32Array(slotsPerChunk);
    for (let i = 0; i < slotsPerChunk; i += 1) {
      const item = i < expertsPerChunk ? i : bestCopy(steps, first, expertsPerChunk, counts);
      placed[i] = first + item;
      if (i >= expertsPerChunk) counts[first + item] = (counts[first + item] ?? 0) + 1;
    }
    const base = chunk * slotsPerChunk;
    if (slotsPerGpu <= 1) {
      physicalToLogical.set(placed, base);
      continue;
    }
    const shares = Float64Array.from(placed, (expert) => f32((total[expert] ?? 0) / (counts[expert] ?? 1)));
    byDescendingWeight(shares, 'float32').forEach((slot, at) => {
      const row = Math.floor(at / gpusPerChunk);
      const column = at % gpusPerChunk;
      const gpu = row % 2 === 1 ? gpusPerChunk - 1 - column : column;
      physicalToLogical[base + gpu * slotsPerGpu + row] = placed[slot] ?? 0;
    });
  }
  return { physicalToLogical, counts };
}

/** The layer `layer` of every step, as float32. */
function stepsOf(steps: readonly Loads[], layer: number): Float64Array[] {
  return steps.map((rows) => (rows[layer] ?? new Float64Array(0)).map(f32));
}

/** SGLang's `deepseek_vec`: loads of several time steps, copies chosen for the sum of the peaks. `steps` is [step][layer][expert]. */
export function sglangVec(steps: readonly Loads[], shape: PlacementShape): Placement {
  const layers = steps[0] ?? [];
  return joinLayers(
    'sglang-deepseek-vec',
    shape,
    layers.map((_, layer) => placeChunks(stepsOf(steps, layer), shape, 1)),
  );
}

function hierarchicalLayer(steps: Loads, shape: PlacementShape): LayerPlacement {
  const order = orderByNode(summed(steps), shape.groups, shape.nodes, TORCH, packByLoad);
  const reordered = steps.map((load) => Float64Array.from(order, (expert) => load[expert] ?? 0));
  const placed = placeChunks(reordered, shape, shape.nodes);
  const counts = new Int32Array(shape.experts);
  placed.counts.forEach((copies, place) => {
    counts[order[place] ?? 0] = copies;
  });
  return { physicalToLogical: placed.physicalToLogical.map((place) => order[place] ?? 0), counts };
}

/** SGLang's `deepseek_vec_hierarchical`: the same inside each node, after groups went to nodes. Source: the same file, prefill_rebalance_experts. */
export function sglangVecHierarchical(steps: readonly Loads[], shape: PlacementShape): Placement {
  const layers = steps[0] ?? [];
  return joinLayers(
    'sglang-deepseek-vec-hierarchical',
    shape,
    layers.map((_, layer) => hierarchicalLayer(stepsOf(steps, layer), shape)),
  );
}
