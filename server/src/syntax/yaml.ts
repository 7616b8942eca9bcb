import { isAlias, isMap, isScalar, isSeq } from 'yaml';
import type { Alias, Node, Pair, Scalar, YAMLMap } from 'yaml';
import { plainValue } from './python-scalars';
import { textOfSource } from './scalar-text';
import { scalar } from './scalars';
import type { ConfigNode, ConfigTree, Entry, MapNode, ScalarNode, Span, SyntaxIssue } from './tree';
import { parseHealing } from './yaml-documents';
import { findComments, isTemplate, maskTemplates } from './yaml-text';

/** Nodes that aliases may bring into one document; beyond it a file is an alias bomb. */
const MAX_ALIASED_NODES = 20_000;
const CORE_TAG = 'tag:yaml.org,2002:';

/** State of one document's conversion: anchors seen so far, their sizes, and how much aliases brought in. */
interface Conversion {
  readonly text: string;
  /** True when the parser was given a text that differs from the document's in some characters. */
  readonly isMasked: boolean;
  /** Undefined while the anchored node itself is being read. */
  readonly anchors: Map<string, { readonly node: ConfigNode; readonly size: number } | undefined>;
  readonly issues: SyntaxIssue[];
  /** Where keys and scalars stand, so that a `#` inside them is no comment. */
  readonly scalars: Span[];
  aliased: number;
  size: number;
}

type Ranged = { readonly range?: readonly [number, number, number] | null | undefined } | null;

function spanOf(node: Ranged, fallback: Span): Span {
  const range = node?.range;
  return range === undefined || range === null ? fallback : { start: range[0], end: Math.max(range[0], range[1]) };
}

/** Quoted and block scalars are text unless a core tag says otherwise. */
function scalarValue({ source, type, tag }: Scalar): ScalarNode['value'] {
  const text = source ?? '';
  if (tag === undefined) return type === 'PLAIN' ? plainValue(text) : text;
  return /:(?:int|float|bool|null)$/.test(tag) && tag.startsWith(CORE_TAG) ? plainValue(text) : text;
}

