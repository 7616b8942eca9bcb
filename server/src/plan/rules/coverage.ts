/** Gathered start-up rules of training frameworks by the shared rule that implements them; serving dialects list theirs themselves. */
export const planCoverage: readonly { readonly rule: string; readonly covers: readonly string[] }[] = [
  { rule: 'world-not-divisible', covers: ['MEG-001', 'BRG-001'] },
  { rule: 'expert-world-not-divisible', covers: ['MEG-080'] },
  { rule: 'world-product-mismatch', covers: ['TT-003', 'NT-001'] },
  { rule: 'heads-not-divisible', covers: ['MEG-100', 'NT-003'] },
  { rule: 'kv-heads-not-divisible', covers: ['MEG-101'] },
  { rule: 'layers-not-divisible', covers: ['MEG-018'] },
  { rule: 'experts-not-divisible', covers: ['MEG-058'] },
  { rule: 'global-batch-not-divisible', covers: ['MEG-160', 'TT-006'] },
  { rule: 'schedule-constraint', covers: ['MEG-161'] },
  { rule: 'sequence-not-divisible', covers: ['MEG-046', 'BRG-010', 'TT-017', 'NT-012'] },
  { rule: 'experts-need-sequence-parallel', covers: ['MEG-086', 'MEG-164'] },
  { rule: 'optimizer-instances-not-divisible', covers: ['MEG-081'] },
  { rule: 'evaluation-batch-not-divisible', covers: ['MEG-012', 'BRG-009'] },
  { rule: 'fp8-not-aligned', covers: ['FP8-ALIGN'] },
  { rule: 'gpu-lacks-format', covers: ['TT-023', 'TT-026'] },
];
