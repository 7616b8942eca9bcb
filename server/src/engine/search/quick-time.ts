import { fillStages } from '../cost/balance';
import { headTimes } from '../cost/layer-times';
import type { Machine } from '../cost/rates';
import { BLOCK_SHARE, overlapsExperts } from '../cost/training-step';
import { layerTimes, settingOf } from '../cost/stage-times';
import { elementwiseTime } from '../cost/rates';
import type { TrainingInput } from '../memory/input';
import { size } from '../model/tensors';
import type { ScheduleKind } from '../spec/training';

/** Seconds of the layers before each one, by pass, and of both ends of the model. One microbatch on one rank. */
export interface LayerSums {
  readonly F: Float64Array;
  readonly I: Float64Array;
  readonly W: Float64Array;
  /** Expert exchange, both ways: what overlapped schedules hide. */
  readonly X: Float64Array;
  readonly first: readonly [F: number, I: number, W: number];
  readonly last: readonly [F: number, I: number, W: number, X: number];
}

/** Works out the sums of one layer choice. */
export function layerSums(input: TrainingInput, machine: Machine): LayerSums {
  const setting = settingOf(input, machine);
  const { layers, mtpLayers, hiddenSize } = input.model;
  const F = new Float64Array(layers + 1);
  const I = new Float64Array(layers + 1);
  const W = new Float64Array(layers + 1);
  const X = new Float64Array(layers + 1);
  const at = (layer: number): readonly [number, number, number, number] => {
    const one = layerTimes(setting, layer);
    const exchange = one.forward.expert + one.backward.expert;
    return [
      Math.max(one.F, one.host) + one.sync / 2 + one.forward.tensor + one.forward.context + one.forward.expert,
      Math.max(one.I, one.host) + one.sync / 2 + one.backward.tensor + one.backward.context + one.backward.expert,
      one.W > 0 ? Math.max(one.W, 0.5 * one.host) : 0,
      exchange,
    ];
  };
  for (let layer = 0; layer < layers; layer += 1) {
    const [f, i, w, x] = at(layer);
    F[layer + 1] = (F[layer] ?? 0) + f;
    I[layer + 1] = (I[layer] ?? 0) + i;
    W[layer + 1] = (W[layer] ?? 0) + w;
    X[layer + 1] = (X[layer] ?? 0) + x;
  }
  const head = headTimes(machine, input.model, input.layout, setting.work);
  const last: [number, number, number, number] = [0, 0, 0, 0];
  for (let extra = 0; extra < size(mtpLayers); extra += 1) at(layers + extra).forEach((v, k) => (last[k as 0] += v));
  const heads = 1 + size(mtpLayers);
  last[0] += head.F * heads;
  last[1] += head.I * heads;
  last[2] += head.W * heads;
  const look = elementwiseTime(machine, setting.work.tokens * size(hiddenSize) * 4);
  return { F, I, W, X, first: [look, 0, setting.work.frozen ? 0 : 2 * look], last };
}

/** Layers a stage such that the slowest is fastest; undefined where a stage would have to be cut. */
export function balancedBy(sums: LayerSums, stages: number): readonly number[] | undefined {
  const layers = sums.F.length - 1;
  const cost = (layer: number): number =>
    (sums.F[layer + 1] ?? 0) -
    (sums.F[layer] ?? 0) +
    (sums.I[layer + 1] ?? 0) -
    (sums.I[layer] ?? 0) +
    (sums.W[layer + 1] ?? 0) -
    (sums.W[layer] ?? 0);
  const costs = Array.from({ length: layers }, (_, layer) => cost(layer));
  const first = sums.first[0] + sums.first[2];
  const last = sums.last[0] + sums.last[1] + sums.last[2];
  let low = Math.max(first, last, ...costs);
  let high = low + costs.reduce((a, b) => a + b, 0) + first;
  for (let step = 0; step < 24; step += 1) {
    const middle = (low + high) / 2;
    if (fillStages(costs, stages, first, last, middle) === undefined) low = middle;
    else high = middle;
  }
  const found = fillStages(costs, stages, first, last, high);
  return found?.some((count, stage) => count === 0 && stage < stages - 1) === true ? undefined : found;
}

