import type { Span } from './tree';

/** The line that holds an offset, without its line end. */
export function lineAt(text: string, offset: number): Span {
  const start = offset <= 0 ? 0 : text.lastIndexOf('\n', offset - 1) + 1;
  const end = text.indexOf('\n', offset);
  return { start, end: end < 0 ? text.length : end };
}

/** The text with some lines turned to blanks of the same length. */
export function blankLines(text: string, lines: readonly Span[]): string {
  let at = 0;
  let result = '';
  for (const { start, end } of lines) {
    result += text.slice(at, start) + ' '.repeat(end - start);
    at = end;
  }
  return result + text.slice(at);
}
