import type { Finding } from '../../plan/finding';
import { checkConditions, coverageOf, type Coverage } from '../common/conditions';
import { vllmModelCoverage } from './rules-model';
import { parallelRules } from './rules-parallel';
import { servingRules } from './rules-serving';
import type { VllmArguments } from './values';

const conditions = [...parallelRules, ...servingRules];

/** What vLLM does with combinations of arguments, as far as the arguments alone decide it. */
export function checkVllm(args: VllmArguments): Finding[] {
  return checkConditions(conditions, args);
}

/** Gathered start-up rules that vLLM's own rules stand for. */
export const vllmCoverage: readonly Coverage[] = [
  ...coverageOf([...conditions, ...vllmModelCoverage]),
  // Shared with other frameworks: plan/rules, and memory.
  { rule: 'heads-not-divisible', covers: ['VL-PAR01'] },
  { rule: 'intermediate-not-divisible', covers: ['VL-MOE01'] },
  { rule: 'fp8-block-misaligned', covers: ['VL-Q06', 'VL-Q07', 'VL-Q08', 'VL-Q13'] },
  { rule: 'group-not-dividing', covers: ['VL-Q09'] },
  { rule: 'kernel-not-tiling', covers: ['VL-Q09'] },
  { rule: 'out-of-memory', covers: ['VL-MEM02'] },
  { rule: 'context-above-cache', covers: ['VL-MEM03'] },
  { rule: 'switch-never-off', covers: ['VL-CFG02'] },
  { rule: 'misspelled-key', covers: ['VL-CFG03'] },
  { rule: 'size-unit', covers: ['VL-CFG04'] },
  { rule: 'model-named-twice', covers: ['VL-CFG05'] },
];
