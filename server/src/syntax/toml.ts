import { ParseError, parseTOML, type AST } from 'toml-eslint-parser';
import { blankLines, lineAt } from './lines-of-text';
import { scalar } from './scalars';
import type { Comment, ConfigNode, ConfigTree, Entry, Span, SyntaxIssue } from './tree';

/** A table under construction: TOML may return to it from several headers. */
interface Table {
  span: Span;
  readonly entries: Map<string, { readonly keySpan: Span; value: ConfigNode | Table | Table[] }>;
}

/** Faulty lines that are looked for, and characters that are read again for them: a broken file must not cost many parses. */
const MAX_FAULTS = 8;
const MAX_READ = 256 * 1024;

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
  if (node.kind === 'integer') return scalar(Number.isSafeInteger(node.value) ? node.value : node.bigint, raw, span);
  if (node.kind === 'float' || node.kind === 'boolean') return scalar(node.value, raw, span);
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

function parseOnce(source: string): AST.TOMLProgram | ParseError {
  try {
    return parseTOML(source);
  } catch (error) {
    if (error instanceof ParseError) return error;
    throw error;
  }
}

/** How far a parse came. */
function reached(result: AST.TOMLProgram | ParseError): number {
  return result instanceof ParseError ? result.index : Infinity;
}

/** Lines that may be at fault: the one where the parser stopped and, when it stopped at a line's first word, the unfinished one above. */
function suspects(source: string, index: number): Span[] {
  const here = lineAt(source, Math.min(index, source.length));
  const isAtStart = source.slice(here.start, index).trim() === '';
  const above = source.slice(0, here.start).trimEnd().length;
  return isAtStart && above > 0 ? [here, lineAt(source, above - 1)] : [here];
}

/**
 * The parser stops at its first fault; faulty lines are blanked one by one, so that the rest can still be read.
 * Where that does not help, what stands above the first fault is read.
 */
function parseLeniently(text: string, issues: SyntaxIssue[]): AST.TOMLProgram | undefined {
  let source = text;
  let result = parseOnce(source);
  let firstFault = text.length;
  for (let read = 0; result instanceof ParseError && issues.length < MAX_FAULTS && read < MAX_READ;) {
    const { message, index } = result;
    const tries = suspects(source, index).map((line) => {
      const blanked = blankLines(source, [line]);
      return { line, blanked, result: parseOnce(blanked) };
    });
    const best = tries.reduce((a, b) => (reached(b.result) > reached(a.result) ? b : a));
    firstFault = Math.min(firstFault, ...tries.map(({ line }) => line.start));
    const { start, end } = best.line;
    issues.push({ code: 'syntax', message: message.replace(/\.?$/, '.'), span: { start, end: Math.max(end, start) } });
    read += tries.length * Math.max(index, 1024);
    if (best.blanked === source) break;
    source = best.blanked;
    result = best.result;
  }
  if (!(result instanceof ParseError)) return result;
  const above = parseOnce(text.slice(0, firstFault));
  return above instanceof ParseError ? undefined : above;
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
