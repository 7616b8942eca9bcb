import { copiesByShare, dealOut, layerOf, mayMove, newBoard, partDuplicates, swapSlots, type Board } from './board';
import { joinLayers, type LayerPlacement } from './eplb';
import type { Loads, Placement, PlacementShape } from './placement';

const MOST_SWAPS = 600;
/** GPUs tried before the search gives up, costliest first. */
const MOST_GPUS = 6;

/** Loads of one layer under several workloads, each in units of its mean GPU load, so that a rare workload counts like a frequent one. */
interface Profiles {
  readonly many: number;
  readonly experts: number;
  /** [profile * experts + expert]. */
  readonly weights: Float64Array;
}

function profilesOf(loads: Loads, gpus: number): Profiles {
  const experts = loads[0]?.length ?? 0;
  const used = loads.filter((load) => load.some((value) => value > 0));
  const rows = used.length > 0 ? used : [new Float64Array(experts).fill(1)];
  const weights = new Float64Array(rows.length * experts);
  rows.forEach((load, profile) => {
    const mean = load.reduce((a, b) => a + b, 0) / gpus;
    load.forEach((value, expert) => {
      weights[profile * experts + expert] = value / mean;
    });
  });
  return { many: rows.length, experts, weights };
}

/** What an expert carries in the workload where it carries most. */
function worstOf({ many, experts, weights }: Profiles): Float64Array {
  return Float64Array.from({ length: experts }, (_, expert) => {
    let most = 0;
    for (let profile = 0; profile < many; profile += 1) most = Math.max(most, weights[profile * experts + expert] ?? 0);
    return most;
  });
}

function copiesFor(worst: Float64Array, slots: number): Int32Array {
  const counts = new Int32Array(worst.length).fill(1);
  for (let extra = slots - worst.length; extra > 0; extra -= 1) {
    let at = 0;
    for (let expert = 1; expert < worst.length; expert += 1)
      if ((worst[expert] ?? 0) / (counts[expert] ?? 1) > (worst[at] ?? 0) / (counts[at] ?? 1)) at = expert;
    counts[at] = (counts[at] ?? 0) + 1;
  }
  return counts;
}

/** The state of a search: share of each copy and load of each GPU under every profile. */
interface Search {
  readonly board: Board;
  readonly many: number;
  readonly share: Float64Array;
  /** [gpu * many + profile]. */
  readonly sums: Float64Array;
}

/** The eighth power stands in for the maximum, and tells near from nearer where a maximum would not. */
function eighth(x: number): number {
  const two = x * x;
  const four = two * two;
  return four * four;
}

function newSearch(board: Board, { many, experts, weights }: Profiles, counts: Int32Array): Search {
  const share = new Float64Array(many * experts);
  for (let profile = 0; profile < many; profile += 1)
    for (let expert = 0; expert < experts; expert += 1)
      share[expert * many + profile] = (weights[profile * experts + expert] ?? 0) / Math.max(1, counts[expert] ?? 1);
  const sums = new Float64Array(board.gpus * many);
  board.expertAt.forEach((expert, slot) => {
    const gpu = Math.floor(slot / board.perGpu);
    for (let profile = 0; profile < many; profile += 1)
      sums[gpu * many + profile] = (sums[gpu * many + profile] ?? 0) + (share[expert * many + profile] ?? 0);
  });
  return { board, many, share, sums };
}

function gpuCosts({ board, many, sums }: Search): Float64Array {
  const costs = new Float64Array(board.gpus);
  for (let gpu = 0; gpu < board.gpus; gpu += 1)
    for (let profile = 0; profile < many; profile += 1)
      costs[gpu] = (costs[gpu] ?? 0) + eighth(sums[gpu * many + profile] ?? 0);
  return costs;
}

/** Cost of GPUs `a` and `c` after expert x goes from a to c and y comes back. */
function swapped({ many, share, sums }: Search, a: number, c: number, x: number, y: number): number {
  let cost = 0;
  for (let profile = 0; profile < many; profile += 1) {
    const moved = (share[x * many + profile] ?? 0) - (share[y * many + profile] ?? 0);
    cost += eighth((sums[a * many + profile] ?? 0) - moved) + eighth((sums[c * many + profile] ?? 0) + moved);
  }
  return cost;
}

function apply(s: Search, i: number, j: number): void {
  const { board, many, share, sums } = s;
  const a = Math.floor(i / board.perGpu);
  const c = Math.floor(j / board.perGpu);
  const x = board.expertAt[i] ?? 0;
  const y = board.expertAt[j] ?? 0;
  for (let profile = 0; profile < many; profile += 1) {
    const moved = (share[x * many + profile] ?? 0) - (share[y * many + profile] ?? 0);
    sums[a * many + profile] = (sums[a * many + profile] ?? 0) - moved;
    sums[c * many + profile] = (sums[c * many + profile] ?? 0) + moved;
  }
  swapSlots(board, i, j);
}

/** The swap of GPU `a` with any other that lowers the cost most; applied when there is one. */
function improve(s: Search, a: number, costs: Float64Array): boolean {
  const { board } = s;
  let bestI = -1;
  let bestJ = -1;
  let most = 1e-7 * (costs[a] ?? 0);
  for (let i = a * board.perGpu; i < (a + 1) * board.perGpu; i += 1) {
    const x = board.expertAt[i] ?? 0;
    for (let j = 0; j < board.expertAt.length; j += 1) {
      const c = Math.floor(j / board.perGpu);
      const y = board.expertAt[j] ?? 0;
      if (c === a || x === y) continue;
      const gain = (costs[a] ?? 0) + (costs[c] ?? 0) - swapped(s, a, c, x, y);
      if (gain <= most || !mayMove(board, x, a, c) || !mayMove(board, y, c, a)) continue;
      most = gain;
      bestI = i;
      bestJ = j;
    }
  }
  if (bestI >= 0) apply(s, bestI, bestJ);
  return bestI >= 0;
}

function search(s: Search): void {
  for (let swap = 0; swap < MOST_SWAPS; swap += 1) {
    const costs = gpuCosts(s);
    const order = Array.from(costs, (_, gpu) => gpu).sort((p, q) => (costs[q] ?? 0) - (costs[p] ?? 0) || p - q);
    if (!order.slice(0, MOST_GPUS).some((gpu) => improve(s, gpu, costs))) return;
  }
}

function robustLayer(loads: Loads, shape: PlacementShape): LayerPlacement {
  const profiles = profilesOf(loads, shape.gpus);
  const worst = worstOf(profiles);
  const counts = copiesFor(worst, shape.slots);
  const share = Float64Array.from(worst, (value, expert) => value / (counts[expert] ?? 1));
  const board = newBoard(shape);
  dealOut(board, copiesByShare(counts, share), share, 0, shape.gpus);
  partDuplicates(board, worst, counts, share);
  search(newSearch(board, profiles, counts));
  return layerOf(board, counts);
}

/**
 * One placement for several workloads: copies by each expert's worst workload, then swaps that lower the sum over workloads and GPUs of
 * (load / mean)^8. Holds on workloads between the given ones; see docs/placement.md. Own design. `profiles` is [profile][layer][expert].
 */
export function optimizedRobust(profiles: readonly Loads[], shape: PlacementShape): Placement {
  const layers = profiles[0] ?? [];
  return joinLayers(
    'optimized-robust',
    shape,
    layers.map((row, layer) =>
      robustLayer(
        profiles.map((profile) => profile[layer] ?? row),
        shape,
      ),
    ),
  );
}
