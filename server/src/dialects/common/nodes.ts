import type { Place } from '../../plan/plan';
import type { ConfigNode, ConfigTree, Entry, ListNode, MapNode, ScalarNode } from '../../syntax/tree';

/** The first document of a tree when it is a mapping: where every dialect starts to read. */
export function rootMap(tree: ConfigTree): MapNode | undefined {
  const root = tree.documents[0];
  return root?.kind === 'map' ? root : undefined;
}

export function entryOf(node: ConfigNode | undefined, key: string): Entry | undefined {
  return node?.kind === 'map' ? node.entries.find((entry) => entry.key === key) : undefined;
}

export function childOf(node: ConfigNode | undefined, key: string): ConfigNode | undefined {
  return entryOf(node, key)?.value;
}

export function mapOf(node: ConfigNode | undefined, key: string): MapNode | undefined {
  const child = childOf(node, key);
  return child?.kind === 'map' ? child : undefined;
}

export function hasKey(node: ConfigNode | undefined, key: string): boolean {
  return entryOf(node, key) !== undefined;
}

/** Place of an entry: the value, with the key for diagnostics on the key itself. */
export function placeOf(entry: Entry): Place {
  return { span: entry.value.span, keySpan: entry.keySpan };
}

/** Place of the key alone, for findings about its spelling. */
export function keyPlaceOf(entry: Entry): Place {
  return { span: entry.keySpan, keySpan: entry.keySpan };
}

/** True where any part of the value holds an interpolation that this document does not define. */
export function isUnresolved(node: ConfigNode): boolean {
  if (node.kind === 'scalar') return node.unresolved;
  return node.kind === 'list' ? node.items.some(isUnresolved) : node.entries.some(({ value }) => isUnresolved(value));
}

function isPlain(node: ScalarNode): boolean {
  return !/^['"|>]/.test(node.raw);
}

/**
 * A scalar as Python's PyYAML would turn it into text for a command line: `None` for null, `True`/`False` for booleans,
 * the plain text otherwise. YAML 1.1 words such as `yes` and `off` are booleans there.
 */
export function pythonText(node: ScalarNode): string {
  const flag = pythonBoolean(node);
  if (flag !== undefined) return flag ? 'True' : 'False';
  if (node.value === null) return 'None';
  if (typeof node.value === 'string') return node.value;
  // The source text keeps what a number type would lose: 1.0 against 1, 1e-5, very long integers.
  return isPlain(node) ? node.raw.trim() : String(node.value);
}

const YAML_1_1_BOOLEANS: Readonly<Record<string, boolean>> = {
  yes: true,
  on: true,
  true: true,
  no: false,
  off: false,
  false: false,
};

/** The boolean that PyYAML reads, or undefined. Quoted text is never a boolean. */
export function pythonBoolean(node: ScalarNode): boolean | undefined {
  if (typeof node.value === 'boolean') return node.value;
  if (typeof node.value !== 'string' || !isPlain(node)) return undefined;
  const word = node.raw.trim();
  if (![word.toLowerCase(), word.toUpperCase(), word[0]?.toUpperCase() + word.slice(1).toLowerCase()].includes(word))
    return undefined;
  return YAML_1_1_BOOLEANS[word.toLowerCase()];
}

export function isScalar(node: ConfigNode | undefined): node is ScalarNode {
  return node?.kind === 'scalar';
}

export function isList(node: ConfigNode | undefined): node is ListNode {
  return node?.kind === 'list';
}

/** Text of a scalar, of any type; undefined for null, collections and interpolations. */
export function textOf(node: ConfigNode | undefined): string | undefined {
  if (!isScalar(node) || node.unresolved || node.value === null) return undefined;
  return typeof node.value === 'string' ? node.value : String(node.value);
}

/** A finite number, also from quoted digits; undefined otherwise. */
export function numberOf(node: ConfigNode | undefined): number | undefined {
  if (!isScalar(node) || node.unresolved || node.value === null || typeof node.value === 'boolean') return undefined;
  if (typeof node.value === 'string' && !/^\s*[+-]?(\d|\.\d)/.test(node.value)) return undefined;
  const value = Number(typeof node.value === 'string' ? node.value.replaceAll('_', '') : node.value);
  return Number.isFinite(value) ? value : undefined;
}

/** An integer, also from quoted digits; undefined otherwise. One too long to be exact stays as large as it is: what is impossible is said, not ignored. */
export function integerOf(node: ConfigNode | undefined): number | undefined {
  const value = numberOf(node);
  return value !== undefined && Number.isInteger(value) ? value : undefined;
}

export function booleanOf(node: ConfigNode | undefined): boolean | undefined {
  if (!isScalar(node) || node.unresolved) return undefined;
  const flag = pythonBoolean(node);
  if (flag !== undefined || typeof node.value !== 'string') return flag;
  const text = node.value.trim().toLowerCase();
  return text === 'true' ? true : text === 'false' ? false : undefined;
}

/** Texts of a list of scalars, or of one scalar cut at commas and blanks, as command lines take them. */
export function wordsOf(node: ConfigNode | undefined): string[] | undefined {
  if (isList(node)) {
    const words = node.items.map(textOf);
    return words.every((word) => word !== undefined) ? (words as string[]) : undefined;
  }
  const text = textOf(node);
  if (text === undefined) return undefined;
  return text
    .replace(/^\[|\]$/g, '')
    .split(/[\s,]+/)
    .filter((word) => word.length > 0);
}
