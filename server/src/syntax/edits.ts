import { lineAt } from './lines-of-text';
import { plainValue } from './python-scalars';
import type { ConfigLanguage, ConfigNode, Entry, MapNode, ScalarNode, Span } from './tree';

/** One replacement in the text. Several of one change never overlap. */
export interface SyntaxEdit {
  readonly span: Span;
  readonly newText: string;
}

type Value = ScalarNode['value'];

/** Words that stay the same text without quotes, for PyYAML as well as for YAML 1.2. */
const PLAIN_YAML = /^[A-Za-z_./][A-Za-z0-9_./+-]*(?: [A-Za-z0-9_./+-]+)*$/;
const BARE_TOML = /^[A-Za-z0-9_-]+$/;

function quoted(text: string): string {
  // TOML wants U+007F escaped; JSON and YAML do not mind.
  return JSON.stringify(text).replaceAll('\u007f', '\\u007f');
}

function numberText(value: number, language: ConfigLanguage): string {
  if (!Number.isFinite(value)) return quoted(String(value));
  const text = String(value);
  // PyYAML takes a float for text unless it has a dot: 1e-7 must be 1.0e-7.
  return language === 'yaml' ? text.replace(/^(-?\d+)e/, '$1.0e') : text;
}

/** A value as the language writes it, quoted where it would otherwise mean something else. TOML has no null: its empty text stands for it. */
export function scalarText(value: Value, language: ConfigLanguage): string {
  if (typeof value === 'number') return numberText(value, language);
  if (language === 'python' && (typeof value === 'boolean' || value === null))
    return value === null ? 'None' : value ? 'True' : 'False';
  if (typeof value === 'bigint' || typeof value === 'boolean') return String(value);
  if (value === null) return language === 'toml' ? '""' : 'null';
  if (language === 'yaml' && PLAIN_YAML.test(value) && typeof plainValue(value) === 'string') return value;
  if (language === 'arguments') return /^[\w@%+=:,./-]+$/.test(value) ? value : `'${value.replaceAll("'", "'\\''")}'`;
  return quoted(value);
}

function keyText(key: string, language: ConfigLanguage): string {
  if (language === 'toml') return BARE_TOML.test(key) ? key : quoted(key);
  // An option of a command line is a plain key although it begins with dashes.
  if (language === 'yaml' && /^--[A-Za-z][\w-]*$/.test(key)) return key;
  return language === 'yaml' ? scalarText(key, language) : quoted(key);
}

/** Replaces a value where it stands; an alias gives way to the value. `newText` is source text, see `scalarText`. */
export function replaceValue(node: ConfigNode, newText: string, text: string): SyntaxEdit {
  const { start } = node.span;
  // A block scalar reaches over its line end, which the lines below need.
  const end = start + text.slice(start, node.span.end).replace(/\r?\n$/, '').length;
  const touches = start === end && start > 0 && !/\s/.test(text.charAt(start - 1));
  return { span: { start, end }, newText: touches ? ` ${newText}` : newText };
}

function isOwn({ keySpan, value }: Entry): boolean {
  return keySpan.end <= value.span.start || value.span.start < keySpan.start;
}

function isFlow(node: ConfigNode, text: string): boolean {
  const sign = text.charAt(node.span.start);
  return sign === '{' || (sign === '[' && node.kind === 'list');
}

/** End of the last character that belongs to a value; block collections have no closing sign of their own. */
function endOf(node: ConfigNode, text: string): number {
  if (node.definition !== undefined || node.kind === 'scalar' || isFlow(node, text)) return node.span.end;
  const last =
    node.kind === 'map'
      ? node.entries.filter(isOwn).map(({ value, keySpan }) => Math.max(keySpan.end, endOf(value, text)))
      : node.items.map((item) => endOf(item, text));
  return last.length === 0 ? node.span.end : Math.max(...last);
}

function lineEnd(text: string): string {
  return text.includes('\r\n') ? '\r\n' : '\n';
}

