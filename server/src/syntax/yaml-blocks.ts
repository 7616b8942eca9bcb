import type { Comment, ConfigNode, ConfigTree, Entry, MapNode, Span, SyntaxIssue } from './tree';
import { parseYaml } from './yaml';

/**
 * What is remembered of the last parse of one document: its blocks by their text. A keystroke changes one block, so that
 * the others need no parsing. Answers never depend on it, only the time they take.
 */
export interface ParseMemory {
  blocks: ReadonlyMap<string, Block>;
}

export function createParseMemory(): ParseMemory {
  return { blocks: new Map() };
}

/** One key of a block map with all that belongs to it, at its place in the document. */
interface Block {
  readonly start: number;
  readonly entries: readonly Entry[];
  readonly span: Span;
  readonly comments: readonly Comment[];
  readonly issues: readonly SyntaxIssue[];
  /** Blocks within a large one by their text, placed as that block's own text counts. */
  readonly parts?: ReadonlyMap<string, Block>;
}

/** Shorter texts are parsed at once: there is nothing to save. */
const LEAST_CHARACTERS = 1500;
/** Blocks longer than this are divided further where their value is a block map. */
const LARGE_BLOCK = 1000;

/** Anchors, aliases, merge keys and templates reach over blocks; directives and lone carriage returns are rare enough. */
const REACHING = /(?:^|[\s,[{(:])[&*][^\s,\]})]|<<|\{\{|\{%|^%|\r(?!\n)|^\uFEFF/m;
const DOCUMENT_MARK = /^(?:---|\.\.\.)(?:[ \t\r]|$)/gm;
const PROLOGUE = /^(?:[ \t]*(?:#[^\n]*)?\r?\n)*(?:---[ \t]*(?:#[^\n]*)?\r?\n)?(?:[ \t]*(?:#[^\n]*)?(?:\r?\n|$))*$/;

/** A key as people write it, at exactly `indent` blanks; anything else at a line's start belongs to the block above. */
function keyLines(indent: number): RegExp {
  const key = `(?:[A-Za-z0-9_$][\\w.$/@-]*|"[^"\\\\\\n]*"|'[^'\\n]*')`;
  return new RegExp(`^ {${indent}}${key}[ \\t]*:(?=[ \\t\\r]|$)`, 'gm');
}

/** Starts of the blocks of `text` at an indentation. */
function blockStarts(text: string, indent: number): number[] {
  return Array.from(text.matchAll(keyLines(indent)), ({ index }) => index);
}

function moveSpan({ start, end }: Span, by: number): Span {
  return { start: start + by, end: end + by };
}

function moveNode(node: ConfigNode, by: number): ConfigNode {
  const place = {
    span: moveSpan(node.span, by),
    ...(node.definition === undefined ? {} : { definition: moveSpan(node.definition, by) }),
  };
  if (node.kind === 'scalar') return { ...node, ...place };
  if (node.kind === 'list') return { ...node, ...place, items: node.items.map((item) => moveNode(item, by)) };
  return { ...node, ...place, entries: node.entries.map((entry) => moveEntry(entry, by)) };
}

function moveEntry({ key, keySpan, value }: Entry, by: number): Entry {
  return { key, keySpan: moveSpan(keySpan, by), value: moveNode(value, by) };
}

function moveBlock(block: Block, start: number): Block {
  const by = start - block.start;
  if (by === 0) return block;
  return {
    ...block,
    start,
    entries: block.entries.map((entry) => moveEntry(entry, by)),
    span: moveSpan(block.span, by),
    comments: block.comments.map(({ text, span }) => ({ text, span: moveSpan(span, by) })),
    issues: block.issues.map((issue) => ({ ...issue, span: moveSpan(issue.span, by) })),
  };
}

/** Blocks of the parse before, those within others included: an edit within a block leaves the parts beside it as they were. */
type Known = (text: string) => Block | undefined;

function knownBlocks(memory: ParseMemory): Known {
  const large = [...memory.blocks.values()].flatMap(({ parts }) => (parts === undefined ? [] : [parts]));
  for (const parts of large) for (const block of parts.values()) if (block.parts !== undefined) large.push(block.parts);
  return (text) => memory.blocks.get(text) ?? large.find((parts) => parts.has(text))?.get(text);
}

/** A fault stays within its block unless an open quote or bracket may reach into the next one. */
function mayReachOut(text: string): boolean {
  return /["'[{]/.test(text);
}

/** A block parsed by itself; undefined where only the whole document can tell what it means. */
function parseWhole(text: string): Block | undefined {
  const { documents, comments, issues } = parseYaml(text);
  const [root] = documents;
  if (documents.length !== 1 || root?.kind !== 'map') return undefined;
  if (issues.length > 0 && mayReachOut(text)) return undefined;
  return { start: 0, entries: root.entries, span: root.span, comments, issues };
}

const HEADER = /^ *[^\n]*?:[ \t]*(?:#[^\n]*)?\r?\n(?:[ \t]*(?:#[^\n]*)?\r?\n)*( +)[^\s#-]/;

/** A large block whose value is a block map, parsed a key at a time; undefined where it is none. */
function parseDivided(text: string, known: Known): Block | undefined {
  const inner = HEADER.exec(text)?.[1]?.length;
  const [outer] = /^ */.exec(text) ?? [''];
  if (inner === undefined || inner <= outer.length) return undefined;
  const starts = blockStarts(text, inner);
  const first = starts[0];
  if (first === undefined || starts.length < 2) return undefined;
  // A line between the two depths fits no map; what it means is for the whole block to tell.
  if (new RegExp(`^ {0,${inner - 1}}[^\\s#]`, 'm').test(text.slice(first))) return undefined;
  const head = parseWhole(text.slice(0, first));
  const [entry] = head?.entries ?? [];
  if (head === undefined || entry === undefined || head.entries.length !== 1) return undefined;
  if (entry.value.kind !== 'scalar' || entry.value.raw !== '' || head.issues.length > 0) return undefined;
  const parts = parseBlocks(text, starts, known);
  const blocks = parts === undefined ? [] : [...parts.values()];
  const map = mapOf(blocks);
  if (parts === undefined || map === undefined) return undefined;
  return {
    start: 0,
    parts,
    entries: [{ ...entry, value: map }],
    span: { start: head.span.start, end: map.span.end },
    comments: [head, ...blocks].flatMap(({ comments }) => comments),
    issues: blocks.flatMap(({ issues }) => issues),
  };
}

/**
 * A copy with characters of its own: a part of a string keeps the whole alive, and a block that outlives many versions of
 * its document would keep one of them.
 */
function detached(text: string): string {
  return ` ${text}`.slice(1);
}

function parseBlock(text: string, known: Known): Block | undefined {
  const found = known(text);
  if (found !== undefined) return found;
  const own = detached(text);
  return (own.length > LARGE_BLOCK ? parseDivided(own, known) : undefined) ?? parseWhole(own);
}

/** The blocks that begin at `starts`, by their text; undefined where one means nothing by itself or stands there twice. */
function parseBlocks(text: string, starts: readonly number[], known: Known): Map<string, Block> | undefined {
  const blocks = new Map<string, Block>();
  for (const [at, start] of starts.entries()) {
    const own = text.slice(start, starts[at + 1] ?? text.length);
    const block = blocks.has(own) ? undefined : parseBlock(own, known);
    if (block === undefined) return undefined;
    blocks.set(own, moveBlock(block, start));
  }
  return blocks;
}

/** The map of consecutive blocks; undefined when a key repeats, which the parser of the whole reports. */
function mapOf(blocks: readonly Block[]): MapNode | undefined {
  const entries = blocks.flatMap((block) => block.entries);
  if (new Set(entries.map(({ key }) => key)).size !== entries.length) return undefined;
  const start = blocks[0]?.span.start ?? 0;
  return { kind: 'map', span: { start, end: blocks.at(-1)?.span.end ?? start }, entries };
}

/** Only comments and the mark of the one document may stand before the first key. */
function prologueComments(text: string): readonly Comment[] | undefined {
  return PROLOGUE.test(text) ? parseYaml(text).comments : undefined;
}

/** The document as one map of blocks, or undefined where blocks cannot be told apart by their lines. */
function parseByBlocks(text: string, memory: ParseMemory): ConfigTree | undefined {
  if (text.length < LEAST_CHARACTERS || REACHING.test(text)) return undefined;
  const starts = blockStarts(text, 0);
  const first = starts[0];
  if (first === undefined) return undefined;
  for (const { index } of text.matchAll(DOCUMENT_MARK)) if (index > first) return undefined;
  const head = prologueComments(text.slice(0, first));
  const parts = head === undefined ? undefined : parseBlocks(text, starts, knownBlocks(memory));
  const blocks = parts === undefined ? [] : [...parts.values()];
  const map = mapOf(blocks);
  if (head === undefined || parts === undefined || map === undefined) return undefined;
  memory.blocks = parts;
  return {
    language: 'yaml',
    text,
    documents: [map],
    comments: [...head, ...blocks.flatMap(({ comments }) => comments)],
    issues: blocks.flatMap(({ issues }) => issues),
  };
}

/** Parses YAML block by block where that gives the same tree, and as a whole everywhere else. */
export function parseYamlWith(text: string, memory: ParseMemory): ConfigTree {
  const tree = parseByBlocks(text, memory);
  if (tree !== undefined) return tree;
  return parseYaml(text);
}
