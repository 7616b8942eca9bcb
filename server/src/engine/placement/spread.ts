import type { PlacementShape } from './placement';

/** Copies of each expert on each node while they are given out. Loads are in units of the mean GPU load. */
export interface Spread {
  readonly weights: Float64Array;
  readonly counts: Int32Array;
  /** [expert * s.nodes + node]. */
  readonly onNode: Uint16Array;
  readonly nodeLoad: Float64Array;
  readonly room: Int32Array;
  readonly nodes: number;
  readonly gpusPerNode: number;
  readonly equalLoads: boolean;
  /** Whether there are nodes enough for the lists below to be worth their keep; elsewhere they stay as they began. */
  readonly wide: boolean;
  /** Experts with a copy on each node. */
  readonly held: number[][];
  /** What each copy of an expert loses to a further one, and what that one changes of the cost of hot copies. */
  readonly lost: Float64Array;
  readonly hot: Float64Array;
  /** Sums over nodes of the copies of one expert times those of another, [expert * experts + expert]; exact. */
  readonly together: Int32Array;
  /** Sum over nodes of an expert's copies times the node's load, to rounding: kept up to date, where a sum anew would be exact. */
  readonly along: Float64Array;
}

/** Share of the mean GPU load that one copy may carry at no cost: GPUs of several slots can still be levelled around it. */
const EASY_SHARE = 0.7;
/** What a copy above that costs beside uneven nodes; recorded loads end alike for 2 to 16. */
const HOT_COST = 4;
export const TIE = 1e-9;
/** Up to so many nodes a look at all of them is quicker than keeping account. */
const NARROW = 12;
/** Far above what rounding does to `along`, far below what tells most experts apart. */
const ROUNDING = 1e-10;

/** One copy of every expert, at home. */
export function newSpread(load: Float64Array, home: Int32Array, shape: PlacementShape): Spread {
  const { nodes, slots, gpus, experts } = shape;
  const mean = load.reduce((a, b) => a + b, 0) / gpus;
  const weights = load.map((value) => value / mean);
  const s: Spread = {
    weights,
    counts: new Int32Array(experts).fill(1),
    onNode: new Uint16Array(nodes * experts),
    nodeLoad: new Float64Array(nodes),
    room: new Int32Array(nodes).fill((slots - experts) / nodes),
    nodes,
    gpusPerNode: gpus / nodes,
    equalLoads: load.every((value) => value === load[0]),
    wide: nodes > NARROW,
    held: Array.from({ length: nodes }, (_, node) => Array.from(home.keys()).filter((expert) => home[expert] === node)),
    together: new Int32Array(nodes > NARROW ? experts * experts : 0),
    lost: weights.map((weight) => weight / 2),
    hot: weights.map((weight) => hotCost(weight, 2) - hotCost(weight, 1)),
    along: new Float64Array(experts),
  };
  home.forEach((node, expert) => {
    s.onNode[expert * s.nodes + node] = 1;
    s.nodeLoad[node] = (s.nodeLoad[node] ?? 0) + (s.weights[expert] ?? 0);
    for (const other of s.wide ? (s.held[node] ?? []) : []) s.together[expert * experts + other] = 1;
  });
  home.forEach((node, expert) => {
    s.along[expert] = s.nodeLoad[node] ?? 0;
  });
  return s;
}

function hotCost(weight: number, copies: number): number {
  const above = weight / copies - EASY_SHARE;
  return above > 0 ? HOT_COST * above * above : 0;
}

/**
 * What taking one copy of `expert` off `node` changes the cost of the layer by. The cost is the sum over nodes of load squared a GPU,
 * least when nodes are even, and what too hot copies cost.
 */
export function costOfTaking(s: Spread, expert: number, node: number): number {
  const weight = s.weights[expert] ?? 0;
  const before = s.counts[expert] ?? 1;
  const after = before - 1;
  let change = hotCost(weight, after) - hotCost(weight, before);
  for (let other = 0; other < s.nodes; other += 1) {
    const copies = s.onNode[expert * s.nodes + other] ?? 0;
    const moved = (weight * (copies - (other === node ? 1 : 0))) / after - (weight * copies) / before;
    change += (moved * (2 * (s.nodeLoad[other] ?? 0) + moved)) / s.gpusPerNode;
  }
  return change;
}

