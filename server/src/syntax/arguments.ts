import { isInterpolated, scalar } from './scalars';
import { placeText, type PlacedText } from './scalar-text';
import { splitShell, type Command, type Word } from './shell-words';
import type { Comment, ConfigNode, ConfigTree, Entry, MapNode, ScalarNode, Span } from './tree';

/**
 * How many words an option takes, where the reader knows: without it, whatever follows up to the next option is its value. A `switch` takes
 * none, but a `true` or `false` behind it is kept, for a word to be said about it.
 */
export type Arity = (name: string) => 'flag' | 'switch' | 'one' | 'many' | undefined;

const UNKNOWN: Arity = () => undefined;
/** `--name`, `-tp`, `-O3`, but not `-1` and not `-`. As argparse sees it: `_negative_number_matcher`. */
const OPTION = /^--?(?!\d+$|\d*\.\d+$)[A-Za-z0-9]/;
const NUMBER = /^[-+]?(?:\d+|\d+\.\d*|\.\d+|\d+(?:\.\d*)?[eE][-+]?\d+)$/;
/** A list item that holds an option and its value, as container specs often have it. */
const SEVERAL = /^--?[A-Za-z][\w.-]*[ \t]+\S/;
/** `bash -c`, `sh -lc`: the next item of the list is a script. */
const SCRIPT_FLAG = /^-[a-z]*c$/;

function wordOf({ text, starts, ends }: PlacedText, span: Span): Word {
  return { text, starts, ends, span, unresolved: isInterpolated(text) };
}

/** The item of a list of arguments: numbers and words stand as written. */
function itemText(node: ScalarNode, text: string): PlacedText {
  return placeText(typeof node.value === 'string' ? node : { ...node, value: node.raw }, text);
}

/** A scalar as one word, such as the value of an environment variable. */
export function wordOfScalar(node: ScalarNode, text: string): Word {
  const word = wordOf(itemText(node, text), node.span);
  const unresolved = word.unresolved || node.unresolved;
  return { ...word, unresolved, ...(node.definition === undefined ? {} : { definition: node.definition }) };
}

function commandsOfList(items: readonly ConfigNode[], text: string): Command[] {
  const commands: Word[][] = [[]];
  let isScript = false;
  for (const item of items) {
    if (item.kind !== 'scalar' || item.value === null) continue;
    const placed = itemText(item, text);
    if (isScript || SEVERAL.test(placed.text)) {
      const [first = [], ...rest] = splitShell(placed);
      if (isScript) commands.push([...first]);
      else commands.at(-1)?.push(...first);
      commands.push(...rest.map((command) => [...command]));
    } else commands.at(-1)?.push(wordOf(placed, item.definition ?? item.span));
    isScript = SCRIPT_FLAG.test(placed.text);
  }
  return commands.filter(({ length }) => length > 0);
}

/**
 * The commands that a string or a list of strings spells. A string is cut as a shell cuts it; the items of a list are words as they
 * are, but for `bash -c` scripts and items that hold an option with its value.
 */
export function splitCommands(node: ConfigNode, text: string): Command[] {
  if (node.kind === 'list') return commandsOfList(node.items, text);
  return node.kind === 'scalar' && node.value !== null ? splitShell(itemText(node, text)) : [];
}

