import { copiesByShare, dealOut, layerOf, newBoard, partDuplicates, type Board } from './board';
import { joinLayers, orderByNode, type LayerPlacement } from './eplb';
import { TORCH } from './packing';
import type { Loads, Placement, PlacementShape } from './placement';
import { sharesOf, usable } from './shares';
import { levelBySwaps } from './swaps';

/** Copies of each expert on each node while they are given out. Loads are in units of the mean GPU load. */
interface Spread {
  readonly weights: Float64Array;
  readonly counts: Int32Array;
  readonly onNode: Uint16Array;
  readonly nodeLoad: Float64Array;
  readonly room: Int32Array;
  readonly nodes: number;
  readonly gpusPerNode: number;
  readonly equalLoads: boolean;
}

/** Share of the mean GPU load that one copy may carry at no cost: GPUs of several slots can still be levelled around it. */
const EASY_SHARE = 0.7;
/** What a copy above that costs beside uneven nodes; recorded loads end alike for 2 to 16. */
const HOT_COST = 4;
const MOST_PASSES = 4;
const TIE = 1e-9;

function hotCost(weight: number, copies: number): number {
  const above = weight / copies - EASY_SHARE;
  return above > 0 ? HOT_COST * above * above : 0;
}

/**
 * How much the cost of the layer changes when `expert` gets `by` (1 or -1) copies more on `node`. The cost is the sum over nodes of
 * load squared a GPU, least when nodes are even, and what too hot copies cost.
 */
function costOf(s: Spread, expert: number, node: number, by: number): number {
  const experts = s.weights.length;
  const weight = s.weights[expert] ?? 0;
  const before = s.counts[expert] ?? 1;
  const after = before + by;
  let change = hotCost(weight, after) - hotCost(weight, before);
  for (let other = 0; other < s.nodes; other += 1) {
    const copies = s.onNode[other * experts + expert] ?? 0;
    const moved = (weight * (copies + (other === node ? by : 0))) / after - (weight * copies) / before;
    change += (moved * (2 * (s.nodeLoad[other] ?? 0) + moved)) / s.gpusPerNode;
  }
  return change;
}

function changeCopy(s: Spread, expert: number, node: number, by: number): void {
  const experts = s.weights.length;
  const weight = s.weights[expert] ?? 0;
  const before = s.counts[expert] ?? 1;
  const after = before + by;
  for (let other = 0; other < s.nodes; other += 1) {
    const copies = s.onNode[other * experts + expert] ?? 0;
    const now = copies + (other === node ? by : 0);
    s.nodeLoad[other] = (s.nodeLoad[other] ?? 0) + (weight * now) / after - (weight * copies) / before;
  }
  s.onNode[node * experts + expert] = (s.onNode[node * experts + expert] ?? 0) + by;
  s.counts[expert] = after;
  s.room[node] = (s.room[node] ?? 0) - by;
}

/**
 * The expert whose copy on `node` costs least, with that cost; an expert that is on all its GPUs already is out. Among equals
 * the one with the least share: a further slot on a full node then holds next to nothing, which leaves swaps something to give away.
 * Where all loads are equal there is nothing to level, and the one with the greatest share, so that copies are spread evenly.
 */
function bestOn(s: Spread, node: number): { readonly expert: number; readonly cost: number } {
  const experts = s.weights.length;
  let best = -1;
  let least = Infinity;
  let share = 0;
  const sign = s.equalLoads ? 1 : -1;
  for (let expert = 0; expert < experts; expert += 1) {
    if ((s.onNode[node * experts + expert] ?? 0) >= s.gpusPerNode) continue;
    const cost = costOf(s, expert, node, 1);
    const own = (sign * (s.weights[expert] ?? 0)) / (s.counts[expert] ?? 1);
    if (cost > least - TIE && (cost > least + TIE || own <= share)) continue;
    least = cost;
    best = expert;
    share = own;
  }
  return { expert: best, cost: least };
}

