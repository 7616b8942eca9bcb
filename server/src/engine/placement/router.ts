import { pythonRandom, type PythonRandom } from './python-random';
import type { Placement } from './placement';
import type { Routing } from './traffic';

/** Experts of a number of tokens, `topK` a token in a row. */
export interface RoutedTokens {
  readonly topK: number;
  readonly experts: Int32Array;
}

const ROUNDS = 12;

function gumbel(random: PythonRandom): number {
  return -Math.log(-Math.log(random.random() + 1e-12) + 1e-12);
}

/** Noise of every token and expert, with a part that all experts of a group share: tokens have topics. */
function noiseOf(tokens: number, { experts, groups }: Routing, topic: number, random: PythonRandom): Float32Array {
  const noise = new Float32Array(tokens * experts);
  const size = experts / groups;
  for (let token = 0; token < tokens; token += 1) {
    let shared = 0;
    for (let expert = 0; expert < experts; expert += 1) {
      if (expert % size === 0) shared = topic * gumbel(random);
      noise[token * experts + expert] = gumbel(random) + shared;
    }
  }
  return noise;
}

/** Writes the indices of the `count` greatest of `scores[from .. from + size]` into `into`; lower index first on ties. */
function topOf(scores: Float64Array, from: number, size: number, count: number, into: Int32Array): void {
  let filled = 0;
  for (let i = from; i < from + size; i += 1) {
    const score = scores[i] ?? 0;
    if (filled === count && score <= (scores[into[count - 1] ?? 0] ?? 0)) continue;
    let at = filled < count ? filled : count - 1;
    while (at > 0 && (scores[into[at - 1] ?? 0] ?? 0) < score) {
      into[at] = into[at - 1] ?? 0;
      at -= 1;
    }
    into[at] = i;
    if (filled < count) filled += 1;
  }
}

/** One token through DeepSeek-V3's router: groups by the sum of their two best scores, then the best experts of the chosen groups. */
function route(scores: Float64Array, routing: Routing, into: Int32Array): void {
  const { experts, groups, topK } = routing;
  const chosen = routing.topGroups ?? groups;
  if (chosen < groups) {
    const size = experts / groups;
    const best = new Int32Array(2);
    const groupScores = new Float64Array(groups);
    for (let group = 0; group < groups; group += 1) {
      topOf(scores, group * size, size, 2, best);
      groupScores[group] = (scores[best[0] ?? 0] ?? 0) + (scores[best[1] ?? 0] ?? 0);
    }
    const kept = new Int32Array(chosen);
    topOf(groupScores, 0, groups, chosen, kept);
    for (let group = 0; group < groups; group += 1)
      if (!kept.includes(group)) scores.fill(-Infinity, group * size, (group + 1) * size);
  }
  topOf(scores, 0, experts, topK, into);
}

function routeAll(noise: Float32Array, bias: Float64Array, tokens: number, routing: Routing): RoutedTokens {
  const { experts, topK } = routing;
  const out = new Int32Array(tokens * topK);
  const scores = new Float64Array(experts);
  for (let token = 0; token < tokens; token += 1) {
    for (let expert = 0; expert < experts; expert += 1)
      scores[expert] = (noise[token * experts + expert] ?? 0) + (bias[expert] ?? 0);
    route(scores, routing, out.subarray(token * topK, (token + 1) * topK));
  }
  return { topK, experts: out };
}

/**
 * Made-up tokens whose experts come up as often as `load` says: DeepSeek-V3's group-limited router (arXiv 2412.19437, section 2.1.2)
 * on random scores, with a bias an expert fitted to the load. `topic` is the strength of the part of the score that the experts of a
 * group share. Deterministic for a seed. Recordings say how often experts come up, never which come up together: that part is a model.
 */
export function routedTokens(load: Float64Array, routing: Routing, tokens: number, topic = 1, seed = 42): RoutedTokens {
  const { experts, topK } = routing;
  const total = load.reduce((a, b) => a + b, 0);
  const noise = noiseOf(tokens, routing, topic, pythonRandom(seed));
  const bias = Float64Array.from(load, (value) => Math.log(Math.max(value / Math.max(total, 1e-300), 1e-6)));
  for (let round = 0; round < ROUNDS; round += 1) {
    const seen = new Float64Array(experts).fill(0.5);
    for (const expert of routeAll(noise, bias, tokens, routing).experts) seen[expert] = (seen[expert] ?? 0) + 1;
    for (let expert = 0; expert < experts; expert += 1) {
      const wanted = (tokens * topK * (load[expert] ?? 0)) / Math.max(total, 1e-300) + 0.5;
      bias[expert] = (bias[expert] ?? 0) + 0.7 * Math.log(wanted / (seen[expert] ?? 1));
    }
  }
  return routeAll(noise, bias, tokens, routing);
}

/**
 * Nodes that a token reaches, on average, under one layer of a placement when each of its experts takes a random copy (SGLang's dynamic
 * dispatch). Times (N - 1) / N it is the copies that leave the token's own node.
 */
export function nodesReached(placement: Placement, layer: number, tokens: RoutedTokens, seed = 42): number {
  const { slots, nodes, experts } = placement.shape;
  const random = pythonRandom(seed);
  const copies: number[][] = Array.from({ length: experts }, () => []);
  placement.physicalToLogical[layer]?.forEach((expert, slot) => {
    copies[expert]?.push(Math.floor((slot * nodes) / slots));
  });
  const many = tokens.experts.length / tokens.topK;
  const seen = new Int32Array(nodes).fill(-1);
  let reached = 0;
  for (let at = 0; at < tokens.experts.length; at += 1) {
    const own = copies[tokens.experts[at] ?? 0] ?? [];
    if (own.length === 0) continue;
    const node = own.length === 1 ? (own[0] ?? 0) : (own[random.below(own.length)] ?? 0);
    const token = Math.floor(at / tokens.topK);
    if (seen[node] === token) continue;
    seen[node] = token;
    reached += 1;
  }
  return many === 0 ? 0 : reached / many;
}