/** What follows from a copy more or less for what is kept of each expert, without a look at every node. */
function follow(s: Spread, expert: number, node: number, by: number): void {
  const experts = s.weights.length;
  const weight = s.weights[expert] ?? 0;
  const before = s.counts[expert] ?? 1;
  const after = before + by;
  const thinner = weight / after - weight / before;
  const given = (by * weight) / after;
  const row = expert * experts;
  const copies = s.onNode[expert * s.nodes + node] ?? 0;
  for (let other = 0; other < experts; other += 1) {
    s.along[other] = (s.along[other] ?? 0) + thinner * (s.together[row + other] ?? 0);
  }
  for (const other of s.held[node] ?? []) {
    const beside = s.onNode[other * s.nodes + node] ?? 0;
    s.along[other] = (s.along[other] ?? 0) + given * beside;
    if (other === expert) continue;
    const pairs = (s.together[row + other] ?? 0) + by * beside;
    s.together[row + other] = pairs;
    s.together[other * experts + expert] = pairs;
  }
  s.together[row + expert] = (s.together[row + expert] ?? 0) + by * (2 * copies + by);
  if (copies === 0) s.held[node]?.push(expert);
  else if (copies + by === 0) s.held[node]?.splice(s.held[node]?.indexOf(expert), 1);
  s.lost[expert] = weight / (after + 1) / after;
  s.hot[expert] = hotCost(weight, after + 1) - hotCost(weight, after);
  s.along[expert] = (s.along[expert] ?? 0) + by * ((s.nodeLoad[node] ?? 0) + thinner * copies + given);
}

/** Adds a copy of an expert to a node, or with `by` -1 takes one off. */
export function changeCopy(s: Spread, expert: number, node: number, by: number): void {
  const weight = s.weights[expert] ?? 0;
  const before = s.counts[expert] ?? 1;
  const after = before + by;
  if (s.wide) follow(s, expert, node, by);
  for (let other = 0; other < s.nodes; other += 1) {
    const copies = s.onNode[expert * s.nodes + other] ?? 0;
    const now = copies + (other === node ? by : 0);
    s.nodeLoad[other] = (s.nodeLoad[other] ?? 0) + (weight * now) / after - (weight * copies) / before;
  }
  s.onNode[expert * s.nodes + node] = (s.onNode[expert * s.nodes + node] ?? 0) + by;
  s.counts[expert] = after;
  s.room[node] = (s.room[node] ?? 0) - by;
}

/** A further copy: of what, where, and what it costs; no expert where none fits. */
export interface Copy {
  readonly expert: number;
  readonly node: number;
  readonly cost: number;
}

interface Best {
  expert: number;
  node: number;
  cost: number;
  share: number;
  /** Some cost lies so close above `edge` that a chain of ties could lead across it. */
  bridged: boolean;
}

/**
 * Holds the copies of one expert against the best so far (the same cost as `costOfTaking`, with the part that nodes share taken out of the
 * inner loop); a node that has one on all its GPUs already is out, and so is what costs more than `edge`. Among equals the expert with
 * the least share: a further slot on a full node then holds next to nothing, which leaves swaps something to give away. Where all loads
 * are equal there is nothing to level, and the greatest share is taken, so that copies are spread evenly.
 */
function tryExpert(s: Spread, nodes: readonly number[], expert: number, edge: number, best: Best): void {
  const weight = s.weights[expert] ?? 0;
  const count = s.counts[expert] ?? 1;
  const given = weight / (count + 1);
  const lost = given / count;
  let along = 0;
  let squares = 0;
  for (let node = 0; node < s.nodes; node += 1) {
    const copies = s.onNode[expert * s.nodes + node] ?? 0;
    along += copies * (s.nodeLoad[node] ?? 0);
    squares += copies * copies;
  }
  const hot = hotCost(weight, count + 1) - hotCost(weight, count);
  const own = ((s.equalLoads ? 1 : -1) * weight) / count;
  for (const node of nodes) {
    const copies = s.onNode[expert * s.nodes + node] ?? 0;
    if (copies >= s.gpusPerNode) continue;
    const level = 2 * (given * (s.nodeLoad[node] ?? 0) - lost * along);
    const spread = lost * lost * squares - 2 * lost * given * copies + given * given;
    const cost = hot + (level + spread) / s.gpusPerNode;
    if (cost > edge) best.bridged ||= cost <= edge + 2 * TIE;
    else if (cost <= best.cost - TIE || (cost <= best.cost + TIE && own > best.share)) {
      best.expert = expert;
      best.node = node;
      best.cost = cost;
      best.share = own;
    }
  }
}