/** Gives one further copy where it costs least; where every expert is everywhere already, a duplicate of expert 0. */
function giveOne(s: Spread): void {
  let node = s.room.findIndex((room) => room > 0);
  let best = { expert: -1, cost: Infinity };
  for (let other = 0; other < s.nodes; other += 1) {
    if ((s.room[other] ?? 0) <= 0) continue;
    const found = bestOn(s, other);
    if (found.cost < best.cost) {
      best = found;
      node = other;
    }
  }
  changeCopy(s, Math.max(0, best.expert), node, 1);
}

/** Takes each further copy back once and gives its slot to whatever costs least then; true when anything changed. */
function regive(s: Spread, home: Int32Array): boolean {
  const experts = s.weights.length;
  let changed = false;
  for (let node = 0; node < s.nodes; node += 1) {
    for (let expert = 0; expert < experts; expert += 1) {
      const needed = home[expert] === node ? 1 : 0;
      if ((s.onNode[node * experts + expert] ?? 0) <= needed) continue;
      const saved = costOf(s, expert, node, -1);
      changeCopy(s, expert, node, -1);
      const { expert: other, cost } = bestOn(s, node);
      const better = other >= 0 && saved + cost < -TIE;
      changeCopy(s, better ? other : expert, node, 1);
      changed ||= better;
    }
  }
  return changed;
}

/** One copy of every expert at home, then the further copies where they level nodes and hot experts most. */
function spreadCopies(load: Float64Array, home: Int32Array, shape: PlacementShape): Spread {
  const { nodes, slots, gpus, experts } = shape;
  const mean = load.reduce((a, b) => a + b, 0) / gpus;
  const s: Spread = {
    weights: load.map((value) => value / mean),
    counts: new Int32Array(experts).fill(1),
    onNode: new Uint16Array(nodes * experts),
    nodeLoad: new Float64Array(nodes),
    room: new Int32Array(nodes).fill((slots - experts) / nodes),
    nodes,
    gpusPerNode: gpus / nodes,
    equalLoads: load.every((value) => value === load[0]),
  };
  home.forEach((node, expert) => {
    s.onNode[node * experts + expert] = 1;
    s.nodeLoad[node] = (s.nodeLoad[node] ?? 0) + (s.weights[expert] ?? 0);
  });
  for (let extra = slots - experts; extra > 0; extra -= 1) giveOne(s);
  for (let pass = 0; pass < MOST_PASSES && regive(s, home); pass += 1);
  return s;
}

function dealNodes(board: Board, s: Spread, share: Float64Array): void {
  const experts = s.weights.length;
  for (let node = 0; node < s.nodes; node += 1) {
    const counts = Int32Array.from({ length: experts }, (_, expert) => s.onNode[node * experts + expert] ?? 0);
    dealOut(board, copiesByShare(counts, share), share, node * s.gpusPerNode, s.gpusPerNode);
  }
}

/**
 * Keeps group-limited routing meaningful and levels nodes all the same: every expert has a copy on the node that EPLB gives its group,
 * further copies go to any node. Own design.
 */
function anchoredLayer(load: Float64Array, shape: PlacementShape): LayerPlacement {
  const weights = usable(load);
  const perNode = shape.experts / shape.nodes;
  const home = new Int32Array(shape.experts);
  orderByNode(weights.map(Math.fround), shape.groups, shape.nodes, TORCH).forEach((expert, place) => {
    home[expert] = Math.floor(place / perNode);
  });
  const spread = spreadCopies(weights, home, shape);
  const share = sharesOf(weights, spread.counts);
  const board = newBoard(shape, home);
  dealNodes(board, spread, share);
  partDuplicates(board, share);
  levelBySwaps(board, share);
  return layerOf(board, spread.counts);
}

export function optimizedAnchored(loads: Loads, shape: PlacementShape): Placement {
  return joinLayers(
    'optimized-anchored',
    shape,
    loads.map((load) => anchoredLayer(load, shape)),
  );
}
