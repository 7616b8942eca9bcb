import type { Position, Range } from 'vscode-languageserver-types';
import type { Span } from '../syntax/tree';

/** Turns offsets into lines and characters and back; one pass over the text, then logarithmic. */
export interface LineIndex {
  readonly positionAt: (offset: number) => Position;
  readonly offsetAt: (position: Position) => number;
  readonly rangeOf: (span: Span) => Range;
}

/**
 * Index of `text`; `\r\n`, `\n` and `\r` end lines as the Language Server Protocol counts them. Out-of-range values are clamped:
 * a character behind a line's last one means the end of that line, before its line end.
 */
export function indexLines(text: string): LineIndex {
  const starts = [0];
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === 13 && text.charCodeAt(at + 1) === 10) continue;
    if (code === 10 || code === 13) starts.push(at + 1);
  }
  /** Where a line's characters end. */
  const endOf = (line: number): number => {
    let end = starts[line + 1] ?? text.length;
    if (line + 1 >= starts.length) return end;
    if (text.charCodeAt(end - 1) === 10) end -= 1;
    return end > 0 && text.charCodeAt(end - 1) === 13 ? end - 1 : end;
  };
  const positionAt = (offset: number): Position => {
    const clamped = Math.max(0, Math.min(offset, text.length));
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((starts[middle] ?? 0) <= clamped) low = middle;
      else high = middle - 1;
    }
    const start = starts[low] ?? 0;
    return { line: low, character: Math.max(0, Math.min(clamped, endOf(low)) - start) };
  };
  const offsetAt = ({ line, character }: Position): number => {
    if (line < 0) return 0;
    const start = starts[line];
    if (start === undefined) return text.length;
    return Math.min(start + Math.max(0, character), Math.max(start, endOf(line)));
  };
  return { positionAt, offsetAt, rangeOf: (span) => ({ start: positionAt(span.start), end: positionAt(span.end) }) };
}
