import type { SyntaxIssue } from './tree';

/** Larger files are declined: no config of a real job comes near, and an answer must come within a second. */
export const MAX_CHARACTERS = 2 * 1024 * 1024;
/** Deepest bracket nesting that is parsed; parsers recurse, and the stack must hold. */
const MAX_NESTING = 200;

const CONFLICT = /^(?:<{7}|={7}|>{7})(?:[ \t].*)?$/m;

function deepestBracket(text: string): { readonly depth: number; readonly at: number } {
  let depth = 0;
  let deepest = 0;
  let at = 0;
  for (let i = 0; i < text.length; i += 1) {
    const code = text.charCodeAt(i);
    if (code === 91 || code === 123) {
      depth += 1;
      if (depth > deepest) {
        deepest = depth;
        at = i;
      }
    } else if ((code === 93 || code === 125) && depth > 0) depth -= 1;
  }
  return { depth: deepest, at };
}

/** Why a text must not be parsed at all: binary, too large, half-merged or nested beyond reason. */
export function refuseText(text: string): SyntaxIssue | undefined {
  const whole = { start: 0, end: Math.min(text.length, 1) };
  if (text.length > MAX_CHARACTERS) {
    return {
      code: 'too-large',
      message: `The file has ${text.length} characters; files above ${MAX_CHARACTERS} are not analysed.`,
      span: whole,
    };
  }
  const nul = text.indexOf('\0');
  if (nul >= 0)
    return {
      code: 'binary',
      message: 'The file holds NUL characters, so it is not a text config.',
      span: { start: nul, end: nul + 1 },
    };
  const conflict = text.includes('<<<<<<<') ? CONFLICT.exec(text) : null;
  if (conflict !== null) {
    const span = { start: conflict.index, end: conflict.index + conflict[0].length };
    return {
      code: 'merge-conflict',
      message: 'The file holds an unresolved merge conflict; it is analysed once the conflict is settled.',
      span,
    };
  }
  const { depth, at } = deepestBracket(text);
  if (depth > MAX_NESTING) {
    return {
      code: 'too-deep',
      message: `Brackets are nested ${depth} deep; at most ${MAX_NESTING} levels are analysed.`,
      span: { start: at, end: at + 1 },
    };
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