/**
 * Least load of a node that may take a further copy of each expert, less what it loses to that copy; Infinity where none may. Only the
 * lightest node and those that hold copies already come into question.
 */
function leastPulls(s: Spread, nodes: readonly number[]): Float64Array {
  const { lost } = s;
  const lightest = nodes.reduce((best, node) => ((s.nodeLoad[node] ?? 0) < (s.nodeLoad[best] ?? 0) ? node : best));
  const least = new Float64Array(lost.length).fill(s.nodeLoad[lightest] ?? 0);
  const full: number[] = [];
  for (const expert of s.held[lightest] ?? [])
    if ((s.onNode[expert * s.nodes + lightest] ?? 0) >= s.gpusPerNode) full.push(expert);
  for (const expert of full) {
    least[expert] = Infinity;
    for (const node of nodes)
      if ((s.onNode[expert * s.nodes + node] ?? 0) === 0)
        least[expert] = Math.min(least[expert] ?? 0, s.nodeLoad[node] ?? 0);
  }
  for (const node of nodes) {
    const load = s.nodeLoad[node] ?? 0;
    for (const expert of s.held[node] ?? []) {
      const copies = s.onNode[expert * s.nodes + node] ?? 0;
      const pull = load - (lost[expert] ?? 0) * copies;
      if (pull < (least[expert] ?? 0) && copies < s.gpusPerNode) least[expert] = pull;
    }
  }
  return least;
}

/** What a further copy of each expert costs at least on any of `nodes`, a little less than that for rounding. */
function leastCosts(s: Spread, nodes: readonly number[]): Float64Array {
  const { counts, together, along, lost, hot } = s;
  const experts = lost.length;
  const least = leastPulls(s, nodes);
  for (let expert = 0; expert < experts; expert += 1) {
    const pull = least[expert] ?? 0;
    if (pull === Infinity) continue;
    const thinner = lost[expert] ?? 0;
    const given = thinner * (counts[expert] ?? 1);
    const more = 2 * given * pull + thinner * thinner * (together[expert * experts + expert] ?? 0);
    const less = 2 * thinner * (along[expert] ?? 0) - given * given;
    least[expert] = (hot[expert] ?? 0) + (more - less - ROUNDING * (more + Math.abs(less))) / s.gpusPerNode;
  }
  return least;
}

/** The best of the experts that pass; those that cost more than `edge` are out. */
function bestOf(s: Spread, nodes: readonly number[], edge: number, passes: (expert: number) => boolean): Best {
  const best: Best = { expert: -1, node: nodes[0] ?? 0, cost: Infinity, share: 0, bridged: false };
  for (let expert = 0; expert < s.weights.length; expert += 1)
    if (passes(expert)) tryExpert(s, nodes, expert, edge, best);
  return best;
}

/**
 * The copy on one of `nodes` that costs least, the first of those that tie. Over many nodes only experts that could cost least are looked at
 * closely: the one that promises most sets an edge, and whoever cannot come below it is out. Where something costs hardly more than the
 * edge, ties could lead across it, and it is moved up; so the answer is always that of a look at all of them.
 */
export function cheapestCopy(s: Spread, nodes: readonly number[]): Copy {
  if (s.wide && nodes.length > 0) {
    const least = leastCosts(s, nodes);
    let promising = 0;
    for (let expert = 1; expert < least.length; expert += 1)
      if ((least[expert] ?? 0) < (least[promising] ?? 0)) promising = expert;
    let edge = bestOf(s, nodes, Infinity, (expert) => expert === promising).cost;
    for (let step = 2 * TIE; ; step *= 2) {
      edge += step;
      const best = bestOf(s, nodes, edge, (expert) => (least[expert] ?? 0) <= edge + 2 * TIE);
      if (!best.bridged) return best;
    }
  }
  return bestOf(s, nodes, Infinity, () => true);
}