/** Without the signs that a shell or YAML takes away. */
function bare(text: string): string {
  return text.replace(/['"\\\s]/g, '');
}

/** Part of a word as a scalar. argparse turns text into numbers by itself, so quotes around digits change nothing. */
function scalarOf(word: Word, text: string, from = 0): ScalarNode {
  const value = word.text.slice(from);
  const inner = { start: word.starts[from] ?? word.span.end, end: word.ends.at(-1) ?? word.span.end };
  // Quotes around a value belong to the word: who replaces the value keeps them. With escapes inside the quotes say how to read it.
  const plain = from > 0 || word.definition !== undefined || text.slice(inner.start, inner.end) === value;
  const start = plain && word.starts.length > from ? inner.start : word.span.start;
  const span = { start, end: Math.max(start, plain ? inner.end : word.span.end) };
  const typed = NUMBER.test(value) && Number.isSafeInteger(Math.trunc(Number(value))) ? Number(value) : value;
  const { definition } = word;
  const shown = text.slice(span.start, span.end);
  // What a variable put here is not what stands here.
  const raw = definition === undefined && bare(shown) === bare(value) ? shown : value;
  return {
    ...scalar(typed, raw, span),
    unresolved: word.unresolved,
    ...(definition === undefined ? {} : { definition }),
  };
}

function listOf(words: readonly Word[], text: string, at: Span): ConfigNode {
  const [first, ...more] = words;
  if (first === undefined) return { ...scalar(true, '', { start: at.end, end: at.end }) };
  if (more.length === 0) return scalarOf(first, text);
  const span = { start: first.span.start, end: more.at(-1)?.span.end ?? first.span.end };
  return { kind: 'list', span, items: words.map((word) => scalarOf(word, text)) };
}

function optionOf(word: Word, values: readonly Word[], text: string): Entry {
  const dashes = word.text.startsWith('--') ? 2 : 1;
  const equals = word.text.indexOf('=');
  if (equals < 0) return { key: word.text.slice(dashes), keySpan: word.span, value: listOf(values, text, word.span) };
  const end = word.ends[equals - 1] ?? word.span.end;
  return {
    key: word.text.slice(dashes, equals),
    keySpan: { start: word.span.start, end },
    value: scalarOf(word, text, equals + 1),
  };
}

/** How many of the words after option `index` are its values. */
function valueCount(words: readonly Word[], index: number, arity: Arity): number {
  const { text } = words[index] ?? { text: '' };
  if (text.includes('=')) return 0;
  const takes = arity(text.replace(/^--?/, ''));
  if (takes === 'flag') return 0;
  if (takes === 'switch') return /^(?:true|false)$/i.test(words[index + 1]?.text ?? '') ? 1 : 0;
  let count = 0;
  for (const { text: next } of words.slice(index + 1)) {
    if (next === '--' || OPTION.test(next)) break;
    count += 1;
  }
  return takes === 'one' ? Math.min(1, count) : count;
}

/** Options of one command: names without their dashes, the last of a repeated one, `true` for a flag without a value. */
export function optionsOf(words: readonly Word[], text: string, arity: Arity = UNKNOWN): Entry[] {
  const options = new Map<string, Entry>();
  for (let index = 0; index < words.length; index += 1) {
    const word = words[index];
    if (word === undefined || word.text === '--') break;
    // A template in the name leaves open which option it is.
    if (!OPTION.test(word.text) || /\{\{|\$/.test(word.text.split('=')[0] ?? '')) continue;
    const count = valueCount(words, index, arity);
    const entry = optionOf(word, words.slice(index + 1, index + 1 + count), text);
    options.delete(entry.key);
    options.set(entry.key, entry);
    index += count;
  }
  return [...options.values()];
}

/** The options of a string or a list of strings as a map; every place points into `text`. */
export function parseArguments(node: ConfigNode, text: string, arity: Arity = UNKNOWN): MapNode {
  const entries = new Map<string, Entry>();
  for (const command of splitCommands(node, text)) {
    for (const entry of optionsOf(command, text, arity)) entries.set(entry.key, entry);
  }
  return { kind: 'map', span: node.definition ?? node.span, entries: [...entries.values()] };
}

/** A whole document of shell text: a launch script. */
export function parseShellText(text: string): ConfigTree {
  const span = { start: 0, end: text.length };
  const starts = Array.from({ length: text.length }, (_, index) => index);
  const commands = splitShell({ text, starts, ends: starts.map((start) => start + 1) });
  const entries = new Map<string, Entry>();
  for (const command of commands) for (const entry of optionsOf(command, text)) entries.set(entry.key, entry);
  const root: MapNode = { kind: 'map', span, entries: [...entries.values()] };
  return { language: 'arguments', text, documents: [root], comments: commentsOf(text), issues: [] };
}

/** Lines that are comments and nothing else, the first line's `#!` aside. */
function commentsOf(text: string): Comment[] {
  return [...text.matchAll(/^[ \t]*(#(?!!).*)$/gm)].map((match) => {
    const [all, body = ''] = match;
    const end = match.index + all.length;
    return { text: body.replace(/^#+/, '').trim(), span: { start: end - body.length, end } };
  });
}
