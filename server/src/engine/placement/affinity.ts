import { copiesByShare, dealOut, layerOf, mayMove, newBoard, partDuplicates, swapSlots, type Board } from './board';
import { joinLayers, type LayerPlacement } from './eplb';
import { replicate, TORCH } from './packing';
import type { Loads, Placement, PlacementShape } from './placement';
import type { RoutedTokens } from './router';
import { sharesOf, usable } from './shares';
import { levelBySwaps } from './swaps';

/** Balance that is kept while experts move together, unless somebody says otherwise. */
const KEPT_BALANCE = 0.95;
const MOST_PASSES = 8;
/** Tokens of a layer that are counted; more change the third digit. */
const MOST_TOKENS = 16_384;

/** How often two experts serve the same token, [x * experts + y]; symmetric, zero on the diagonal. */
export function coActivation({ topK, experts: chosen }: RoutedTokens, experts: number): Float64Array {
  const together = new Float64Array(experts * experts);
  const end = Math.min(chosen.length, MOST_TOKENS * topK);
  for (let token = 0; token + topK <= end; token += topK) {
    for (let i = 0; i < topK; i += 1) {
      for (let j = i + 1; j < topK; j += 1) {
        const x = chosen[token + i] ?? -1;
        const y = chosen[token + j] ?? -1;
        if (x < 0 || y < 0 || x === y || x >= experts || y >= experts) continue;
        together[x * experts + y] = (together[x * experts + y] ?? 0) + 1;
        together[y * experts + x] = (together[y * experts + x] ?? 0) + 1;
      }
    }
  }
  return together;
}

/** A layer while copies are swapped between nodes. */
interface Search {
  readonly board: Board;
  readonly nodeOf: (slot: number) => number;
  readonly share: Float64Array;
  readonly sums: Float64Array;
  readonly limit: number;
  /** Co-activation of each expert with all that a node holds, [node * experts + expert]; a copy counts by its part of the expert. */
  readonly drawn: Float64Array;
  readonly together: Float64Array;
  readonly counts: Int32Array;
}

function draw({ board, together, counts, drawn }: Search, node: number, expert: number, sign: number): void {
  const { experts } = board;
  const part = sign / Math.max(1, counts[expert] ?? 1);
  for (let other = 0; other < experts; other += 1) {
    const at = node * experts + other;
    drawn[at] = (drawn[at] ?? 0) + part * (together[other * experts + expert] ?? 0);
  }
}

/** What tokens gain when the copies in two slots of different nodes change places: pairs that come onto one node less those that leave it. */
function gainOf({ board, nodeOf, drawn, together, counts }: Search, i: number, j: number): number {
  const { experts, expertAt } = board;
  const [x, y] = [expertAt[i] ?? 0, expertAt[j] ?? 0];
  const [a, b] = [nodeOf(i), nodeOf(j)];
  const [cx, cy] = [Math.max(1, counts[x] ?? 1), Math.max(1, counts[y] ?? 1)];
  const toB = ((drawn[b * experts + x] ?? 0) - (drawn[a * experts + x] ?? 0)) / cx;
  const toA = ((drawn[a * experts + y] ?? 0) - (drawn[b * experts + y] ?? 0)) / cy;
  // Both sums count the other partner as if it stayed.
  return toA + toB - (2 * (together[x * experts + y] ?? 0)) / (cx * cy);
}

function isLegal({ board, nodeOf, share, sums, limit }: Search, i: number, j: number): boolean {
  const [a, b] = [Math.floor(i / board.perGpu), Math.floor(j / board.perGpu)];
  const [x, y] = [board.expertAt[i] ?? 0, board.expertAt[j] ?? 0];
  if (x === y || nodeOf(i) === nodeOf(j) || !mayMove(board, x, a, b) || !mayMove(board, y, b, a)) return false;
  const moved = (share[x] ?? 0) - (share[y] ?? 0);
  return (sums[a] ?? 0) - moved <= limit && (sums[b] ?? 0) + moved <= limit;
}

