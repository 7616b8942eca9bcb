import { expertsNotDivisible, headsNotDivisible, kvHeadsNotDivisible, layersNotDivisible } from './model-splits';
import { scheduleConstraint } from './pipeline';
import type { PlanRule } from './rule-context';
import { dataAttentionNotDivisible, expertsAboveTensor, fp8BlockMisaligned, intermediateNotDivisible } from './serving';
import { batchNotDivisible, expertWorldNotDivisible, worldNotDivisible } from './world';

/** Conditions over the Plan that hold for more than one framework, in the order a person would want to fix them. */
export const planRules: readonly PlanRule[] = [
  worldNotDivisible,
  dataAttentionNotDivisible,
  expertsAboveTensor,
  headsNotDivisible,
  kvHeadsNotDivisible,
  layersNotDivisible,
  intermediateNotDivisible,
  fp8BlockMisaligned,
  expertsNotDivisible,
  expertWorldNotDivisible,
  scheduleConstraint,
  batchNotDivisible,
];
