import { ParseError, parseTOML, type AST } from 'toml-eslint-parser';
import { exactNumber, scalar } from './scalars';
import type { Comment, ConfigNode, ConfigTree, Entry, Span, SyntaxIssue } from './tree';

/** A table under construction: TOML may return to it from several headers. */
interface Table {
  span: Span;
  readonly entries: Map<string, { readonly keySpan: Span; value: ConfigNode | Table | Table[] }>;
}

const RETRIES = 8;

function spanOf(node: { readonly range: readonly [number, number] }): Span {
  return { start: node.range[0], end: node.range[1] };
}

function newTable(span: Span): Table {
  return { span, entries: new Map() };
}

function isTable(value: ConfigNode | Table | Table[]): value is Table {
  return !Array.isArray(value) && !('kind' in value);
}

/** Walks to a table, making the ones that are missing; through arrays of tables it means their last one. */
function descend(from: Table, keys: readonly (AST.TOMLBare | AST.TOMLQuoted)[], spans: readonly Span[]): Table {
  let table = from;
  keys.forEach((key, index) => {
    const name = nameOf(key);
    const span = spans[index] ?? table.span;
    const found = table.entries.get(name)?.value;
    if (Array.isArray(found)) table = found.at(-1) ?? table;
    else if (found !== undefined && isTable(found)) table = found;
    else {
      const made = newTable(span);
      table.entries.set(name, { keySpan: span, value: made });
      table = made;
    }
  });
  return table;
}

function nameOf(key: AST.TOMLBare | AST.TOMLQuoted): string {
  return key.type === 'TOMLBare' ? key.name : key.value;
}

function convertValue(node: AST.TOMLContentNode, text: string): ConfigNode {
  const span = spanOf(node);
  if (node.type === 'TOMLArray')
    return { kind: 'list', span, items: node.elements.map((element) => convertValue(element, text)) };
  if (node.type === 'TOMLInlineTable') {
    const table = newTable(span);
    for (const pair of node.body) assign(table, pair, text);
    return freeze(table);
  }
  const raw = text.slice(span.start, span.end);
  if (node.kind === 'integer') return scalar(exactNumber(Number(node.value), raw.replaceAll('_', '')), raw, span);
  if (node.kind === 'float' || node.kind === 'boolean')
    return scalar(Number.isNaN(node.value) ? raw : node.value, raw, span);
  return scalar(node.kind === 'string' ? node.value : raw, raw, span);
}

function assign(table: Table, pair: AST.TOMLKeyValue, text: string): void {
  const { keys } = pair.key;
  const last = keys.at(-1);
  if (last === undefined) return;
  const parents = keys.slice(0, -1);
  descend(table, parents, parents.map(spanOf)).entries.set(nameOf(last), {
    keySpan: spanOf(last),
    value: convertValue(pair.value, text),
  });
}

function openTable(root: Table, node: AST.TOMLTable): Table {
  const { keys } = node.key;
  const spans = keys.map(spanOf);
  if (node.kind !== 'array') {
    const table = descend(root, keys, spans);
    table.span = spanOf(node);
    return table;
  }
  const parent = descend(root, keys.slice(0, -1), spans);
  const last = keys.at(-1);
  const table = newTable(spanOf(node));
  if (last === undefined) return table;
  const found = parent.entries.get(nameOf(last))?.value;
  if (Array.isArray(found)) found.push(table);
  else parent.entries.set(nameOf(last), { keySpan: spanOf(last), value: [table] });
  return table;
}

function freeze(table: Table): ConfigNode {
  const entries = [...table.entries].map(([key, { keySpan, value }]): Entry => ({
    key,
    keySpan,
    value: freezeValue(value),
  }));
  return { kind: 'map', span: table.span, entries };
}

function freezeValue(value: ConfigNode | Table | Table[]): ConfigNode {
  if (Array.isArray(value)) {
    const items = value.map(freeze);
    const span = { start: items[0]?.span.start ?? 0, end: items.at(-1)?.span.end ?? 0 };
    return { kind: 'list', span, items };
  }
  return isTable(value) ? freeze(value) : value;
}

function blankLine(text: string, index: number): { readonly text: string; readonly span: Span } {
  // A value that is missing is noticed only where the next line begins.
  const before = /=[ \t]*\r?\n[ \t]*$/.exec(text.slice(0, index));
  const at = before?.index ?? Math.min(index, Math.max(0, text.length - 1));
  const start = text.lastIndexOf('\n', at - 1) + 1;
  const end = text.indexOf('\n', at);
  const stop = end < 0 ? text.length : end;
  return {
    text: text.slice(0, start) + ' '.repeat(stop - start) + text.slice(stop),
    span: { start, end: Math.max(stop, start + 1) },
  };
}

/** The parser stops at its first fault; faulty lines are blanked one by one, so that the rest can still be read. */
function parseLeniently(text: string, issues: SyntaxIssue[]): AST.TOMLProgram | undefined {
  let source = text;
  for (let attempt = 0; attempt < RETRIES; attempt += 1) {
    try {
      return parseTOML(source);
    } catch (error) {
      if (!(error instanceof ParseError)) throw error;
      const blanked = blankLine(source, error.index);
      issues.push({ code: 'syntax', message: `${error.message.replace(/\.?$/, '.')}`, span: blanked.span });
      if (blanked.text === source) return undefined;
      source = blanked.text;
    }
  }
  return undefined;
}

/** Parses TOML; several faulty lines cost only themselves. */
export function parseToml(text: string): ConfigTree {
  const issues: SyntaxIssue[] = [];
  const program = parseLeniently(text, issues);
  if (program === undefined) return { language: 'toml', text, documents: [], comments: [], issues };
  const root = newTable({ start: 0, end: text.length });
  for (const node of program.body[0].body) {
    if (node.type === 'TOMLKeyValue') {
      assign(root, node, text);
      continue;
    }
    const table = openTable(root, node);
    for (const pair of node.body) assign(table, pair, text);
  }
  const comments = program.comments.map((comment): Comment => ({ text: comment.value.trim(), span: spanOf(comment) }));
  return { language: 'toml', text, documents: [freeze(root)], comments, issues };
}