function swap(search: Search, i: number, j: number): void {
  const { board, nodeOf, share, sums } = search;
  const [a, b] = [Math.floor(i / board.perGpu), Math.floor(j / board.perGpu)];
  const [x, y] = [board.expertAt[i] ?? 0, board.expertAt[j] ?? 0];
  for (const [node, expert, sign] of [
    [nodeOf(i), x, -1],
    [nodeOf(j), y, -1],
    [nodeOf(j), x, 1],
    [nodeOf(i), y, 1],
  ] as const)
    draw(search, node, expert, sign);
  const moved = (share[x] ?? 0) - (share[y] ?? 0);
  sums[a] = (sums[a] ?? 0) - moved;
  sums[b] = (sums[b] ?? 0) + moved;
  swapSlots(board, i, j);
}

/** Swaps copies between nodes as long as that brings experts together that serve the same tokens; each slot takes its best partner. */
function gather(search: Search): void {
  const slots = search.board.expertAt.length;
  const least = 1e-9 * search.together.reduce((a, b) => a + b, 0);
  for (let pass = 0; pass < MOST_PASSES; pass += 1) {
    let improved = false;
    for (let i = 0; i < slots; i += 1) {
      let best = -1;
      let most = least;
      for (let j = 0; j < slots; j += 1) {
        const gain = gainOf(search, i, j);
        if (gain > most && isLegal(search, i, j)) {
          best = j;
          most = gain;
        }
      }
      if (best < 0) continue;
      swap(search, i, best);
      improved = true;
    }
    if (!improved) return;
  }
}

function placeTogether(
  load: Float64Array,
  shape: PlacementShape,
  tokens: RoutedTokens | undefined,
  kept: number,
): LayerPlacement {
  const weights = usable(load);
  const { counts } = replicate(weights, shape.slots, TORCH);
  const share = sharesOf(weights, counts);
  const board = newBoard(shape);
  dealOut(board, copiesByShare(counts, share), share, 0, shape.gpus);
  partDuplicates(board, weights, counts, share);
  levelBySwaps(board, share);
  if (tokens === undefined || shape.nodes < 2 || shape.gpus % shape.nodes !== 0) return layerOf(board, counts);
  const sums = new Float64Array(shape.gpus);
  board.expertAt.forEach((expert, slot) => {
    const gpu = Math.floor(slot / board.perGpu);
    sums[gpu] = (sums[gpu] ?? 0) + (share[expert] ?? 0);
  });
  const average = sums.reduce((a, b) => a + b, 0) / shape.gpus;
  const fullest = sums.reduce((a, b) => Math.max(a, b), 0);
  const slotsPerNode = shape.slots / shape.nodes;
  const search: Search = {
    board,
    nodeOf: (slot) => Math.floor(slot / slotsPerNode),
    share,
    sums,
    limit: Math.max(fullest, average / kept),
    drawn: new Float64Array(shape.nodes * shape.experts),
    together: coActivation(tokens, shape.experts),
    counts,
  };
  board.expertAt.forEach((expert, slot) => draw(search, search.nodeOf(slot), expert, 1));
  gather(search);
  return layerOf(board, counts);
}

/**
 * Experts that serve the same tokens on the same node, for models without expert groups: global placement, then swaps between nodes that bring
 * co-activated experts together while no GPU gets above mean / `kept` (the trade of balance for traffic). `traces` are tokens of each
 * layer; a layer without them stays global. Own design, after the observation that pairs of experts recur (ExFlow, arXiv 2401.08383).
 */
export function optimizedAffinity(
  loads: Loads,
  shape: PlacementShape,
  traces: readonly RoutedTokens[],
  kept = KEPT_BALANCE,
): Placement {
  const floor = kept > 0 && kept <= 1 ? kept : KEPT_BALANCE;
  return joinLayers(
    'optimized-affinity',
    shape,
    loads.map((load, layer) => placeTogether(load, shape, traces[layer], floor)),
  );
}
