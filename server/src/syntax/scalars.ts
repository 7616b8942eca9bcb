import type { ScalarNode, Span } from './tree';

/** Interpolations of OmegaConf and shells, Kubernetes variables, Helm and Jinja templates. */
const INTERPOLATION = /\$\{[^}]*\}|\$\([A-Za-z_][A-Za-z0-9_]*\)|\{\{.*?\}\}|(?:^|[\s=,:/])\$[A-Za-z_][A-Za-z0-9_]*/;

/** True when a text holds something that only another tool can fill in. */
export function isInterpolated(text: string): boolean {
  return (text.includes('$') || text.includes('{{')) && INTERPOLATION.test(text);
}

/** A scalar with its source text. Only strings can be interpolated. */
export function scalar(value: ScalarNode['value'], raw: string, span: Span): ScalarNode {
  return {
    kind: 'scalar',
    value,
    raw,
    span,
    unresolved: typeof value === 'string' && (isInterpolated(value) || isInterpolated(raw)),
  };
}

const INTEGER = /^[-+]?\d+$/;

/** A number as written: integers that a double cannot hold stay exact. */
export function exactNumber(value: number, raw: string): number | bigint {
  if (Number.isSafeInteger(value) || !INTEGER.test(raw) || raw.length > 400) return value;
  return BigInt(raw.startsWith('+') ? raw.slice(1) : raw);
}
