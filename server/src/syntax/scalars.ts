import type { ScalarNode, Span } from './tree';

/** Interpolations of OmegaConf and shells, Kubernetes variables, command substitution, Helm and Jinja templates, and the one field of a Python format string. */
const INTERPOLATION =
  /\$\{[^}]*\}|\$\([^)]*\)|\{\{.*?\}\}|(?:^|[\s=,:/"'])\$[A-Za-z_][A-Za-z0-9_]*|^["']?\{[A-Za-z_][A-Za-z0-9_]*\}["']?$/;

/** True when a text holds something that only another tool can fill in. */
export function isInterpolated(text: string): boolean {
  return (text.includes('$') || text.includes('{')) && INTERPOLATION.test(text);
}

/** A scalar with its source text. Only strings can be interpolated, and numbers are finite: the rest keeps its source text as value. */
export function scalar(value: ScalarNode['value'], raw: string, span: Span): ScalarNode {
  const finite = typeof value === 'number' && !Number.isFinite(value) ? raw : value;
  const unresolved = typeof finite === 'string' && (isInterpolated(finite) || isInterpolated(raw));
  return { kind: 'scalar', value: finite, raw, span, unresolved };
}

/** Python refuses longer integers too (`sys.set_int_max_str_digits`). */
const MAX_DIGITS = 4300;

/** An integer from its digits (`0x`, `0o`, `0b` allowed), exact at any size; undefined when it is longer than Python would read. */
export function exactInteger(digits: string, negative: boolean): number | bigint | undefined {
  if (digits.length > MAX_DIGITS) return undefined;
  const value = Number(digits);
  if (Number.isSafeInteger(value)) return negative && value !== 0 ? -value : value;
  const exact = BigInt(digits);
  return negative ? -exact : exact;
}

const INTEGER = /^[-+]?\d+$/;

/** A number as written: integers that a double cannot hold stay exact. */
export function exactNumber(value: number, raw: string): number | bigint {
  if (Number.isSafeInteger(value) || !INTEGER.test(raw)) return value;
  return exactInteger(raw.replace(/^[-+]/, ''), raw.startsWith('-')) ?? value;
}
