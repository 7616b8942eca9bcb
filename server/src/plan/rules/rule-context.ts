import type { Finding, Fix, Rule, Severity, SourceReference } from '../finding';
import type { Place, Plan, ResolvedPlan, Sourced } from '../plan';

/** What a shared rule sees. Sections of `resolved` that could not be filled are absent, and rules that need them stay silent. */
export interface PlanRuleContext {
  readonly plan: Plan;
  readonly resolved: ResolvedPlan;
}

export type PlanRule = Rule<PlanRuleContext>;

/** A value that someone stated: not assumed by us. Only such values may carry an error. */
export function stated<T>(value: Sourced<T> | undefined): value is Sourced<T> {
  return value !== undefined && value.origin !== 'assumed';
}

/** `tp 24` as the file spells it: the label, then the value. */
export function named(field: string, value: Sourced<unknown> | undefined, fallback: unknown): string {
  return `${value?.label ?? field} ${String(value?.value ?? fallback)}`;
}

function inDocument(value: Sourced<unknown> | undefined): Place | undefined {
  return value?.at !== undefined && value.at.uri === undefined && value.origin === 'file' ? value.at : undefined;
}

/**
 * Where a finding over several values stands: at the first of them that this document holds.
 * The others become related places, so that both ends of a broken relation can be reached.
 */
export function placed(
  values: readonly { readonly value: Sourced<unknown> | undefined; readonly says: string }[],
): Pick<Finding, 'at' | 'related'> {
  const first = values.find(({ value }) => inDocument(value) !== undefined);
  const related = values.flatMap((entry) =>
    entry !== first && entry.value?.at !== undefined ? [{ at: entry.value.at, message: entry.says }] : [],
  );
  const at = inDocument(first?.value);
  return { ...(at === undefined ? {} : { at }), ...(related.length === 0 ? {} : { related }) };
}

/** Divisors of `value`, ascending. */
export function divisors(value: number): number[] {
  const small: number[] = [];
  const large: number[] = [];
  for (let d = 1; d * d <= value && d <= 65_536; d += 1) {
    if (value % d !== 0) continue;
    small.push(d);
    if (d * d !== value) large.unshift(value / d);
  }
  return [...small, ...large];
}

/** The largest whole number up to `most` that divides `value`. */
export function largestDivisor(value: number, most: number): number {
  return divisors(value).findLast((divisor) => divisor <= most) ?? 1;
}

/** Up to two members of `candidates` nearest to `value`: one below, one above. */
export function nearest(value: number, candidates: readonly number[]): number[] {
  const below = candidates.filter((candidate) => candidate < value).at(-1);
  const above = candidates.find((candidate) => candidate > value);
  return [below, above].filter((candidate): candidate is number => candidate !== undefined);
}

/** Nearest multiples of `step` around `value`, positive. */
export function nearestMultiples(value: number, step: number): number[] {
  const below = Math.floor(value / step) * step;
  return [below, below + step].filter((candidate) => candidate > 0);
}

/** `use 4 or 8`; empty when there is nothing to propose. */
export function advice(values: readonly number[]): string {
  return values.length === 0
    ? ''
    : `; the nearest legal ${values.length > 1 ? 'values are' : 'value is'} ${values.join(' or ')}`;
}

/** One quick fix a legal value, at the place of `value`; only a fix without an alternative is preferred. */
export function setFixes(
  value: Sourced<unknown> | undefined,
  field: string,
  candidates: readonly number[],
): Pick<Finding, 'fixes'> {
  const at = inDocument(value);
  if (at === undefined || candidates.length === 0) return {};
  const fixes = candidates.map((candidate): Fix => ({
    title: `Set ${value?.label ?? field} to ${candidate}`,
    edits: [{ at, newText: String(candidate) }],
    preferred: candidates.length === 1,
  }));
  return { fixes };
}

/** What one framework does about a condition; a dialect that is not listed does not enforce it. */
export interface Enforcement {
  readonly severity: Severity;
  readonly source?: SourceReference;
}

/** Megatron-LM source reference at the commit that the rules were read from. */
export function megatron(file: string, fn: string): SourceReference {
  return { framework: 'Megatron-LM', repository: 'NVIDIA/Megatron-LM', file, function: fn, commit: 'd98e8a64ddf3' };
}

/** SGLang source reference at the commit that the rules were read from. */
export function sglang(file: string, fn: string): SourceReference {
  return {
    framework: 'SGLang',
    repository: 'sgl-project/sglang',
    file: `python/sglang/srt/${file}`,
    function: fn,
    commit: 'eec794bce0',
  };
}

/** vLLM source reference at the commit that the rules were read from. */
export function vllm(file: string, fn: string): SourceReference {
  return {
    framework: 'vLLM',
    repository: 'vllm-project/vllm',
    file: `vllm/${file}`,
    function: fn,
    commit: '017e9f4448',
  };
}

/** Assembles a finding from its parts. */
export function finding(
  rule: { readonly id: string },
  enforcement: Enforcement,
  message: string,
  parts: Pick<Finding, 'at' | 'related' | 'fixes'>,
): Finding {
  return {
    rule: rule.id,
    severity: enforcement.severity,
    message,
    ...parts,
    ...(enforcement.source === undefined ? {} : { source: enforcement.source }),
  };
}
