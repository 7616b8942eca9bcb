import {
  stageLayersMismatch,
  expertsNotDivisible,
  headsNotDivisible,
  kvHeadsNotDivisible,
  layersNotDivisible,
} from './model-splits';
import { fp8NotAligned } from './fp8-alignment';
import { gpuLacksFormat } from './gpu-formats';
import { scheduleConstraint } from './pipeline';
import { enforcedOn } from '../enforced';
import type { Finding } from '../finding';
import type { PlanRule, PlanRuleContext } from './rule-context';
import { fp8BlockMisaligned } from './fp8-blocks';
import { groupNotDividing, kernelNotTiling } from './integer-groups';
import {
  evaluationNotDivisible,
  expertsNeedSequenceParallel,
  instancesNotDivisible,
  sequenceNotDivisible,
  unevenStages,
} from './training';
import { dataAttentionNotDivisible, expertsAboveTensor, intermediateNotDivisible } from './serving';
import {
  degreeNotPositive,
  worldProductMismatch,
  batchNotDivisible,
  expertWorldNotDivisible,
  worldNotDivisible,
} from './world';

/** Conditions over the Plan that hold for more than one framework, in the order a person would want to fix them. */
export const planRules: readonly PlanRule[] = [
  degreeNotPositive,
  worldNotDivisible,
  worldProductMismatch,
  dataAttentionNotDivisible,
  expertsAboveTensor,
  headsNotDivisible,
  kvHeadsNotDivisible,
  layersNotDivisible,
  stageLayersMismatch,
  intermediateNotDivisible,
  fp8BlockMisaligned,
  groupNotDividing,
  kernelNotTiling,
  expertsNotDivisible,
  expertWorldNotDivisible,
  gpuLacksFormat,
  fp8NotAligned,
  scheduleConstraint,
  batchNotDivisible,
  evaluationNotDivisible,
  instancesNotDivisible,
  sequenceNotDivisible,
  expertsNeedSequenceParallel,
  unevenStages,
];

/**
 * Findings of all shared rules, one cause once: when a value is refused by several rules, the first in order speaks,
 * because the others would only repeat that the value cannot stay. `guard` isolates each rule.
 */
export function checkPlan(
  context: PlanRuleContext,
  guard: (id: string, run: () => readonly Finding[]) => readonly Finding[] = (_id, run) => run(),
): Finding[] {
  const refused = new Set<number>();
  return planRules.flatMap((rule) =>
    enforcedOn(
      context.plan,
      guard(rule.id, () => rule.check(context)),
    ).filter(({ at, severity }) => {
      if (at === undefined || at.uri !== undefined || severity !== 'error') return true;
      if (refused.has(at.span.start)) return false;
      refused.add(at.span.start);
      return true;
    }),
  );
}
