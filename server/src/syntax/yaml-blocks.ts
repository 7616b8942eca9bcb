import { parseYaml } from './yaml';
import type { Comment, ConfigNode, ConfigTree, Entry, Span, SyntaxIssue } from './tree';
import { headOf, isSeparable, splitDocuments, splitLevel, type Level } from './yaml-split';
import { findComments, isTemplate, maskTemplates } from './yaml-text';

/**
 * What is remembered of the last parse of one document: its pieces by their text. A keystroke changes one piece, so that
 * the others need no parsing. Answers never depend on it, only the time they take.
 */
export interface ParseMemory {
  pieces: ReadonlyMap<string, Placed>;
}

export function createParseMemory(): ParseMemory {
  return { pieces: new Map() };
}

/** What a run of whole lines says. */
interface Piece {
  readonly documents: readonly ConfigNode[];
  readonly comments: readonly Comment[];
  readonly issues: readonly SyntaxIssue[];
}

/** A piece with its places as they are when it begins at `base`. */
interface Placed {
  readonly base: number;
  readonly piece: Piece;
}

/** Entries are read together up to about this many characters, since every start of the parser costs as much as some lines. */
const BATCH = 1024;
/** Entries longer than this are taken apart themselves. */
const LONG = 1536;
/** Entries that may be joined to find the end of a flow collection whose lines begin like keys. */
const MAX_JOINED = 32;

interface Reading {
  readonly text: string;
  readonly masked: string;
  readonly before: ReadonlyMap<string, Placed>;
  readonly after: Map<string, Placed>;
}

function shiftSpan({ start, end }: Span, by: number): Span {
  return { start: start + by, end: end + by };
}

function shiftNode(node: ConfigNode, by: number): ConfigNode {
  const span = shiftSpan(node.span, by);
  if (node.kind === 'scalar') return { ...node, span };
  if (node.kind === 'list') return { ...node, span, items: node.items.map((item) => shiftNode(item, by)) };
  const entries = node.entries.map(({ key, keySpan, value }) => ({
    key,
    keySpan: shiftSpan(keySpan, by),
    value: shiftNode(value, by),
  }));
  return { ...node, span, entries };
}

function shiftPiece({ documents, comments, issues }: Piece, by: number): Piece {
  const shifted = <T extends { readonly span: Span }>(one: T): T => ({ ...one, span: shiftSpan(one.span, by) });
  return {
    documents: documents.map((root) => shiftNode(root, by)),
    comments: comments.map(shifted),
    issues: issues.map(shifted),
  };
}

/**
 * A copy with characters of its own: a part of a string keeps the whole alive, and a piece that outlives many versions of
 * its document would keep one of them.
 */
function detached(text: string): string {
  return ` ${text}`.slice(1);
}

/** Reads one piece, or remembers it; places count from the start of the document. */
function readAt(reading: Reading, { start, end }: Span): Piece {
  const text = reading.text.slice(start, end);
  let key = text;
  let found = reading.before.get(text) ?? reading.after.get(text);
  if (found === undefined) {
    key = detached(text);
    const { documents, comments, issues } = parseYaml(key);
    found = { base: 0, piece: { documents, comments, issues } };
  }
  const piece = found.base === start ? found.piece : shiftPiece(found.piece, start - found.base);
  reading.after.set(key, { base: start, piece });
  return piece;
}

function isClean({ issues }: Piece): boolean {
  return issues.every(({ code }) => code === 'duplicate-key');
}

interface Batch {
  readonly first: number;
  /** Index after the last entry. */
  readonly last: number;
}

/** True for about one entry in eight, by its key. */
function isLandmark(text: string, { start, end }: Span): boolean {
  let hash = 0;
  for (let at = start; at < end && text.charCodeAt(at) !== 58; at += 1)
    hash = (hash * 31 + text.charCodeAt(at)) & 0xffff;
  return hash % 8 === 0;
}

/**
 * Short entries that are read together, long ones alone. Where a batch begins hangs on keys more than on lengths,
 * so that an edit changes the batch it stands in and seldom those below.
 */
function batchesOf(text: string, items: readonly Span[]): Batch[] {
  const result: Batch[] = [];
  let first = 0;
  let length = 0;
  const close = (last: number): void => {
    if (last > first) result.push({ first, last });
    first = last;
    length = 0;
  };
  for (const [index, item] of items.entries()) {
    const own = item.end - item.start;
    if (own > LONG || length > BATCH || isLandmark(text, item)) close(index);
    length += own;
    if (own > LONG) close(index + 1);
  }
  close(items.length);
  return result;
}

function isUnclosed(text: string): boolean {
  return (text.match(/[[{]/g)?.length ?? 0) > (text.match(/[\]}]/g)?.length ?? 0);
}

/** An entry with an open bracket, joined with those below where that closes it: lines of a flow collection may begin like keys. */
function readJoined(
  reading: Reading,
  items: readonly Span[],
  index: number,
): { readonly piece: Piece; readonly next: number } | undefined {
  const { start, end } = items[index] ?? { start: 0, end: 0 };
  if (!isUnclosed(reading.text.slice(start, end))) return undefined;
  for (let count = 2; count <= Math.min(MAX_JOINED, items.length - index); count *= 2) {
    const piece = readAt(reading, { start, end: items[index + count - 1]?.end ?? end });
    if (isClean(piece)) return { piece, next: index + count };
  }
  return undefined;
}

