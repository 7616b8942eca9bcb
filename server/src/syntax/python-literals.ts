import { exactInteger } from './scalars';
import type { ScalarNode } from './tree';

type Plain = ScalarNode['value'];

const ESCAPES: Readonly<Record<string, string>> = {
  n: '\n',
  t: '\t',
  r: '\r',
  '\\': '\\',
  "'": "'",
  '"': '"',
  '\n': '',
};

/** Text of a string literal; undefined for bytes and for escapes that need tables. */
export function stringOf(raw: string): string | undefined {
  const found = /^([rRuU]?)('''|"""|'|")([\s\S]*)\2$/.exec(raw);
  if (found === null) return undefined;
  const [, prefix = '', , body = ''] = found;
  if (!body.includes('\\') || /r/i.test(prefix)) return body;
  if (/\\[^ntr\\'"\n]/.test(body.replaceAll('\\\\', ''))) return undefined;
  return body.replace(/\\([\s\S])/g, (whole, sign: string) => ESCAPES[sign] ?? whole);
}

/** An integer or float literal of Python, underscores and prefixes included; undefined for complex numbers. */
export function numberOf(raw: string): number | bigint | undefined {
  const digits = raw.replaceAll('_', '');
  if (/^(?:\d+|0[xX][\da-fA-F]+|0[oO][0-7]+|0[bB][01]+)$/.test(digits)) return exactInteger(digits, false);
  if (!/^(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?$/.test(digits)) return undefined;
  const value = Number(digits);
  return Number.isFinite(value) ? value : undefined;
}

const floored = (a: number, b: number): number => Math.floor(a / b);

const OPERATORS: Readonly<Record<string, (a: number, b: number) => number>> = {
  '+': (a, b) => a + b,
  '-': (a, b) => a - b,
  '*': (a, b) => a * b,
  '/': (a, b) => a / b,
  '//': floored,
  '%': (a, b) => a - b * floored(a, b),
  '**': (a, b) => a ** b,
  '<<': (a, b) => (b < 0 ? Number.NaN : a * 2 ** b),
};

/** Arithmetic on literals where the result is exact enough to be shown; undefined elsewhere, division by zero included. */
export function computed(operator: string, a: Plain, b: Plain): number | string | undefined {
  if (typeof a === 'string' && typeof b === 'string') return operator === '+' ? a + b : undefined;
  if (typeof a !== 'number' || typeof b !== 'number') return undefined;
  const value = OPERATORS[operator]?.(a, b);
  if (value === undefined || !Number.isFinite(value)) return undefined;
  return Number.isInteger(value) && !Number.isSafeInteger(value) ? undefined : value;
}

/** Whether Python takes a value for true; undefined where the comparison cannot be decided. */
export function compared(operator: string, a: Plain, b: Plain): boolean | undefined {
  if (operator === '==' || operator === 'is') return a === b;
  if (operator === '!=' || operator === 'is not') return a !== b;
  if (typeof a !== 'number' || typeof b !== 'number') return undefined;
  if (operator === '<') return a < b;
  if (operator === '>') return a > b;
  if (operator === '<=') return a <= b;
  return operator === '>=' ? a >= b : undefined;
}
