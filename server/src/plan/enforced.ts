import type { Finding } from './finding';
import type { Plan } from './plan';

/** Findings as they hold for the plan's own program: one that only builds on the framework need not refuse what the framework refuses. */
export function enforcedOn(plan: Plan, findings: readonly Finding[]): readonly Finding[] {
  if (plan.adapted !== true) return findings;
  return findings.map((finding) => (finding.severity === 'error' ? { ...finding, severity: 'warning' } : finding));
}
