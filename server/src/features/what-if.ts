import type { MemoryReport } from '../engine/memory/report';
import type { Plan, ResolvedPlan } from '../plan/plan';
import { resolvePlan } from '../plan/resolve';
import { divisors } from '../plan/rules/rule-context';
import { planRules } from '../plan/rules/rules';
import { estimateMemory } from './estimates';
import { planField } from './fields';

/** The same plan with one value changed, everything derived anew. */
export function withValue(plan: Plan, field: string, value: string | number | boolean): Plan {
  const [section = '', key = ''] = field.split('.');
  const old = planField(plan, field);
  const values = (plan as unknown as Readonly<Record<string, object>>)[section] ?? {};
  const changed = { ...values, [key]: { ...(old ?? { origin: 'file' }), value } };
  // A hand-made split belongs to the number of stages it was made for.
  const kept = field === 'layout.pipeline' && value !== old?.value ? { ...changed, stageLayers: undefined } : changed;
  return { ...plan, [section]: kept } as Plan;
}

/** What one value would bring: whether a rule refuses it, and the memory of the fullest rank. */
export interface Consequence {
  readonly value: string | number | boolean;
  readonly refusal?: string;
  readonly memory?: MemoryReport;
}

/** Tries one value: shared rules first, memory only when nothing refuses it. */
export function consequenceOf(plan: Plan, field: string, value: string | number | boolean): Consequence {
  const changed = withValue(plan, field, value);
  const resolved = resolvePlan(changed);
  const refusal = planRules
    .flatMap((rule) => rule.check({ plan: changed, resolved }))
    .find(({ severity }) => severity === 'error');
  if (refusal !== undefined) return { value, refusal: refusal.message };
  const memory = estimateMemory(resolved);
  return { value, ...(memory === undefined ? {} : { memory }) };
}

const LIMIT = 12;

function powersOfTwo(most: number): number[] {
  return [1, 2, 4, 8, 16, 32, 64].filter((value) => value <= most);
}

function union(a: readonly number[], b: readonly number[]): number[] {
  return [...new Set([...a, ...b])].sort((x, y) => x - y);
}

/** Values worth trying for a degree: the divisors of what it splits. Empty where nothing bounds them. */
export function candidateValues({ model, layout }: ResolvedPlan, field: string): number[] {
  if (layout === undefined) return [];
  const sized = (value: number | undefined): number[] => (value === undefined || value <= 0 ? [] : divisors(value));
  const table: Readonly<Record<string, () => number[]>> = {
    'layout.tensor': () => sized(model?.heads).filter((value) => value <= 64),
    'layout.pipeline': () => union(sized(model?.layers), powersOfTwo(Math.min(64, model?.layers ?? 1))),
    'layout.expert': () => sized(model?.experts),
    'layout.context': () => [1, 2, 4, 8, 16],
    'layout.attentionData': () => sized(layout.tensor),
    'layout.expertTensor': () => sized(layout.tensor),
    'batch.microBatch': () => [1, 2, 4, 8],
    'experts.redundant': () => [0, 1, 2, 3, 4].map((step) => step * layout.expert),
  };
  return (table[field]?.() ?? []).slice(0, LIMIT);
}
