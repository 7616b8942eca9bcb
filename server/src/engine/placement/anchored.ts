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
 * What taking one copy of `expert` off `node` changes the cost of the layer by. The cost is the sum over nodes of load squared a GPU,
 * least when nodes are even, and what too hot copies cost.
 */
function costOfTaking(s: Spread, expert: number, node: number): number {
  const experts = s.weights.length;
  const weight = s.weights[expert] ?? 0;
  const before = s.counts[expert] ?? 1;
  const after = before - 1;
  let change = hotCost(weight, after) - hotCost(weight, before);
  for (let other = 0; other < s.nodes; other += 1) {
    const copies = s.onNode[other * experts + expert] ?? 0;
    const moved = (weight * (copies - (other === node ? 1 : 0))) / after - (weight * copies) / before;
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

/** A further copy: of what, where, and what it costs; no expert where none fits. */
interface Copy {
  readonly expert: number;
  readonly node: number;
  readonly cost: number;
}

/**
 * The copy on one of `nodes` that costs least (the same cost as `costOfTaking`, with the part that nodes share taken out of the inner loop); an
 * expert that is on all GPUs of a node already is out. Among equals the expert with the least share: a further slot on a full node then
 * holds next to nothing, which leaves swaps something to give away. Where all loads are equal there is nothing to level, and the
 * greatest share is taken, so that copies are spread evenly.
 */
function cheapestCopy(s: Spread, nodes: readonly number[]): Copy {
  const experts = s.weights.length;
  const sign = s.equalLoads ? 1 : -1;
  let best: Copy = { expert: -1, node: nodes[0] ?? 0, cost: Infinity };
  let share = 0;
  for (let expert = 0; expert < experts; expert += 1) {
    const weight = s.weights[expert] ?? 0;
    const count = s.counts[expert] ?? 1;
    const given = weight / (count + 1);
    const lost = given / count;
    let along = 0;
    let squares = 0;
    for (let node = 0; node < s.nodes; node += 1) {
      const copies = s.onNode[node * experts + expert] ?? 0;
      along += copies * (s.nodeLoad[node] ?? 0);
      squares += copies * copies;
    }
    const hot = hotCost(weight, count + 1) - hotCost(weight, count);
    const own = (sign * weight) / count;
    for (const node of nodes) {
      const copies = s.onNode[node * experts + expert] ?? 0;
      if (copies >= s.gpusPerNode) continue;
      const level = 2 * (given * (s.nodeLoad[node] ?? 0) - lost * along);
      const spread = lost * lost * squares - 2 * lost * given * copies + given * given;
      const cost = hot + (level + spread) / s.gpusPerNode;
      if (cost > best.cost - TIE && (cost > best.cost + TIE || own <= share)) continue;
      best = { expert, node, cost };
      share = own;
    }
  }
  return best;
}

/** Gives one further copy where it costs least; where every expert is everywhere already, a duplicate of expert 0. */
function giveOne(s: Spread): void {
  const open = Array.from(s.room, (_, node) => node).filter((node) => (s.room[node] ?? 0) > 0);
  const { expert, node } = cheapestCopy(s, open);
  changeCopy(s, Math.max(0, expert), node, 1);
}

/** Takes each further copy back once and gives its slot to whatever costs least then; true when anything changed. */
function regive(s: Spread, home: Int32Array): boolean {
  const experts = s.weights.length;
  let changed = false;
  for (let node = 0; node < s.nodes; node += 1) {
    for (let expert = 0; expert < experts; expert += 1) {
      const needed = home[expert] === node ? 1 : 0;
      if ((s.onNode[node * experts + expert] ?? 0) <= needed) continue;
      const saved = costOfTaking(s, expert, node);
      changeCopy(s, expert, node, -1);
      const { expert: other, cost } = cheapestCopy(s, [node]);
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
  partDuplicates(board, weights, spread.counts, share);
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
