import { lineAt } from './lines-of-text';
import type { Comment, Span, SyntaxIssue } from './tree';

/** Comments are what follows a `#` at a word's start outside every scalar; the parser keeps them without places. */
export function findComments(text: string, scalars: readonly Span[]): Comment[] {
  if (!text.includes('#')) return [];
  const sorted = [...scalars].sort((a, b) => a.start - b.start);
  const comments: Comment[] = [];
  let next = 0;
  for (const match of text.matchAll(/(^|[ \t])#[^\r\n]*/gm)) {
    const start = match.index + (match[1]?.length ?? 0);
    while (next < sorted.length && (sorted[next]?.end ?? 0) <= start) next += 1;
    const inside = sorted[next];
    if (inside !== undefined && inside.start < start && start < inside.end) continue;
    const end = match.index + match[0].length;
    comments.push({ text: text.slice(start + 1, end).trim(), span: { start, end } });
  }
  return comments;
}

/** Lines of a template that steer it: what stands on both sides of an `else` is never there together. */
const TEMPLATE_LINE = /^([ \t]*)\{[{%][^\r\n]*[}%]\}[ \t]*$/gm;

/** True where a template decides which lines there are. */
export function isTemplate(text: string): boolean {
  return /^[ \t]*\{(?:\{-?|%-?)[ \t]*(?:if|else|end|range|with|for|endif|endfor)\b/m.test(text);
}

/** A block that envsubst puts in: nothing else stands alone at the start of a line in a mapping. */
const SUBSTITUTED_LINE = /^\$\{\w+\}[ \t]*$/gm;

/** Template expressions are replaced by text of the same length, so that places stay and a template is no syntax fault. */
export function maskTemplates(text: string): string {
  if (text.includes('\n${') && !text.includes('{{'))
    return text.replace(SUBSTITUTED_LINE, (line) => `#${' '.repeat(line.length - 1)}`);
  if (!text.includes('{{') && !text.includes('{%')) return text;
  return text
    .replace(TEMPLATE_LINE, (line, indent: string) => `${indent}#${' '.repeat(line.length - indent.length - 1)}`)
    .replace(/\{\{[^{}\r\n]*\}\}/g, (expression) => 'x'.repeat(expression.length));
}

const KEY_LINE = /^[ \t]*(?:- +)?[\w.-]+[ \t]*:(?:[ \t]|\r?$)/;

/**
 * The text with the line ends inside one quoted scalar turned to blanks: PyYAML and Kubernetes take further lines that are indented
 * less than YAML 1.2 asks for. Undefined where the quote is rather still to be closed than closed further down.
 */
export function joinQuoted(text: string, open: number): string | undefined {
  const quote = text.charAt(open);
  const length = (quote === '"' ? /^(?:[^"\\]|\\[^])*/ : /^(?:[^']|'')*/).exec(text.slice(open + 1))?.[0].length ?? 0;
  const close = open + 1 + length;
  if (text.charAt(close) !== quote || !/^[ \t]*(?:#|[,}\]\r\n]|$)/.test(text.slice(close + 1))) return undefined;
  const inside = text.slice(open, close);
  const [, ...further] = inside.split('\n');
  if (further.length === 0 || further.some((line) => KEY_LINE.test(line))) return undefined;
  return text.slice(0, open) + inside.replace(/[\r\n]/g, ' ') + text.slice(close);
}

const HALF_TYPED = /^[ \t]*(?:-[ \t]+)?["']?[A-Za-z_][\w.-]*["']?[ \t]*\r?$/;
const MAX_LINES = 16;

/** Lines under the first faults that hold nothing but one bare word: a key on its way to its colon. */
export function halfTypedLines(text: string, issues: readonly SyntaxIssue[]): Span[] {
  const lines = new Map<number, Span>();
  for (const { span } of issues.slice(0, 4)) {
    for (let at = span.start, count = 0; at <= span.end && count < MAX_LINES; count += 1) {
      const line = lineAt(text, at);
      if (HALF_TYPED.test(text.slice(line.start, line.end))) lines.set(line.start, line);
      at = line.end + 1;
    }
  }
  return [...lines.values()].sort((a, b) => a.start - b.start);
}
