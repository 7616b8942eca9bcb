import type { Plan, Planned, Sourced } from '../../../server/src/plan/plan';
import { resolvePlan } from '../../../server/src/plan/resolve';
import type { PlanRule } from '../../../server/src/plan/rules/rule-context';

let offset = 0;

/** A value as if the file stated it; every call stands at a place of its own. */
export function fromFile<T>(value: T, label?: string): Sourced<T> {
  offset += 10;
  return {
    value,
    origin: 'file',
    at: { span: { start: offset, end: offset + 2 } },
    ...(label === undefined ? {} : { label }),
  };
}

type Values<T> = { readonly [K in keyof T]?: T[K] extends Sourced<infer V> | undefined ? V : never };
type Sections = { readonly [K in keyof Plan]?: Plan[K] extends Planned<infer _T> ? Values<Plan[K]> : never };

/** A plan whose listed values all stand in the file. */
export function planOf(head: Pick<Plan, 'dialect' | 'task'>, sections: Sections): Plan {
  const empty = {
    model: {},
    quantization: {},
    cluster: {},
    layout: {},
    precision: {},
    optimizer: {},
    recompute: {},
    batch: {},
    pipeline: {},
    serving: {},
    experts: {},
  };
  const filled = Object.fromEntries(
    Object.entries(empty).map(([name]) => {
      const values = (sections as Readonly<Record<string, Readonly<Record<string, unknown>> | undefined>>)[name] ?? {};
      return [name, Object.fromEntries(Object.entries(values).map(([key, value]) => [key, fromFile(value)]))];
    }),
  );
  return { ...head, ...empty, ...filled, unresolved: [] } as Plan;
}

/** Messages of one rule on one plan. */
export function check(rule: PlanRule, plan: Plan): readonly string[] {
  return rule.check({ plan, resolved: resolvePlan(plan) }).map(({ message }) => message);
}

/** Sizes of Llama-3.1-70B: a dense model with 64 heads, 8 key/value heads and 80 layers. */
export const LLAMA_70B = {
  layers: 80,
  hiddenSize: 8192,
  vocabSize: 128256,
  heads: 64,
  kvHeads: 8,
  intermediateSize: 28672,
} as const;

/** Sizes of Mixtral 8x7B. */
export const MIXTRAL = {
  layers: 32,
  hiddenSize: 4096,
  vocabSize: 32000,
  heads: 32,
  kvHeads: 8,
  intermediateSize: 14336,
  experts: 8,
  expertsPerToken: 2,
  expertIntermediateSize: 14336,
} as const;
