import { exactInteger } from './scalars';
import type { ScalarNode } from './tree';

/*
 * The frameworks read YAML with PyYAML's SafeLoader, so plain scalars mean here what they mean there, not what YAML 1.2 says:
 * `yes/no/on/off` are booleans (`y/n` are text), `017` is octal and `0o17` text, `1:30` is 90, `1_000` is 1000,
 * and a float needs a dot, so `1e-5` is text while `1.0e-5` is a number. Dates stay text: no config computes with them.
 * Source of the patterns: PyYAML lib/yaml/resolver.py (`Resolver.add_implicit_resolver`) and constructor.py
 * (`construct_yaml_int`, `construct_yaml_float`).
 */
const WORDS: Readonly<Record<string, boolean | null>> = {
  yes: true,
  no: false,
  true: true,
  false: false,
  on: true,
  off: false,
  null: null,
  '~': null,
  '': null,
};
const INTEGER = /^[-+]?(?:0b[01_]+|0x[0-9a-fA-F_]+|0[0-7_]+|0|[1-9][0-9_]*(?::[0-5]?[0-9])+|[1-9][0-9_]*)$/;
const FLOAT =
  /^(?:[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+][0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*)$/;
/** First characters of anything that is not text. */
const TYPED = /^(?:[-+.0-9yYnNtTfFoO~]|$)/;

/** The word in one of the three spellings that the resolver knows: lower case, upper case, capitalised. */
function isWordCase(text: string): boolean {
  const lower = text.toLowerCase();
  return text === lower || text === text.toUpperCase() || text === (lower[0] ?? '').toUpperCase() + lower.slice(1);
}

function integerOf(text: string): number | bigint | string {
  const negative = text.startsWith('-');
  const digits = text.replace(/^[-+]/, '').replaceAll('_', '');
  if (digits.includes(':')) {
    const value = digits.split(':').reduce((sum, part) => sum * 60 + Number(part), 0);
    return negative ? -value : value;
  }
  const prefixed = /^0[0-7]+$/.test(digits) ? `0o${digits.slice(1)}` : digits;
  // `0x_` matches the pattern, and Python then fails on it.
  if (/^0[bx]?$/i.test(prefixed) && prefixed !== '0') return text;
  return exactInteger(prefixed, negative) ?? text;
}

function floatOf(text: string): number | string {
  const negative = text.startsWith('-');
  const digits = text.replace(/^[-+]/, '').replaceAll('_', '');
  const value = digits.includes(':')
    ? digits.split(':').reduce((sum, part) => sum * 60 + Number(part), 0)
    : Number(digits);
  return Number.isFinite(value) ? (negative ? -value : value) : text;
}

/** The value of a plain (unquoted) YAML scalar as PyYAML gives it; infinities and NaN stay text, since nothing may compute with them. */
export function plainValue(text: string): ScalarNode['value'] {
  if (!TYPED.test(text)) return text;
  if (text.length <= 5) {
    const word = WORDS[text.toLowerCase()];
    if (word !== undefined && isWordCase(text)) return word;
  }
  if (INTEGER.test(text)) return integerOf(text);
  return FLOAT.test(text) ? floatOf(text) : text;
}
