import type { HfMoment, HfPlan } from './hf-plan';
import type { Ledger } from './ledger';
import type { ModuleWeights, StageModule } from './weights';

/** How one stack keeps and moves the states of a transformers model. */
export interface HfStrategy {
  /** States and buffers that live from step to step, on the rank at this position of its shard group. */
  readonly resting: (ledger: Ledger, modules: readonly StageModule[], position: number) => void;
  /** Bytes that stand between steps but are gone when a step begins. */
  readonly restingExtra?: number;
  /** Bytes beside activations and resting states at one moment: gathered weights, gradients, communication. */
  readonly extraBytes: (moment: HfMoment) => number;
  /** The same bytes as explained items. */
  readonly put: (ledger: Ledger, moment: HfMoment) => void;
  /** Everything beside resting states while the optimizer steps. */
  readonly step: (ledger: Ledger) => void;
}

/** Largest single weight of the model, in elements: one tensor that an optimizer or a bucket handles whole. */
export function largestParameter(plan: HfPlan): number {
  const { model } = plan.input;
  let most = model.vocabSize * model.hiddenSize;
  for (const { tensors } of [...plan.table.dense, ...plan.table.moe])
    for (const tensor of tensors) most = Math.max(most, tensor.rows * tensor.columns * tensor.copies);
  return most;
}

/** Elements of all base weights. */
export function modelElements(plan: HfPlan): number {
  const { model } = plan.input;
  let sum = plan.table.embedding + plan.table.positions + plan.table.finalNorm;
  if (!model.tiedEmbeddings) sum += plan.table.head;
  for (const { moe } of plan.layers)
    for (const { elements } of moe ? plan.table.moe : plan.table.dense) sum += elements;
  return sum;
}

/** Elements of one layer on all ranks, in model order. */
export function layerElementsOf(plan: HfPlan, padded: (modules: readonly ModuleWeights[]) => number): number[] {
  const dense = padded(plan.table.dense);
  const moe = padded(plan.table.moe);
  return plan.layers.map((layer) => (layer.moe ? moe : dense));
}

/** Elements of embedding, position table, final norm and an untied head, which no decoder layer holds. */
export function rootElements(plan: HfPlan): number {
  const { table, input } = plan;
  return table.embedding + table.positions + table.finalNorm + (input.model.tiedEmbeddings ? 0 : table.head);
}

/** Sum of all elements of some modules. */
export function elementsOf(modules: readonly ModuleWeights[]): number {
  return modules.reduce((total, { elements }) => total + elements, 0);
}
