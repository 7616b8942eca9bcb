import type { ConfigLanguage, ConfigNode, SyntaxIssue } from './tree';

/** Larger files are declined: no config of a real job comes near, and an answer must come within a second. */
export const MAX_CHARACTERS = 2 * 1024 * 1024;
/** Deepest nesting that is analysed; everything that walks a tree recurses, and the stack must hold. */
export const MAX_NESTING = 200;

/** Texts up to this length are parsed without a look at their density: even the densest of them is parsed well within a second. */
const FREE_CHARACTERS = 128 * 1024;
/**
 * Punctuation and line ends that a longer YAML or TOML text may hold. Their parsers take 6 to 10 microseconds and half a kilobyte
 * for each, so this stands for about half a second and 100 MB; the JSON parser is twenty times faster and needs no such limit.
 */
const MAX_MARKS = 60_000;
/** Compact collections (`- - - x`, `? ? x`) that one line may open. */
const MAX_COMPACT = 50;

const CONFLICT = /^(?:<{7}|={7}|>{7})(?:[ \t].*)?$/m;

interface Depth {
  readonly depth: number;
  readonly at: number;
}

/** Index after the quoted text that opens at `from`; texts that a line does not close end with it. */
function skipQuoted(text: string, from: number): number {
  const quote = text.charCodeAt(from);
  for (let i = from + 1; i < text.length; i += 1) {
    const code = text.charCodeAt(i);
    if (code === 92) i += 1;
    else if (code === quote || code === 10) return i;
  }
  return text.length;
}

/** A quote opens a text only where a value can begin; `don't` is a word. */
function opensText(text: string, at: number): boolean {
  return at === 0 || ' \t\n\r[{,:='.includes(text.charAt(at - 1));
}

function deepestBracket(text: string, language: ConfigLanguage): Depth {
  // Parentheses nest in programs; elsewhere they are letters.
  const round = language === 'python';
  let depth = 0;
  let deepest = 0;
  let at = 0;
  for (let i = 0; i < text.length; i += 1) {
    const code = text.charCodeAt(i);
    if (code === 91 || code === 123 || (round && code === 40)) {
      depth += 1;
      if (depth > deepest) {
        deepest = depth;
        at = i;
      }
    } else if ((code === 93 || code === 125 || (round && code === 41)) && depth > 0) depth -= 1;
    else if ((code === 34 || code === 39) && opensText(text, i)) i = skipQuoted(text, i);
  }
  return { depth: deepest, at };
}

/** Nesting by indentation and by compact collections; both make YAML's parser recurse without any bracket. */
function deepestBlock(text: string): Depth {
  const open: number[] = [];
  let deepest = 0;
  let at = 0;
  for (const match of text.matchAll(/^( *)((?:[-?:][ \t]+)*)[^\s#]/gm)) {
    const [whole, indent = '', compact = ''] = match;
    while ((open.at(-1) ?? -1) >= indent.length) open.pop();
    open.push(indent.length);
    const marks = compact.length === 0 ? 0 : compact.split(/[ \t]+/).length - 1;
    const depth = open.length + (marks > MAX_COMPACT ? MAX_NESTING : 0);
    if (depth > deepest) {
      deepest = depth;
      at = match.index + whole.length - 1;
    }
  }
  return { depth: deepest, at };
}

function isDense(text: string): boolean {
  let marks = 0;
  for (let i = 0; i < text.length && marks <= MAX_MARKS; i += 1) {
    const code = text.charCodeAt(i);
    // Everything in ASCII that is neither letter, digit nor blank, and line ends.
    if (
      code < 128 &&
      code !== 32 &&
      !(code > 47 && code < 58) &&
      !(code > 64 && code < 91) &&
      !(code > 96 && code < 123)
    )
      marks += 1;
  }
  return marks > MAX_MARKS;
}

/** Control characters other than line ends, tabs, form feeds and escapes, and what stands where bytes were no UTF-8. */
function isStrange(code: number): boolean {
  return code < 9 || (code > 13 && code < 27) || (code > 27 && code < 32) || code === 0xfffd;
}

function binaryAt(text: string): number {
  const nul = text.indexOf('\0');
  if (nul >= 0) return nul;
  const head = Math.min(text.length, 4096);
  let count = 0;
  let first = -1;
  for (let at = 0; at < head; at += 1) {
    if (!isStrange(text.charCodeAt(at))) continue;
    count += 1;
    if (first < 0) first = at;
  }
  return count > 8 && count > head / 50 ? first : -1;
}

function tooDeep({ depth, at }: Depth): SyntaxIssue {
  const message = `Values are nested ${depth} deep; at most ${MAX_NESTING} levels are analysed.`;
  return { code: 'too-deep', message, span: { start: at, end: at + 1 } };
}

/** Why a text must not be parsed at all: binary, too large, half-merged or nested beyond reason. */
export function refuseText(text: string, language: ConfigLanguage): SyntaxIssue | undefined {
  const whole = { start: 0, end: Math.min(text.length, 1) };
  if (text.length > MAX_CHARACTERS) {
    const message = `The file has ${text.length} characters; files above ${MAX_CHARACTERS} are not analysed.`;
    return { code: 'too-large', message, span: whole };
  }
  const binary = binaryAt(text);
  if (binary >= 0) {
    const message = 'The file holds control characters, so it is not a text config.';
    return { code: 'binary', message, span: { start: binary, end: binary + 1 } };
  }
  const conflict = text.includes('<<<<<<<') ? CONFLICT.exec(text) : null;
  if (conflict !== null) {
    const message = 'The file holds an unresolved merge conflict; it is analysed once the conflict is settled.';
    const span = { start: conflict.index, end: conflict.index + conflict[0].length };
    return { code: 'merge-conflict', message, span };
  }
  if (language !== 'json' && text.length > FREE_CHARACTERS && isDense(text)) {
    const message = `The file holds more than ${MAX_MARKS} lines and punctuation marks; files as large as that are not analysed.`;
    return { code: 'too-large', message, span: whole };
  }
  const bracket = deepestBracket(text, language);
  if (bracket.depth > MAX_NESTING) return tooDeep(bracket);
  const block = language === 'yaml' ? deepestBlock(text) : { depth: 0, at: 0 };
  return block.depth > MAX_NESTING ? tooDeep(block) : undefined;
}

/** Where a parsed tree is nested deeper than anything that walks it could follow; found without recursion. */
export function refuseDepth(root: ConfigNode): SyntaxIssue | undefined {
  const pending: { readonly node: ConfigNode; readonly depth: number }[] = [{ node: root, depth: 0 }];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { node, depth } = next;
    if (node.kind === 'scalar') continue;
    if (depth > MAX_NESTING) return tooDeep({ depth, at: node.span.start });
    if (node.kind === 'list') for (const item of node.items) pending.push({ node: item, depth: depth + 1 });
    else for (const { value } of node.entries) pending.push({ node: value, depth: depth + 1 });
  }
  return undefined;
}

/** Runs a parser that may fail from within; its failure becomes an issue, because callers rely on data alone. */
export function guardParser<T>(run: () => T, fallback: (issue: SyntaxIssue) => T): T {
  try {
    return run();
  } catch (error) {
    const deep = error instanceof RangeError;
    const reason = error instanceof Error ? error.message : String(error);
    return fallback({
      code: deep ? 'too-deep' : 'syntax',
      message: deep ? 'The file is nested too deeply to be analysed.' : `The file could not be parsed: ${reason}.`,
      span: { start: 0, end: 1 },
    });
  }
}