/** Passes of every stage. */
export interface StagePasses {
  readonly f: Float64Array;
  readonly i: Float64Array;
  readonly w: Float64Array;
  readonly x: Float64Array;
}

/** Stage times from the sums; `counts` are decoder layers of every stage. */
export function stagePasses(sums: LayerSums, counts: readonly number[]): StagePasses {
  const stages = counts.length;
  const out = {
    f: new Float64Array(stages),
    i: new Float64Array(stages),
    w: new Float64Array(stages),
    x: new Float64Array(stages),
  };
  let from = 0;
  for (let stage = 0; stage < stages; stage += 1) {
    const to = from + (counts[stage] ?? 0);
    const [f1, i1, w1] = stage === 0 ? sums.first : [0, 0, 0];
    const [f2, i2, w2, x2] = stage === stages - 1 ? sums.last : [0, 0, 0, 0];
    out.f[stage] = (sums.F[to] ?? 0) - (sums.F[from] ?? 0) + f1 + f2;
    out.i[stage] = (sums.I[to] ?? 0) - (sums.I[from] ?? 0) + i1 + i2;
    out.w[stage] = (sums.W[to] ?? 0) - (sums.W[from] ?? 0) + w1 + w2;
    out.x[stage] = (sums.X[to] ?? 0) - (sums.X[from] ?? 0) + x2;
    from = to;
  }
  return out;
}

function at(values: Float64Array, index: number): number {
  return values[index] ?? 0;
}

/** Seconds of a block of one forward and one backward of a stage, overlapped where the schedule does so. */
function blockSeconds(p: StagePasses, stage: number, overlapped: boolean): number {
  const plain = at(p.f, stage) + at(p.i, stage) + at(p.w, stage);
  if (!overlapped) return plain;
  const exchange = at(p.x, stage);
  return Math.min(plain, BLOCK_SHARE * Math.max(plain - exchange, exchange));
}

/** Idle seconds of the ramp, from the mean stage: closed forms of the papers that introduce each schedule. */
function rampSeconds(kind: ScheduleKind, pipeline: number, p: StagePasses, block: number): number {
  const stages = p.f.length;
  const mean = (values: Float64Array): number => values.reduce((sum, value) => sum + value, 0) / stages;
  const [F, I, W] = [mean(p.f), mean(p.i), mean(p.w)];
  switch (kind) {
    case 'zb-h1':
      return (pipeline - 1) * Math.max(0, F + I - W);
    case 'zb-h2':
    case 'zb-v':
    case 'zbv-torch':
      return Math.abs(F + I - 2 * W);
    case 'dualpipe':
    case 'dualpipev':
      return Math.max(0, (pipeline / 2 - 1) * (block + I + W - 3 * W));
    case 'interleaved-zb-torch':
      return (pipeline - 1) * Math.max(0, F + I - W);
    default:
      return (pipeline - 1) * (F + I + W);
  }
}

/** Seconds of a step by closed forms, data parallelism and optimizer left out: what decides which layouts are worth simulating. */
export function quickSeconds(
  kind: ScheduleKind,
  pipeline: number,
  microbatches: number,
  p: StagePasses,
  ranks: readonly (readonly number[])[],
): number {
  const stages = p.f.length;
  const overlapped = overlapsExperts(kind);
  if (pipeline === 1) {
    let one = 0;
    for (let stage = 0; stage < stages; stage += 1) one += blockSeconds(p, stage, false);
    return one * microbatches;
  }
  let busiest = 0;
  let blocks = 0;
  for (let stage = 0; stage < stages; stage += 1) blocks += blockSeconds(p, stage, overlapped);
  for (const held of ranks) {
    let busy = 0;
    for (const stage of held) busy += blockSeconds(p, stage, overlapped);
    // Two whole copies of the model share the microbatches.
    busiest = Math.max(busiest, kind === 'dualpipe' ? busy / 2 : busy);
  }
  return busiest * microbatches + rampSeconds(kind, pipeline, p, blocks / stages);
}
