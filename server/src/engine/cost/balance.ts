import type { TrainingInput } from '../memory/input';
import { chunksPerRank, isVShaped } from '../layout/stages';
import type { Machine } from './rates';
import { passSeconds, settingOf, stageTimes } from './stage-times';

/** Layers that fit into `stages` stages when no stage may cost more than `limit`; undefined when they do not. */
export function fillStages(
  costs: readonly number[],
  stages: number,
  first: number,
  last: number,
  limit: number,
): number[] | undefined {
  const out: number[] = [];
  let layer = 0;
  for (let stage = 0; stage < stages; stage += 1) {
    let used = (stage === 0 ? first : 0) + (stage === stages - 1 ? last : 0);
    let count = 0;
    while (layer < costs.length && used + (costs[layer] ?? 0) <= limit) {
      used += costs[layer] ?? 0;
      layer += 1;
      count += 1;
    }
    out.push(count);
  }
  return layer === costs.length ? out : undefined;
}

/**
 * The same for schedules that fold: rank r works on stage r and on its mirror, so both together stay within `limit`. From the
 * outermost rank inwards, each layer goes to the side that has less; both sides of a rank stay about as long.
 */
export function fillFolded(
  costs: readonly number[],
  ranks: number,
  first: number,
  last: number,
  limit: number,
): number[] | undefined {
  const out = new Array<number>(2 * ranks).fill(0);
  let [front, back] = [0, costs.length];
  for (let rank = 0; rank < ranks; rank += 1) {
    const mirror = 2 * ranks - 1 - rank;
    let [near, far] = rank === 0 ? [first, last] : [0, 0];
    while (front < back) {
      const nearer = near <= far;
      const cost = costs[nearer ? front : back - 1] ?? 0;
      if (near + far + cost > limit * (1 + 1e-9)) break;
      const stage = nearer ? rank : mirror;
      out[stage] = (out[stage] ?? 0) + 1;
      if (nearer) [near, front] = [near + cost, front + 1];
      else [far, back] = [far + cost, back - 1];
    }
  }
  return front === back ? out : undefined;
}

/** Stages x layers beyond which the even split is not searched for: the greedy one is as fast, only less even. */
const MOST_CELLS = 400_000;

/**
 * Among the splits whose stages all stay within `limit`, the one with the least sum of squared stage times: as even as the slowest
 * stage allows, so that no stage holds layers for another that is nearly empty. By dynamic programming over stages.
 */
function evenly(
  costs: readonly number[],
  stages: number,
  first: number,
  last: number,
  limit: number,
): number[] | undefined {
  const n = costs.length;
  if (stages * n > MOST_CELLS) return undefined;
  const sums = [0];
  for (const cost of costs) sums.push((sums[sums.length - 1] ?? 0) + cost);
  let best = new Float64Array(n + 1).fill(Infinity);
  best[0] = 0;
  const from: Int32Array[] = [];
  for (let stage = 0; stage < stages; stage += 1) {
    const extra = (stage === 0 ? first : 0) + (stage === stages - 1 ? last : 0);
    const next = new Float64Array(n + 1).fill(Infinity);
    const cut = new Int32Array(n + 1).fill(-1);
    for (let end = 0; end <= n; end += 1) {
      for (let begin = end; begin >= 0; begin -= 1) {
        const time = extra + (sums[end] ?? 0) - (sums[begin] ?? 0);
        if (time > limit * (1 + 1e-9)) break;
        const total = (best[begin] ?? Infinity) + time * time;
        if (total >= (next[end] ?? Infinity)) continue;
        next[end] = total;
        cut[end] = begin;
      }
    }
    from.push(cut);
    best = next;
  }
  const out: number[] = [];
  for (let stage = stages - 1, end = n; stage >= 0; stage -= 1) {
    const begin = from[stage]?.[end] ?? -1;
    if (begin < 0) return undefined;
    out.unshift(end - begin);
    end = begin;
  }
  return out;
}

/**
 * Decoder layers of every stage such that the slowest stage is as fast as can be, counting embedding, head and multi-token-prediction
 * layers where they stand, and the others as even as that allows; under a schedule that folds, the slowest rank. The linear partition problem, by bisection on the slowest stage's time.
 */
export function balancedStages(input: TrainingInput, machine: Machine): readonly number[] {
  const { model, layout, pipeline } = input;
  const stages =
    layout.pipeline * (pipeline.kind === 'dualpipe' ? 1 : chunksPerRank(pipeline.kind, layout.virtualPipeline));
  const setting = settingOf(input, machine);
  const seconds = (part: {
    firstLayer: number;
    layers: number;
    embedding: boolean;
    head: boolean;
    mtpLayers: number;
  }): number => {
    const { forward, input: back, weight } = stageTimes(setting, { stage: 0, denseLayers: 0, moeLayers: 0, ...part });
    return passSeconds(forward) + passSeconds(back) + weight;
  };
  const none = { firstLayer: 0, layers: 0, embedding: false, head: false, mtpLayers: 0 };
  const costs = Array.from({ length: model.layers }, (_, layer) => seconds({ ...none, firstLayer: layer, layers: 1 }));
  const first = seconds({ ...none, embedding: true });
  const last = seconds({ ...none, head: true, mtpLayers: model.mtpLayers ?? 0 });
  const folded = isVShaped(pipeline.kind);
  const fill = (limit: number): number[] | undefined =>
    folded ? fillFolded(costs, layout.pipeline, first, last, limit) : fillStages(costs, stages, first, last, limit);
  let low = Math.max(last, first, ...costs);
  let high = low + costs.reduce((sum, cost) => sum + cost, 0) + first + last;
  for (let step = 0; step < 40; step += 1) {
    const middle = (low + high) / 2;
    if (fill(middle) === undefined) low = middle;
    else high = middle;
  }
  if (folded) return fill(high) ?? [];
  return evenly(costs, stages, first, last, high) ?? fillStages(costs, stages, first, last, high) ?? [];
}