/** A new line under the one that holds `offset` (or under the text that ends there). */
function lineBelow(text: string, offset: number, line: string): SyntaxEdit {
  const eol = lineEnd(text);
  if (offset > 0 && text.charAt(offset - 1) === '\n')
    return { span: { start: offset, end: offset }, newText: line + eol };
  const found = text.indexOf('\n', offset);
  if (found < 0) return { span: { start: text.length, end: text.length }, newText: eol + line };
  return { span: { start: found + 1, end: found + 1 }, newText: line + eol };
}

/** Blanks up to the column of an offset; a list dash counts as a blank. */
function indentAt(text: string, offset: number): string {
  const { start } = lineAt(text, offset);
  return text.slice(start, offset).replace(/[^\t]/g, ' ');
}

function insertInFlow(map: MapNode, pair: string, text: string): SyntaxEdit {
  const last = map.entries.filter(isOwn).at(-1);
  if (last === undefined) {
    const at = map.span.start + 1;
    return { span: { start: at, end: at }, newText: pair };
  }
  const at = Math.max(last.keySpan.end, endOf(last.value, text));
  const { start } = lineAt(text, last.keySpan.start);
  const isAlone = start > map.span.start && text.slice(start, last.keySpan.start).trim() === '';
  const gap = isAlone ? lineEnd(text) + indentAt(text, last.keySpan.start) : ' ';
  return { span: { start: at, end: at }, newText: `,${gap}${pair}` };
}

function insertInBlock(map: MapNode, pair: string, text: string): SyntaxEdit {
  const own = map.entries.filter(isOwn);
  const first =
    own[0]?.keySpan.start ??
    lineAt(text, map.span.start).start +
      (/^[ \t]*/.exec(text.slice(lineAt(text, map.span.start).start))?.[0].length ?? 0);
  const end = own.length === 0 ? map.span.end : endOf(map, text);
  return lineBelow(text, end, indentAt(text, first) + pair);
}

/** Keys of a TOML table stand between its header and the next one; tables below it have headers of their own. */
function insertInTable(map: MapNode, pair: string, text: string): SyntaxEdit | undefined {
  const isRoot = map.span.start === 0 && map.span.end === text.length;
  if (!isRoot && text.charAt(map.span.start) !== '[') return undefined;
  const inside = ({ keySpan }: Entry): boolean => keySpan.start >= map.span.start && keySpan.end <= map.span.end;
  const isLine = ({ keySpan }: Entry): boolean =>
    !text.slice(lineAt(text, keySpan.start).start, keySpan.start).includes('[');
  const last = map.entries.filter((entry) => inside(entry) && isLine(entry)).at(-1);
  if (last !== undefined) {
    const { start } = lineAt(text, last.keySpan.start);
    return lineBelow(text, endOf(last.value, text), (/^[ \t]*/.exec(text.slice(start))?.[0] ?? '') + pair);
  }
  if (!isRoot) return lineBelow(text, lineAt(text, map.span.start).end, pair);
  return { span: { start: 0, end: 0 }, newText: pair + lineEnd(text) };
}

/**
 * Adds a key at the end of a map, indented and spaced like its last entry. Undefined where the language has no place for it:
 * a TOML table that only exists through the tables below it.
 */
export function insertKey(
  map: MapNode,
  key: string,
  value: Value,
  language: ConfigLanguage,
  text: string,
): SyntaxEdit | undefined {
  const pair = `${keyText(key, language)}${language === 'toml' ? ' =' : ':'} ${scalarText(value, language)}`;
  if (isFlow(map, text)) return insertInFlow(map, pair, text);
  if (language === 'toml') return insertInTable(map, pair, text);
  return language === 'yaml' ? insertInBlock(map, pair, text) : undefined;
}

