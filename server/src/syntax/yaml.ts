import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  parseAllDocuments,
  type Alias,
  type Document,
  type Node,
  type Pair,
  type Scalar,
  type Tags,
  type YAMLMap,
} from 'yaml';
import { exactNumber, scalar } from './scalars';
import type { Comment, ConfigNode, ConfigTree, Entry, MapNode, ScalarNode, Span, SyntaxIssue } from './tree';

/** Nodes that aliases may bring in; beyond it a file is an alias bomb. */
const MAX_ALIASED_NODES = 100_000;

/** YAML 1.1 types that no config needs and that would turn text into objects. */
const UNWANTED = /:(?:timestamp|binary|omap|pairs|set)$/;

/** State of one document's conversion: anchors seen so far, their sizes, and how much aliases brought in. */
interface Conversion {
  readonly text: string;
  readonly anchors: Map<string, { readonly node: ConfigNode; readonly size: number } | undefined>;
  readonly issues: SyntaxIssue[];
  readonly scalars: Span[];
  aliased: number;
  size: number;
}

function spanOf(
  node: { readonly range?: readonly [number, number, number] | null | undefined } | null,
  fallback: Span,
): Span {
  const range = node?.range;
  return range === undefined || range === null ? fallback : { start: range[0], end: Math.max(range[0], range[1]) };
}

/**
 * The value as PyYAML would give it, since it is Python that reads these files: `yes/no/on/off` are booleans but `y/n` are not,
 * `0o17`-style octals are text. `1e-5`, which PyYAML leaves as text, is taken as the number that every framework then makes of it.
 */
function scalarValue(node: Scalar): ScalarNode['value'] {
  const { value, source } = node;
  const raw = source ?? '';
  if (typeof value === 'boolean' && /^[yYnN]$/.test(raw)) return raw;
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  if (typeof value === 'number') return exactNumber(value, raw);
  if (typeof value === 'string' || typeof value === 'boolean' || value === null) return value;
  return value === undefined ? null : raw;
}

function convertScalar(node: Scalar, state: Conversion, at: Span): ScalarNode {
  const span = spanOf(node, at);
  state.scalars.push(span);
  return scalar(scalarValue(node), state.text.slice(span.start, span.end), span);
}

function unknownAt(span: Span, raw: string): ScalarNode {
  return { kind: 'scalar', value: null, raw, span, unresolved: true };
}

function convertAlias(node: Alias, state: Conversion, at: Span): ConfigNode {
  const span = spanOf(node, at);
  const raw = state.text.slice(span.start, span.end);
  const anchor = state.anchors.get(node.source);
  if (anchor === undefined) {
    const loops = state.anchors.has(node.source);
    const message = loops
      ? `The alias *${node.source} stands inside its own anchor.`
      : `The alias *${node.source} has no anchor before it.`;
    state.issues.push({ code: 'syntax', message, span });
    return unknownAt(span, raw);
  }
  state.aliased += anchor.size;
  state.size += anchor.size;
  if (state.aliased > MAX_ALIASED_NODES) {
    if (!state.issues.some(({ code }) => code === 'too-many-aliases')) {
      state.issues.push({
        code: 'too-many-aliases',
        message: `Aliases expand to more than ${MAX_ALIASED_NODES} nodes; the rest is not analysed.`,
        span,
      });
    }
    return unknownAt(span, raw);
  }
  return { ...anchor.node, span, definition: anchor.node.definition ?? anchor.node.span };
}

function isMergeKey(pair: Pair): boolean {
  const key = pair.key as Node | null;
  return isScalar(key) && (key.source === '<<' || key.value === '<<') && key.type === 'PLAIN';
}

/** Entries that a merge key brings: nearest definition first, all standing at the alias. */
function mergedEntries(value: ConfigNode): Entry[] {
  const maps = value.kind === 'list' ? value.items : [value];
  return maps.flatMap((map) =>
    map.kind !== 'map'
      ? []
      : map.entries.map((entry) => ({
          key: entry.key,
          keySpan: map.span,
          value: { ...entry.value, span: map.span, definition: entry.value.definition ?? entry.value.span },
        })),
  );
}

function keyText(key: Node | null, state: Conversion): string {
  if (isScalar(key))
    return key.value === null ||
      typeof key.value === 'boolean' ||
      typeof key.value === 'number' ||
      typeof key.value === 'bigint'
      ? (key.source ?? String(key.value))
      : String(key.value);
  const span = spanOf(key, { start: 0, end: 0 });
  return state.text.slice(span.start, span.end);
}