/** Entries one by one, so that a fault costs its own entry only. Gives back the index after the last one read. */
function readSingly(reading: Reading, items: readonly Span[], { first, last }: Batch, pieces: Piece[]): number {
  let index = first;
  while (index < last) {
    const item = items[index];
    if (item === undefined) break;
    const piece = readItem(reading, item);
    const joined = isClean(piece) ? undefined : readJoined(reading, items, index);
    pieces.push(joined?.piece ?? piece);
    index = joined?.next ?? index + 1;
  }
  return index;
}

/** One entry; a long one whose key stands alone on its line is taken apart. */
function readItem(reading: Reading, item: Span): Piece {
  const head = item.end - item.start > LONG ? headOf(reading.masked, item) : undefined;
  const level = head === undefined ? undefined : splitLevel(reading.masked, head.body, head.indent);
  if (head === undefined || level === undefined) return readAt(reading, item);
  const key = readAt(reading, { start: item.start, end: head.body.start });
  const body = readLevel(reading, level);
  const [owner] = key.documents;
  const [value] = body.documents;
  const entry = owner?.kind === 'map' ? owner.entries[0] : undefined;
  if (owner === undefined || entry === undefined || value === undefined || !isClean(key)) return readAt(reading, item);
  const span = { start: owner.span.start, end: value.span.end };
  return {
    documents: [{ kind: 'map', span, entries: [{ ...entry, value }] }],
    comments: [...key.comments, ...body.comments],
    issues: body.issues,
  };
}

function joinEntries(roots: readonly ConfigNode[], issues: SyntaxIssue[]): Entry[] {
  const entries = new Map<string, Entry>();
  for (const root of roots) {
    for (const entry of root.kind === 'map' ? root.entries : []) {
      if (entries.delete(entry.key)) {
        const message = `The key ${entry.key} stands twice in this map; the last one counts.`;
        issues.push({ code: 'duplicate-key', message, span: entry.keySpan });
      }
      entries.set(entry.key, entry);
    }
  }
  return [...entries.values()];
}

/** The collection of one level, put together from its pieces. */
function readLevel(reading: Reading, { kind, items }: Level): Piece {
  const pieces: Piece[] = [];
  let index = 0;
  for (const { first, last } of batchesOf(reading.text, items)) {
    const whole = { start: items[first]?.start ?? 0, end: items[last - 1]?.end ?? 0 };
    const piece = index > first || last - first === 1 ? undefined : readAt(reading, whole);
    if (piece !== undefined && isClean(piece)) {
      pieces.push(piece);
      index = last;
    } else if (index < last) index = readSingly(reading, items, { first: index, last }, pieces);
  }
  const issues = pieces.flatMap((piece) => piece.issues);
  const comments = pieces.flatMap((piece) => piece.comments);
  const roots = pieces.flatMap(({ documents }) => documents.slice(0, 1)).filter((root) => root.kind === kind);
  const [top] = roots;
  if (top === undefined) return { documents: [], comments, issues };
  const span = { start: top.span.start, end: roots.at(-1)?.span.end ?? top.span.end };
  const listed = roots.flatMap((root) => (root.kind === 'list' ? root.items : []));
  const root: ConfigNode =
    kind === 'map' ? { kind, span, entries: joinEntries(roots, issues) } : { kind, span, items: listed };
  return { documents: [root], comments, issues };
}

function commentsIn(text: string, { start, end }: Span): Comment[] {
  return findComments(text.slice(start, end), []).map(({ text: own, span }) => ({
    text: own,
    span: shiftSpan(span, start),
  }));
}

function readDocuments(reading: Reading): Piece {
  const { text, masked } = reading;
  const spans = isSeparable(masked) ? splitDocuments(masked) : undefined;
  if (spans === undefined) return parseYaml(text);
  const pieces = spans.map((span) => {
    const level = splitLevel(masked, span, -1);
    return level === undefined ? readAt(reading, span) : readLevel(reading, level);
  });
  // Between documents there are only their marks and comments.
  const gaps = spans.map(({ start }, index) => commentsIn(text, { start: spans[index - 1]?.end ?? 0, end: start }));
  return {
    documents: pieces.flatMap(({ documents }) => documents),
    comments: pieces.flatMap(({ comments }, index) => [...(gaps[index] ?? []), ...comments]),
    issues: pieces.flatMap(({ issues }) => issues),
  };
}

/**
 * Parses YAML as `parseYaml` does, entry by entry where nothing ties entries together. The parser costs some 25 microseconds a
 * line, so that only what changed since the text before is parsed again; a fault costs its own entry only.
 */
export function parseYamlWith(text: string, memory: ParseMemory): ConfigTree {
  const reading: Reading = { text, masked: maskTemplates(text), before: memory.pieces, after: new Map() };
  const { documents, comments, issues } = readDocuments(reading);
  memory.pieces = reading.after;
  // The branches of a template repeat keys that are never there together.
  const kept = isTemplate(text) ? issues.filter(({ code }) => code !== 'duplicate-key') : issues;
  return { language: 'yaml', text, documents, comments, issues: kept };
}