function convertScalar(node: Scalar, state: Conversion, at: Span): ScalarNode {
  const span = spanOf(node, at);
  if (span.end > span.start) state.scalars.push(span);
  const raw = state.text.slice(span.start, span.end);
  // The parser saw another text of the same length: a template masked, or the lines of a quoted text joined.
  const isMasked = state.isMasked && node.type !== 'PLAIN' ? /\{[{%]|\n/.test(raw) : raw.includes('{{');
  const result = scalar(state.isMasked && isMasked ? textOfSource(raw) : scalarValue(node), raw, span);
  // A tag of another program (`!ENV`, `!include`) makes a value that only that program knows.
  const foreign = node.tag !== undefined && node.tag !== '!' && !node.tag.startsWith(CORE_TAG);
  return foreign ? { ...result, unresolved: true } : result;
}

function unknownAt(span: Span, raw: string): ScalarNode {
  return { kind: 'scalar', value: null, raw, span, unresolved: true };
}

function convertAlias(node: Alias, state: Conversion, at: Span): ConfigNode {
  const span = spanOf(node, at);
  const raw = state.text.slice(span.start, span.end);
  const anchor = state.anchors.get(node.source);
  if (anchor === undefined) {
    const message = state.anchors.has(node.source)
      ? `The alias *${node.source} stands inside its own anchor.`
      : `The alias *${node.source} has no anchor before it.`;
    state.issues.push({ code: 'syntax', message, span });
    return unknownAt(span, raw);
  }
  state.aliased += anchor.size;
  state.size += anchor.size;
  if (state.aliased > MAX_ALIASED_NODES) {
    if (!state.issues.some(({ code }) => code === 'too-many-aliases')) {
      const message = `Aliases expand to more than ${MAX_ALIASED_NODES} nodes; the rest is not analysed.`;
      state.issues.push({ code: 'too-many-aliases', message, span });
    }
    return unknownAt(span, raw);
  }
  return { ...anchor.node, span, definition: anchor.node.definition ?? anchor.node.span };
}

function isMergeKey({ key }: Pair<Node | null, Node | null>): boolean {
  return isScalar(key) && key.value === '<<' && key.type === 'PLAIN' && key.tag === undefined;
}

/** Entries that one merge key brings, the map that wins first; they stand at the alias and were written at the anchor. */
function mergedEntries(value: ConfigNode, state: Conversion): Entry[] {
  const maps = value.kind === 'list' ? value.items : [value];
  return maps.flatMap((map) => {
    if (map.kind !== 'map') {
      const unknown = map.kind === 'scalar' && map.unresolved;
      const message = 'A merge key takes a map, an alias of one, or a list of these.';
      if (!unknown) state.issues.push({ code: 'syntax', message, span: map.span });
      return [];
    }
    return map.entries.map(({ key, value: inner }) => ({
      key,
      keySpan: map.span,
      value: { ...inner, span: map.span, definition: inner.definition ?? inner.span },
    }));
  });
}

/** Block collections have no closing sign: they end where the last thing in them does, not at the lines and comments below. */
function blockSpan({ start, end }: Span, ends: readonly number[]): Span {
  const last = ends.reduce((a, b) => Math.max(a, b), 0);
  return { start, end: last > start ? last : end };
}

/** Keys are kept as written: `on:` and `8:` are the names that a reader sees, whatever type Python gives them. */
function keyText(key: Node | null, state: Conversion): string {
  if (isScalar(key)) return String(key.value ?? '');
  const span = spanOf(key, { start: 0, end: 0 });
  return state.text.slice(span.start, span.end);
}

/**
 * A map with its merge keys applied as PyYAML does it (`SafeConstructor.flatten_mapping`): own keys win wherever they stand,
 * of several maps under one `<<` the first wins, of several `<<` the last.
 */
function convertMap(node: YAMLMap, state: Conversion, at: Span): MapNode {
  const span = spanOf(node, at);
  const own = new Map<string, Entry>();
  const merged: Entry[][] = [];
  for (const pair of node.items as Pair<Node | null, Node | null>[]) {
    const keySpan = spanOf(pair.key, span);
    state.scalars.push(keySpan);
    const value = convert(pair.value, state, { start: keySpan.end, end: keySpan.end });
    if (isMergeKey(pair)) {
      merged.unshift(mergedEntries(value, state));
      continue;
    }
    const key = keyText(pair.key, state);
    if (own.has(key)) {
      const message = `The key ${key} stands twice in this map; the last one counts.`;
      state.issues.push({ code: 'duplicate-key', message, span: keySpan });
      own.delete(key);
    }
    own.set(key, { key, keySpan, value });
  }
  const ends = [...own.values(), ...merged.flat()].map(({ keySpan, value }) => Math.max(keySpan.end, value.span.end));
  for (const entry of merged.flat()) if (!own.has(entry.key)) own.set(entry.key, entry);
  return { kind: 'map', span: node.flow === true ? span : blockSpan(span, ends), entries: [...own.values()] };
}

function convert(node: Node | null, state: Conversion, at: Span): ConfigNode {
  const before = state.size;
  state.size += 1;
  const anchor = node === null || isAlias(node) ? undefined : (node as { readonly anchor?: string }).anchor;
  if (anchor !== undefined) state.anchors.set(anchor, undefined);
  const result = convertNode(node, state, at);
  if (anchor !== undefined) state.anchors.set(anchor, { node: result, size: state.size - before });
  return result;
}

function convertNode(node: Node | null, state: Conversion, at: Span): ConfigNode {
  if (isAlias(node)) return convertAlias(node, state, at);
  if (isMap(node)) return convertMap(node, state, at);
  if (isSeq(node)) {
    const span = spanOf(node, at);
    const end = { start: span.end, end: span.end };
    const items = (node.items as (Node | null)[]).map((item) => convert(item, state, end));
    const ends = items.map((item) => item.span.end);
    return { kind: 'list', span: node.flow === true ? span : blockSpan(span, ends), items };
  }
  return isScalar(node) ? convertScalar(node, state, at) : scalar(null, '', at);
}

/** Parses YAML of one or more documents; anchors, aliases and merge keys are resolved, both places kept. */
export function parseYaml(text: string): ConfigTree {
  const parsed = parseHealing(maskTemplates(text));
  const isMasked = parsed.text !== text;
  const issues: SyntaxIssue[] = [...parsed.issues];
  const scalars: Span[] = [];
  const documents = parsed.documents.flatMap(({ contents }) => {
    const state: Conversion = { text, isMasked, anchors: new Map(), issues, scalars, aliased: 0, size: 0 };
    return contents === null ? [] : [convert(contents as Node, state, { start: 0, end: 0 })];
  });
  // The branches of a template repeat keys that are never there together.
  const kept = isMasked && isTemplate(text) ? issues.filter(({ code }) => code !== 'duplicate-key') : issues;
  return { language: 'yaml', text, documents, comments: findComments(text, scalars), issues: kept };
}
