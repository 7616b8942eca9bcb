import { copiesByShare, dealOut, layerOf, newBoard, partDuplicates, type Board } from './board';
import { joinLayers, orderByNode, type LayerPlacement } from './eplb';
import { TORCH } from './packing';
import type { Loads, Placement, PlacementShape } from './placement';
import { sharesOf, usable } from './shares';
import { changeCopy, cheapestCopy, costOfTaking, newSpread, TIE, type Spread } from './spread';
import { levelBySwaps } from './swaps';

const MOST_PASSES = 4;

/** Gives one further copy where it costs least; where every expert is everywhere already, a duplicate of expert 0. */
function giveOne(s: Spread): void {
  const open: number[] = [];
  s.room.forEach((room, node) => {
    if (room > 0) open.push(node);
  });
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
      if ((s.onNode[expert * s.nodes + node] ?? 0) <= needed) continue;
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
  const { slots, experts } = shape;
  const s = newSpread(load, home, shape);
  for (let extra = slots - experts; extra > 0; extra -= 1) giveOne(s);
  for (let pass = 0; pass < MOST_PASSES && regive(s, home); pass += 1);
  return s;
}

function dealNodes(board: Board, s: Spread, share: Float64Array): void {
  const experts = s.weights.length;
  for (let node = 0; node < s.nodes; node += 1) {
    const counts = Int32Array.from({ length: experts }, (_, expert) => s.onNode[expert * s.nodes + node] ?? 0);
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
