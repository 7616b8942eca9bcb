import type { PlacedText } from './scalar-text';
import type { Span } from './tree';

/** One word of a command line, quotes and backslashes taken out. */
export interface Word {
  readonly text: string;
  /** From its first to its last character in the document, quotes included. */
  readonly span: Span;
  /** Places of the characters of `text`. */
  readonly starts: readonly number[];
  readonly ends: readonly number[];
  /** True when the shell, Kubernetes or a template fills part of it in. */
  readonly unresolved: boolean;
  /** Where the value was written, when a variable brought it here. */
  readonly definition?: Span;
}

/** Words up to the next `;`, `|`, `&` or line end: what one program is started with. */
export type Command = readonly Word[];

interface Reading {
  readonly source: PlacedText;
  at: number;
  text: string;
  starts: number[];
  ends: number[];
  first: number;
  begun: boolean;
  unresolved: boolean;
  /** Between the parentheses of `NAME=( … )`, where line ends are blanks. */
  inArray: boolean;
  /** Ends of here-documents that begin at the next line. */
  heredocs: string[];
}

/** More than any substitution holds: what has not ended by then never does. */
const LONGEST = 4096;

/** `$( … )` and `${ … }` with what is nested inside; one that never ends reaches to the end of its line. */
function substitutionLength(text: string, at: number): number {
  const opens = text[at + 1] ?? '';
  const closes = opens === '(' ? ')' : '}';
  const end = Math.min(text.length, at + LONGEST);
  let depth = 0;
  for (let i = at + 1; i < end; i += 1) {
    if (text[i] === opens) depth += 1;
    else if (text[i] === closes) depth -= 1;
    if (depth === 0) return i + 1 - at;
  }
  const line = text.indexOf('\n', at);
  return (line < 0 || line > end ? end : line) - at;
}

