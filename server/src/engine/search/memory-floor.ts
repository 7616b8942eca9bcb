import type { TrainingInput } from '../memory/input';
import { stateBytes } from '../memory/optimizer-state';
import { outsideAllocator, reservedFactor } from '../memory/outside';
import { elementsOf, size } from '../model/tensors';
import { layerKinds, modelTensors } from '../model/inventory';
import type { ModelSpec } from '../model/spec';
import type { Choice } from './candidates';
import { stageCount } from './candidates';

/** Elements of the layers before each one, dense and expert apart, and of both ends. The whole model, before any cut. */
export interface ElementSums {
  readonly dense: Float64Array;
  readonly expert: Float64Array;
  readonly embedding: number;
  readonly last: readonly [dense: number, expert: number];
}

/** Works the sums out once a model. */
export function elementSums(model: ModelSpec): ElementSums {
  const dense = new Float64Array(model.layers + 1);
  const expert = new Float64Array(model.layers + 1);
  const own: [number, number][] = [];
  for (const kind of layerKinds(model)) {
    let [d, e] = [0, 0];
    for (const tensor of kind.tensors) {
      if (tensor.part === 'experts') e += elementsOf(tensor);
      else d += elementsOf(tensor);
    }
    for (const layer of kind.layers) own[layer] = [d, e];
  }
  for (let layer = 0; layer < model.layers; layer += 1) {
    dense[layer + 1] = (dense[layer] ?? 0) + (own[layer]?.[0] ?? 0);
    expert[layer + 1] = (expert[layer] ?? 0) + (own[layer]?.[1] ?? 0);
  }
  let embedding = 0;
  let head = 0;
  for (const tensor of modelTensors(model)) {
    if (tensor.part === 'embedding') embedding += elementsOf(tensor);
    else head += elementsOf(tensor);
  }
  const last: [number, number] = [head, 0];
  for (let layer = model.layers; layer < model.layers + size(model.mtpLayers); layer += 1) {
    last[0] += own[layer]?.[0] ?? 0;
    last[1] += own[layer]?.[1] ?? 0;
  }
  return { dense, expert, embedding, last };
}

/** What elements weigh under a precision and optimizer; the same for every layout. */
export interface ElementBytes {
  readonly weight: number;
  readonly gradient: number;
  readonly state: number;
}

/** Least bytes an element: narrow weights for all, no state that is kept elsewhere. */
export function elementBytes(input: TrainingInput): ElementBytes {
  const bytes = stateBytes(input);
  const state = input.optimizer.offloadOptimizer ? 0 : bytes.master + Math.min(bytes.moments, bytes.tableMoments);
  const frozen = input.details?.lora !== undefined;
  return {
    weight: input.optimizer.offloadParameters ? 0 : Math.min(bytes.weight, bytes.lowWeight),
    gradient: frozen ? 0 : bytes.gradient,
    state: frozen ? 0 : state,
  };
}

/**
 * Bytes that the fullest rank of a layout holds at least: states of its stages as the ZeRO stage cuts them, with the allocator's slack
 * and what lies outside it. Activations come on top, so nothing that is above the device by this alone can fit.
 */
export function memoryFloor(
  input: TrainingInput,
  choice: Choice,
  sums: ElementSums,
  bytes: ElementBytes,
  counts: readonly number[],
  ranks: readonly (readonly number[])[],
): number {
  const { gpus, tensor, context, expert, expertTensor, pipeline, virtual, kind, zero } = choice;
  const replicas = gpus / (tensor * pipeline);
  const expertReplicas = gpus / (expert * expertTensor * pipeline);
  const perElement = (shards: number): number =>
    bytes.weight / (zero >= 3 ? shards : 1) +
    bytes.gradient / (zero >= 2 ? shards : 1) +
    bytes.state / (zero >= 1 ? shards : 1);
  const dense = perElement(replicas) / tensor;
  const routed = perElement(expertReplicas) / (expert * expertTensor);
  const stages = stageCount(kind, pipeline, virtual);
  const starts: number[] = [0];
  for (const count of counts) starts.push((starts.at(-1) ?? 0) + count);
  let most = 0;
  for (const held of ranks) {
    let own = 0;
    for (const stage of held) {
      const from = starts[stage] ?? 0;
      const to = starts[stage + 1] ?? from;
      own += ((sums.dense[to] ?? 0) - (sums.dense[from] ?? 0)) * dense;
      own += ((sums.expert[to] ?? 0) - (sums.expert[from] ?? 0)) * routed;
      if (stage === 0) own += sums.embedding * dense;
      if (stage === stages - 1) own += sums.last[0] * dense + sums.last[1] * routed;
    }
    most = Math.max(most, own);
  }
  // Context parallelism is part of the data ranks here; only the communicators know it apart.
  const outside = outsideAllocator({
    ...input.layout,
    worldSize: gpus,
    tensor,
    pipeline,
    context,
    expert,
    expertTensor,
  });
  const layout = { ...input.layout, pipeline };
  return most * reservedFactor({ optimizer: input.optimizer, layout, pipeline: { kind } }) + outside;
}
