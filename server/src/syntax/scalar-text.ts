import type { ScalarNode } from './tree';

/** A scalar's value with the place of every character in the document: quotes, escapes and indentation taken out. */
export interface PlacedText {
  readonly text: string;
  /** Offsets in the document where character i of `text` begins and ends. */
  readonly starts: readonly number[];
  readonly ends: readonly number[];
}

class Writer {
  text = '';
  readonly starts: number[] = [];
  readonly ends: number[] = [];

  put(characters: string, start: number, end: number): void {
    for (let i = 0; i < characters.length; i += 1) {
      this.starts.push(start);
      this.ends.push(end);
    }
    this.text += characters;
  }

  /** Takes back blanks at the end, which folding drops. */
  trimBlanks(from: number): void {
    let length = this.text.length;
    while (length > from && (this.text[length - 1] === ' ' || this.text[length - 1] === '\t')) length -= 1;
    this.text = this.text.slice(0, length);
    this.starts.length = length;
    this.ends.length = length;
  }
}

const ESCAPES: Readonly<Record<string, string>> = {
  n: '\n',
  t: '\t',
  r: '\r',
  '0': '\0',
  a: '\x07',
  b: '\b',
  e: '\x1b',
  f: '\f',
  v: '\v',
  N: '\x85',
  _: '\xa0',
  L: '\u2028',
  P: '\u2029',
};
const HEX_LENGTH: Readonly<Record<string, number>> = { x: 2, u: 4, U: 8 };

/** Writes one escape of a double-quoted text and tells where it ends. An escaped line end joins the lines. */
function putEscape(source: string, at: number, base: number, out: Writer): number {
  const sign = source[at + 1] ?? '';
  const hex = HEX_LENGTH[sign];
  if (hex !== undefined) {
    const code = Number.parseInt(source.slice(at + 2, at + 2 + hex), 16);
    const end = at + 2 + hex;
    if (code <= 0x10ffff) out.put(String.fromCodePoint(code), base + at, base + end);
    return end;
  }
  if (sign === '\n' || sign === '\r') return at + 1 + (/^\s*/.exec(source.slice(at + 1))?.[0].length ?? 0);
  out.put(ESCAPES[sign] ?? sign, base + at, base + at + 2);
  return at + 2;
}

/** Writes a line end inside a flow scalar: one is a blank, each further one a line end. Gives back the start of the next text. */
function putFold(source: string, at: number, base: number, out: Writer, from: number): number {
  const blank = /^(?:[ \t]*\r?\n)+[ \t]*/.exec(source.slice(at))?.[0] ?? '\n';
  out.trimBlanks(from);
  const breaks = blank.split('\n').length - 1;
  out.put(breaks === 1 ? ' ' : '\n'.repeat(breaks - 1), base + at, base + at + blank.length);
  return at + blank.length;
}

/** Plain and quoted scalars; `from` and `to` enclose what stands between the quotes. */
function placeFlow(source: string, base: number, from: number, to: number, quote: string): Writer {
  const out = new Writer();
  let kept = 0;
  for (let at = from; at < to;) {
    const character = source[at] ?? '';
    if (quote === '"' && character === '\\') {
      at = putEscape(source, at, base, out);
      kept = out.text.length;
    } else if (character === '\n' || character === '\r') at = putFold(source, at, base, out, kept);
    else if (quote === "'" && character === "'" && source[at + 1] === "'") {
      out.put("'", base + at, base + at + 2);
      at += 2;
    } else {
      out.put(character, base + at, base + at + 1);
      at += 1;
    }
  }
  return out;
}

/** TOML's triple-quoted texts keep their line ends; the first one belongs to the quotes. */
function placeMultiline(source: string, base: number, quote: string): Writer {
  const out = new Writer();
  const to = source.length - 3;
  for (let at = /^...\r?\n/.exec(source)?.[0].length ?? 3; at < to;) {
    if (quote === '"' && source[at] === '\\') at = putEscape(source, at, base, out);
    else {
      out.put(source[at] ?? '', base + at, base + at + 1);
      at += 1;
    }
  }
  return out;
}