/** Variables, command substitution and templates, where they begin at `at`: the length of what is filled in. */
function expansionLength(text: string, at: number): number {
  if (text.startsWith('{{', at)) return (/^\{\{.*?\}\}/s.exec(text.slice(at))?.[0] ?? '{{').length;
  if (text[at] === '`') return (/^`[^`]*`?/.exec(text.slice(at))?.[0] ?? '`').length;
  if (text[at] !== '$') return 0;
  if (text[at + 1] === '{' || (text[at + 1] === '(' && text[at + 2] !== '(')) return substitutionLength(text, at);
  const rest = text.slice(at, at + 1024);
  return (/^\$(?:\(\([^)]*\)\)|\(|[A-Za-z_][A-Za-z0-9_]*|[0-9@*#?])/.exec(rest)?.[0] ?? '').length;
}

function take(reading: Reading, index: number, length = 1): void {
  const { source } = reading;
  for (let i = index; i < index + length && i < source.text.length; i += 1) {
    reading.text += source.text[i] ?? '';
    reading.starts.push(source.starts[i] ?? 0);
    reading.ends.push(source.ends[i] ?? 0);
  }
}

function begin(reading: Reading): void {
  if (reading.begun) return;
  reading.begun = true;
  reading.first = reading.at;
}

function takeSingleQuoted(reading: Reading): void {
  const { text } = reading.source;
  const close = text.indexOf("'", reading.at + 1);
  const end = close < 0 ? text.length : close;
  take(reading, reading.at + 1, end - reading.at - 1);
  // Kubernetes and templates look into single quotes too.
  if (/\$\(|\{\{/.test(text.slice(reading.at, end))) reading.unresolved = true;
  reading.at = end + 1;
}

function takeDoubleQuoted(reading: Reading): void {
  const { text } = reading.source;
  reading.at += 1;
  while (reading.at < text.length && text[reading.at] !== '"') {
    const length = expansionLength(text, reading.at);
    if (length > 0) reading.unresolved = true;
    if (text[reading.at] === '\\' && '"\\$`\n'.includes(text[reading.at + 1] ?? ' ')) {
      if (text[reading.at + 1] !== '\n') take(reading, reading.at + 1);
      reading.at += 2;
    } else {
      take(reading, reading.at, Math.max(1, length));
      reading.at += Math.max(1, length);
    }
  }
  reading.at += 1;
}

function finish(reading: Reading, words: Word[]): void {
  if (!reading.begun) return;
  const { source, first, at, text, starts, ends, unresolved } = reading;
  const last = Math.max(first, Math.min(at, source.text.length) - 1);
  const start = source.starts[first] ?? 0;
  // A quote that runs over lines and holds no JSON began or ended somewhere else than it seems: nothing is known of the word.
  const astray = text.includes('\n') && !/^\s*[{[]/.test(text);
  words.push({
    text,
    starts,
    ends,
    unresolved: unresolved || astray,
    span: { start, end: source.ends[last] ?? start },
  });
  reading.text = '';
  reading.starts = [];
  reading.ends = [];
  reading.begun = false;
  reading.unresolved = false;
}

/** `>`, `2>&`, `&>>`, `<`: what is read from or written to is no argument. */
const REDIRECT = /^(?:&>>?|\d*[<>]+&?)[ \t]*/;

/** Takes one piece of a word; false where the character cannot be part of one. */
function takePiece(reading: Reading): boolean {
  const { text } = reading.source;
  const character = text[reading.at] ?? '';
  if (/[\s;|&<>]/.test(character) || (reading.inArray && character === ')')) return false;
  if (!reading.begun && REDIRECT.test(text.slice(reading.at, reading.at + 8))) return false;
  begin(reading);
  const length = expansionLength(text, reading.at);
  if (character === "'") takeSingleQuoted(reading);
  else if (character === '"') takeDoubleQuoted(reading);
  else if (length > 0) {
    reading.unresolved = true;
    take(reading, reading.at, length);
    reading.at += length;
  } else if (character === '\\') {
    take(reading, reading.at + 1);
    reading.at += 2;
  } else {
    const opens = character === '(' && !reading.inArray && ARRAY.test(reading.text);
    take(reading, reading.at);
    reading.at += 1;
    reading.inArray ||= opens;
    return !opens;
  }
  return true;
}

/** `NAME=` and `NAME+=`, which an opening parenthesis turns into an array. */
const ARRAY = /^[A-Za-z_][A-Za-z0-9_]*\+?=$/;
const HEREDOC = /^<<-?[ \t]*(['"]?)([A-Za-z_][A-Za-z0-9_]*)\1/;

/** Steps over what is no word: blanks, joined lines, comments, redirections. True when a command ends there. */
function stepOver(reading: Reading): boolean {
  const { text } = reading.source;
  const rest = text.slice(reading.at, reading.at + 4096);
  const blank = /^(?:[ \t\r\f\v]|\\\r?\n)+/.exec(rest)?.[0];
  const redirect = REDIRECT.exec(rest)?.[0];
  const heredoc = HEREDOC.exec(rest);
  if (blank !== undefined) reading.at += blank.length;
  else if (reading.inArray) {
    const closes = text[reading.at] === ')';
    // Right behind the parenthesis that opens an array its first word begins.
    if (/[\s;|&<>)]/.test(text[reading.at] ?? ' ')) reading.at += 1;
    reading.inArray = !closes;
    return closes;
  } else if (heredoc !== null) {
    reading.at += heredoc[0].length;
    reading.heredocs.push(heredoc[2] ?? '');
  } else if (redirect !== undefined) {
    reading.at += redirect.length;
    reading.at += /^[^\s;|&<>]*/.exec(text.slice(reading.at, reading.at + 4096))?.[0].length ?? 0;
  } else {
    if (text[reading.at] === '\n' && reading.heredocs.length > 0) skipHeredocs(reading);
    else reading.at += 1;
    return true;
  }
  return false;
}

/** Texts between `<<END` and its end are data, not words; a quote in them must not reach beyond. */
function skipHeredocs(reading: Reading): void {
  const { text } = reading.source;
  for (const end of reading.heredocs) {
    const close = new RegExp(`\\n[ \\t]*${end}[ \\t]*(?=\\r?\\n|$)`, 'g');
    close.lastIndex = reading.at;
    const found = close.exec(text);
    reading.at = found === null ? reading.at + 1 : found.index + found[0].length;
  }
  reading.heredocs = [];
}

/**
 * Cuts a text into commands and words as a POSIX shell would (quoting, escapes, line continuations, comments, `;`, `|`, `&&`),
 * without running or expanding anything. Source of the rules: POSIX.1-2017, Shell Command Language, 2.2 and 2.3.
 */
export function splitShell(source: PlacedText): Command[] {
  const reading: Reading = {
    source,
    at: 0,
    text: '',
    starts: [],
    ends: [],
    first: 0,
    begun: false,
    unresolved: false,
    inArray: false,
    heredocs: [],
  };
  const commands: Word[][] = [[]];
  while (reading.at < source.text.length) {
    const joined = source.text[reading.at] === '\\' && /^\\\r?\n/.test(source.text.slice(reading.at, reading.at + 3));
    if (!joined && source.text[reading.at] === '#' && !reading.begun) {
      const end = source.text.indexOf('\n', reading.at);
      reading.at = end < 0 ? source.text.length : end;
    } else if (joined || !takePiece(reading)) {
      finish(reading, commands.at(-1) ?? []);
      if (stepOver(reading) && commands.at(-1)?.length !== 0) commands.push([]);
    }
  }
  finish(reading, commands.at(-1) ?? []);
  return commands.filter(({ length }) => length > 0);
}