/** Sets a key: its own value is replaced, one that a merge key brought is overridden, a missing one is added. */
export function setValue(
  map: MapNode,
  key: string,
  value: Value,
  language: ConfigLanguage,
  text: string,
): SyntaxEdit | undefined {
  const entry = map.entries.find((candidate) => candidate.key === key);
  if (entry === undefined || !isOwn(entry)) return insertKey(map, key, value, language, text);
  return replaceValue(entry.value, scalarText(value, language), text);
}

/** The whole lines of a span, when nothing else stands on them but a comment behind it. */
function wholeLines(text: string, { start, end }: Span): Span | undefined {
  const from = lineAt(text, start).start;
  if (text.slice(from, start).trim() !== '') return undefined;
  if (end > 0 && text.charAt(end - 1) === '\n') return { start: from, end };
  const line = lineAt(text, end);
  if (!/^[ \t]*(?:(?:#|\/\/).*)?\r?$/.test(text.slice(end, line.end))) return undefined;
  return { start: from, end: Math.min(text.length, line.end + 1) };
}

function cut(text: string, span: Span): SyntaxEdit {
  return { span: wholeLines(text, span) ?? span, newText: '' };
}

/** Blanks and comments between two pieces of flow text. */
const BETWEEN = /^(?:\s|#[^\n]*|\/\/[^\n]*|\/\*[^]*?\*\/)*/;

function removeFromFlow(own: readonly Entry[], index: number, span: Span, text: string): SyntaxEdit[] {
  const after = span.end + (BETWEEN.exec(text.slice(span.end))?.[0].length ?? 0);
  if (text.charAt(after) === ',') {
    const whole = { start: span.start, end: after + 1 };
    const lines = wholeLines(text, whole);
    const blank = /^[ \t]*/.exec(text.slice(whole.end))?.[0].length ?? 0;
    return [{ span: lines ?? { start: whole.start, end: whole.end + blank }, newText: '' }];
  }
  const before = own[index - 1];
  if (before === undefined) return [{ span, newText: '' }];
  // The comma behind the entry above has nothing left to separate.
  const previous = endOf(before.value, text);
  const comma = previous + (BETWEEN.exec(text.slice(previous))?.[0].length ?? 0);
  const lines = wholeLines(text, span);
  if (lines === undefined) return [{ span: { start: previous, end: span.end }, newText: '' }];
  return [
    { span: { start: comma, end: comma + 1 }, newText: '' },
    { span: lines, newText: '' },
  ];
}

/**
 * Removes an entry with its lines; comments of other entries stay. No edit for a key that the map has not of its own,
 * or that is a TOML table with a header.
 */
export function removeEntry(map: MapNode, key: string, language: ConfigLanguage, text: string): SyntaxEdit[] {
  // An argument of a call may be written anywhere in a program; it is changed, never taken out.
  if (language === 'python') return [];
  const own = map.entries.filter(isOwn).sort((a, b) => a.keySpan.start - b.keySpan.start);
  const index = own.findIndex((entry) => entry.key === key);
  const entry = own[index];
  if (entry === undefined) return [];
  const span = { start: entry.keySpan.start, end: Math.max(entry.keySpan.end, endOf(entry.value, text)) };
  if (isFlow(map, text)) return removeFromFlow(own, index, span, text);
  if (language === 'toml') {
    const isHeader = text.slice(lineAt(text, span.start).start, span.start).includes('[');
    return isHeader || entry.value.span.start <= entry.keySpan.start ? [] : [cut(text, span)];
  }
  const before = text.slice(lineAt(text, span.start).start, span.start);
  if (!/^[ \t]*(?:-[ \t]+)*$/.test(before)) return [];
  // What would leave a block without any entry leaves an empty map, not null.
  if (own.length === 1 && map.entries.length === 1) {
    const end = text.charAt(span.end - 1) === '\n' ? span.end - 1 : span.end;
    return [{ span: { start: span.start, end }, newText: '{}' }];
  }
  const next = own[index + 1];
  if (before.includes('-'))
    return next === undefined ? [] : [{ span: { start: span.start, end: next.keySpan.start }, newText: '' }];
  return [cut(text, span)];
}
