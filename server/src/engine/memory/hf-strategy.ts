import type { HfMoment, HfPlan } from './hf-plan';
import type { Ledger } from './ledger';
import type { StageModule } from './weights';

/** How one stack keeps and moves the states of a transformers model. */
export interface HfStrategy {
  /** States and buffers that live from step to step. */
  readonly resting: (ledger: Ledger, modules: readonly StageModule[]) => void;
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
