import type { Finding } from '../../plan/finding';
import { coverageOf, type Coverage } from '../common/conditions';
import { checkRules, type SglangFacts } from './facts';
import { attentionRules } from './rules-attention';
import { balancingRules } from './rules-balancing';
import { expertRules } from './rules-experts';
import { parallelRules } from './rules-parallel';
import { quantizedRules } from './rules-quantized';
import { servingRules } from './rules-serving';

const rules = [
  ...parallelRules,
  ...expertRules,
  ...balancingRules,
  ...attentionRules,
  ...servingRules,
  ...quantizedRules,
];

/** What SGLang refuses, and what it changes without a word, as far as the arguments, the model and the GPU decide it. */
export function checkSglang(facts: SglangFacts): Finding[] {
  return checkRules(rules, facts);
}

/** Gathered start-up rules that SGLang's own rules stand for. */
export const sglangCoverage: readonly Coverage[] = [
  ...coverageOf(rules),
  { rule: 'not-a-map', covers: ['SG-CFG02'] },
  { rule: 'misspelled-key', covers: ['SG-CFG03'] },
  { rule: 'ambiguous-key', covers: ['SG-CFG04'] },
  { rule: 'unsupported-key', covers: ['SG-CFG05'] },
  { rule: 'setting-dropped', covers: ['SG-CFG06'] },
  { rule: 'null-value', covers: ['SG-CFG07'] },
  { rule: 'wrong-value', covers: ['SG-PD05'] },
  // Shared with other frameworks: plan/rules, the checkpoint's own rules, and memory.
  { rule: 'dp-attention-not-divisible', covers: ['SG-PAR02'] },
  { rule: 'heads-not-divisible', covers: ['SG-HEAD01', 'SG-HEAD02'] },
  { rule: 'kv-heads-not-divisible', covers: ['SG-HEAD03', 'SG-HEAD04'] },
  { rule: 'experts-not-divisible', covers: ['SG-MOE02', 'SG-MOE04'] },
  { rule: 'expert-parallel-not-dividing-tensor', covers: ['SG-MOE03'] },
  { rule: 'intermediate-not-divisible', covers: ['SG-MOE03'] },
  { rule: 'quantization-block-invalid', covers: ['SG-Q01', 'SG-Q02'] },
  { rule: 'fp8-block-misaligned', covers: ['SG-Q03', 'SG-Q04', 'SG-Q05'] },
  { rule: 'out-of-memory', covers: ['SG-MEM01', 'SG-MEM02'] },
];
