import type { Span } from './tree';

/** One level of block structure: where its entries begin and end, whole lines each. */
export interface Level {
  readonly kind: 'map' | 'list';
  readonly items: readonly Span[];
}

const KEY = `(?:"(?:[^"\\\\\\r\\n]|\\\\.)*"|'(?:[^'\\r\\n]|'')*'|[A-Za-z0-9_./$(~^=](?:[^:#\\r\\n]|:(?=[^ \\t\\r\\n])|(?<=[^ \\t])#)*)[ \\t]*:(?=[ \\t\\r\\n]|$)`;
const MAP_ITEM = new RegExp(KEY, 'y');
const LIST_ITEM = /-(?=[ \t\r\n]|$)/y;
/** A key alone on its line, comments above it or behind it allowed: what follows is all its own. */
const HEAD = new RegExp(`(?:[ \\t]*(?:#[^\\n]*)?\\n)* *${KEY}[ \\t]*(?:#[^\\n]*)?\\r?\\n`, 'y');

/**
 * Whether entries can be read one by one: anchors and merge keys tie them together, directives and explicit document ends
 * change how everything below is read.
 */
export function isSeparable(text: string): boolean {
  if (/^(?:%|\.\.\.)/m.test(text)) return false;
  if (text.includes('<<') && /<<[ \t]*:/.test(text)) return false;
  return !/[&*]/.test(text) || !/(?:^|[\s,[{:-])[&*][^\s&*]/m.test(text);
}

/** Ranges of the documents between `---` lines; undefined where one of them is empty or begins on such a line. */
export function splitDocuments(text: string): Span[] | undefined {
  const spans: Span[] = [];
  let start = 0;
  const isEmpty = (from: number, to: number): boolean => !/^[ \t]*[^\s#]/m.test(text.slice(from, to));
  for (const match of text.includes('---') ? text.matchAll(/^---([^\n]*)(?:\n|$)/gm) : []) {
    const [line, rest = ''] = match;
    if (/^[^\s]/.test(rest)) continue;
    if (!/^[ \t]*(?:#.*)?\r?$/.test(rest)) return undefined;
    if (!isEmpty(start, match.index)) spans.push({ start, end: match.index });
    else if (start > 0) return undefined;
    start = match.index + line.length;
  }
  if (isEmpty(start, text.length)) return undefined;
  return [...spans, { start, end: text.length }];
}

function matchesAt(pattern: RegExp, text: string, at: number): boolean {
  pattern.lastIndex = at;
  return pattern.test(text);
}

interface Line {
  readonly indent: number;
  /** First character that is no blank. */
  readonly at: number;
  readonly next: number;
}

function lineFrom(text: string, start: number, to: number): Line {
  let at = start;
  while (at < to && text.charCodeAt(at) === 32) at += 1;
  const end = text.indexOf('\n', at);
  return { indent: at - start, at, next: end < 0 || end >= to ? to : end + 1 };
}

/**
 * The entries of the block collection that fills a range of whole lines, `undefined` where it does not look like one.
 * A line that begins no entry belongs to the entry above; comments above the first entry belong to it.
 */
export function splitLevel(text: string, { start: from, end: to }: Span, least: number): Level | undefined {
  const starts: number[] = [];
  let kind: Level['kind'] | undefined;
  let indent = -1;
  for (let start = from; start < to;) {
    const line = lineFrom(text, start, to);
    const code = text.charCodeAt(line.at);
    const isBlank = line.at >= line.next || code === 10 || code === 13 || code === 35;
    if (!isBlank && kind === undefined) {
      if (code === 9) return undefined;
      kind = matchesAt(LIST_ITEM, text, line.at) ? 'list' : 'map';
      indent = line.indent;
      if (indent < least + (kind === 'map' ? 1 : 0) || (kind === 'map' && !matchesAt(MAP_ITEM, text, line.at)))
        return undefined;
      starts.push(from);
    } else if (!isBlank && line.indent === indent && matchesAt(kind === 'list' ? LIST_ITEM : MAP_ITEM, text, line.at)) {
      starts.push(start);
    }
    start = line.next;
  }
  if (kind === undefined) return undefined;
  return { kind, items: starts.map((start, index) => ({ start, end: starts[index + 1] ?? to })) };
}

/** Where the body of an entry begins whose key stands alone on its line, and how far the key is indented. */
export function headOf(
  text: string,
  { start, end }: Span,
): { readonly body: Span; readonly indent: number } | undefined {
  HEAD.lastIndex = start;
  const [head] = HEAD.exec(text) ?? [];
  if (head === undefined || start + head.length >= end) return undefined;
  const lines = head.slice(0, -1).split('\n');
  const key = lines.at(-1) ?? '';
  return { body: { start: start + head.length, end }, indent: key.length - key.trimStart().length };
}