interface BlockLine {
  readonly text: string;
  readonly start: number;
}

function blockLines(source: string, from: number): BlockLine[] {
  const lines: BlockLine[] = [];
  for (let at = from; at < source.length;) {
    const end = source.indexOf('\n', at);
    const stop = end < 0 ? source.length : end;
    lines.push({ text: source.slice(at, stop).replace(/\r$/, ''), start: at });
    at = stop + 1;
  }
  return lines;
}

/** Line ends at the end of a block scalar: none for `-`, all for `+`, else one. */
function putChomped(source: string, header: string, pending: number, base: number, out: Writer): void {
  const ends = source.endsWith('\n') ? 1 : 0;
  const kept = header.includes('+') ? pending + ends : Math.min(1, ends + pending);
  const end = base + source.length;
  if (!header.includes('-') && (out.text !== '' || header.includes('+'))) out.put('\n'.repeat(kept), end, end);
}

/** Block scalars (`|` and `>`), folded as YAML 1.2 section 8.1 says. */
function placeBlock(source: string, base: number, parentIndent: number): Writer {
  const out = new Writer();
  const [whole = '', style = '', header = ''] = /^([|>])([-+0-9]*)[^\n]*\n?/.exec(source) ?? [];
  const lines = blockLines(source, whole.length);
  const stated = /\d/.exec(header)?.[0];
  const first = lines.find(({ text }) => text.trim() !== '');
  const indent = stated === undefined ? (first?.text.search(/\S/) ?? 0) : parentIndent + Number(stated);
  let wasFolded = false;
  let pending = 0;
  for (const { text, start } of lines) {
    const body = text.slice(indent);
    if (body === '' && text.trim() === '') {
      pending += 1;
      continue;
    }
    const canFold = style === '>' && !/^[ \t]/.test(body);
    const folds = out.text !== '' && canFold && wasFolded;
    const breaks = out.text === '' || (folds && pending > 0) ? pending : pending + 1;
    out.put(folds && pending === 0 ? ' ' : '\n'.repeat(breaks), base + start, base + start);
    for (let i = indent; i < text.length; i += 1) out.put(text[i] ?? '', base + start + i, base + start + i + 1);
    wasFolded = canFold;
    pending = 0;
  }
  putChomped(source, header, pending, base, out);
  return out;
}

function place(source: string, base: number, parentIndent: number): Writer {
  const quote = source[0] ?? '';
  if (/^("""|''')[^]*\1$/.test(source) && source.length >= 6) return placeMultiline(source, base, quote);
  if (quote === '"' || quote === "'") return placeFlow(source, base, 1, source.length - 1, quote);
  if (/^[|>][-+0-9]*[ \t]*(?:#.*)?\r?(?:\n|$)/.test(source)) return placeBlock(source, base, parentIndent);
  return placeFlow(source, base, 0, source.length, '');
}

/** The text that a scalar's source stands for, for sources that were parsed with something else in their place. */
export function textOfSource(source: string): string {
  return place(source, 0, 0).text;
}

function indentOf(text: string, offset: number): number {
  const start = text.lastIndexOf('\n', offset - 1) + 1;
  return /^[ \t]*/.exec(text.slice(start, offset))?.[0].length ?? 0;
}

/**
 * The value of a text scalar with the place of each of its characters. A value that is not written where the node stands
 * (resolved from a reference) is placed whole at the node.
 */
export function placeText(node: ScalarNode, text: string): PlacedText {
  const { start, end } = node.definition ?? node.span;
  const source = text.slice(start, end);
  const placed = place(source, start, indentOf(text, start));
  const value = typeof node.value === 'string' ? node.value : source;
  if (placed.text.trimEnd() === value.trimEnd()) return placed;
  const whole = new Writer();
  whole.put(value, node.span.start, node.span.end);
  return whole;
}