function convertMap(node: YAMLMap, state: Conversion, at: Span): MapNode {
  const span = spanOf(node, at);
  const own = new Map<string, Entry>();
  const merged: Entry[] = [];
  for (const pair of node.items as Pair<Node | null, Node | null>[]) {
    const keySpan = spanOf(pair.key, span);
    state.scalars.push(keySpan);
    const value = convert(pair.value, state, { start: keySpan.end, end: keySpan.end });
    if (isMergeKey(pair)) {
      merged.push(...mergedEntries(value));
      continue;
    }
    const key = keyText(pair.key, state);
    if (own.has(key)) {
      state.issues.push({
        code: 'duplicate-key',
        message: `The key ${key} stands twice in this map; the last one counts.`,
        span: keySpan,
      });
      own.delete(key);
    }
    own.set(key, { key, keySpan, value });
  }
  for (const entry of merged) if (!own.has(entry.key)) own.set(entry.key, entry);
  return { kind: 'map', span, entries: [...own.values()] };
}

function convert(node: Node | null, state: Conversion, at: Span): ConfigNode {
  const before = state.size;
  state.size += 1;
  const anchor = isAlias(node) ? undefined : (node as { anchor?: string } | null)?.anchor;
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
    return {
      kind: 'list',
      span,
      items: (node.items as (Node | null)[]).map((item) => convert(item, state, { start: span.end, end: span.end })),
    };
  }
  return isScalar(node) ? convertScalar(node, state, at) : scalar(null, '', at);
}

/** Comments are what follows a `#` at a word's start outside every scalar; the parser keeps them without places. */
function findComments(text: string, scalars: readonly Span[]): Comment[] {
  if (!text.includes('#')) return [];
  const sorted = [...scalars].sort((a, b) => a.start - b.start);
  const comments: Comment[] = [];
  let next = 0;
  for (const match of text.matchAll(/(^|[ \t])#[^\r\n]*/gm)) {
    const start = match.index + (match[1]?.length ?? 0);
    while (next < sorted.length && (sorted[next]?.end ?? 0) <= start) next += 1;
    const inside = sorted[next];
    if (inside !== undefined && inside.start < start && start < inside.end) continue;
    const end = match.index + match[0].length;
    comments.push({ text: text.slice(start + 1, end).trim(), span: { start, end } });
  }
  return comments;
}

/** Template expressions are replaced by text of the same length, so that places stay and a template is no syntax fault. */
function maskTemplates(text: string): string {
  if (!text.includes('{{')) return text;
  return text
    .replace(
      /^([ \t]*)\{\{[^\n]*\}\}[ \t]*$/gm,
      (line, indent: string) => `${indent}#${' '.repeat(line.length - indent.length - 1)}`,
    )
    .replace(/\{\{[^{}\n]*\}\}/g, (expression) => 'x'.repeat(expression.length));
}

function issuesOf(document: Document.Parsed): SyntaxIssue[] {
  return document.errors.map(({ message, pos }) => ({
    code: 'syntax',
    message: `${message.replace(/\s+at line \d+.*$/s, '').replace(/\.?$/, '.')}`,
    span: { start: pos[0], end: Math.max(pos[0] + 1, pos[1]) },
  }));
}

/** Parses YAML of one or more documents; anchors, aliases and merge keys are resolved, both places kept. */
export function parseYaml(text: string): ConfigTree {
  const parsed = parseAllDocuments(maskTemplates(text), {
    version: '1.1',
    intAsBigInt: true,
    uniqueKeys: false,
    strict: false,
    prettyErrors: false,
    logLevel: 'silent',
    keepSourceTokens: false,
    customTags: (tags: Tags) => tags.filter((tag) => typeof tag === 'string' || !UNWANTED.test(tag.tag)),
  });
  const documents = Array.isArray(parsed) ? (parsed as Document.Parsed[]) : [];
  const issues: SyntaxIssue[] = [];
  const scalars: Span[] = [];
  const roots = documents.flatMap((document) => {
    const state: Conversion = { text, anchors: new Map(), issues, scalars, aliased: 0, size: 0 };
    issues.push(...issuesOf(document));
    const contents = document.contents as Node | null;
    return contents === null ? [] : [convert(contents, state, { start: 0, end: 0 })];
  });
  return { language: 'yaml', text, documents: roots, comments: findComments(text, scalars), issues };
}
