import type { HfPlan } from './hf-plan';
import { plainStrategy } from './hf-plain';
import type { HfStrategy } from './hf-strategy';
export function fsdpStrategy(plan: HfPlan): HfStrategy {
  return plainStrategy(plan);
}
