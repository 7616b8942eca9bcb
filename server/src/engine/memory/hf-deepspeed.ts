import type { HfPlan } from './hf-plan';
import { plainStrategy } from './hf-plain';
import type { HfStrategy } from './hf-strategy';
export function deepspeedStrategy(plan: HfPlan): HfStrategy {
  return plainStrategy(plan);
}
