import { parseTree, printParseErrorCode, visit, type Node, type ParseError } from 'jsonc-parser';
import { exactNumber, scalar } from './scalars';
import type { Comment, ConfigNode, ConfigTree, Entry, SyntaxIssue } from './tree';

/** Python's json module reads NaN and Infinity; they are put in quotes of the same length, so that places stay. */
function maskNonFinite(text: string): string {
  if (!/NaN|Infinity/.test(text)) return text;
  return text.replace(/"(?:[^"\\\n]|\\.)*"|-?\bInfinity\b|\bNaN\b/g, (match) =>
    match.startsWith('"') ? match : `"${' '.repeat(match.length - 2)}"`,
  );
}

/** Text that another tool replaces before anybody parses the file: `${BATCH}`, `{{ batch }}`. */
const HOLE = /^(?:\$\{[^{}\n]*\}|\{\{[^{}\n]*\}\}|\$[A-Za-z_]\w*)$/;
/** The same as a bare word in capitals or with an underscore, which `sed` fills in; DeepSpeed's templates are written so. */
const WORD = /^[A-Z](?:[A-Z0-9_]\w+|\w*_\w+)$/;
const FILLED_BY_SED = /"(?:train_batch_size|train_micro_batch_size_per_gpu|zero_optimization)"/;

/** Two values or more that are words in capitals: nothing that a person or a program writes by mistake. */
const CONSTANTS = /(?:[:[,]\s*[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\s*[,}\]][^]*?){2}/;

/** Holes of a template in quotes of the same length, so that places stay and the rest can be read. */
function maskHoles(text: string): string {
  const words = FILLED_BY_SED.test(text) || CONSTANTS.test(text);
  if (!words && !/[:[,]\s*(?:\$|\{\{)/.test(text)) return text;
  const holes =
    /"(?:[^"\\\n]|\\.)*"|\/\/[^\n]*|\$\{[^{}\n]*\}|\{\{[^{}\n]*\}\}|\$[A-Za-z_]\w*|\b[A-Z](?:[A-Z0-9_]\w+|\w*_\w+)/g;
  return text.replace(holes, (match) =>
    HOLE.test(match) || (words && WORD.test(match)) ? `"${' '.repeat(match.length - 2)}"` : match,
  );
}

/** By the name that jsonc-parser prints for its error code. */
const MESSAGES: Readonly<Record<string, string>> = {
  InvalidSymbol: 'This is not a JSON value',
  InvalidNumberFormat: 'This is not a JSON number',
  PropertyNameExpected: 'A property name in quotes is expected',
  ValueExpected: 'A value is expected',
  ColonExpected: 'A colon is expected',
  CommaExpected: 'A comma is expected',
  CloseBraceExpected: 'A closing brace is expected',
  CloseBracketExpected: 'A closing bracket is expected',
  EndOfFileExpected: 'The document should end here',
  UnexpectedEndOfString: 'A string is not closed',
};

function convertObject(node: Node, text: string, issues: SyntaxIssue[]): ConfigNode {
  const span = { start: node.offset, end: node.offset + node.length };
  const entries = new Map<string, Entry>();
  for (const property of node.children ?? []) {
    const [keyNode, valueNode] = property.children ?? [];
    if (keyNode === undefined) continue;
    const key = String(keyNode.value);
    const keySpan = { start: keyNode.offset, end: keyNode.offset + keyNode.length };
    // A value that is still to be typed stands after its colon.
    const after = property.colonOffset === undefined ? keySpan.end : property.colonOffset + 1;
    const missing = { start: after, end: after };
    if (entries.has(key)) {
      issues.push({
        code: 'duplicate-key',
        message: `The key ${key} stands twice in this object; the last one counts.`,
        span: keySpan,
      });
      entries.delete(key);
    }
    entries.set(key, {
      key,
      keySpan,
      value: valueNode === undefined ? scalar(null, '', missing) : convert(valueNode, text, issues),
    });
  }
  return { kind: 'map', span, entries: [...entries.values()] };
}

function convert(node: Node, text: string, issues: SyntaxIssue[]): ConfigNode {
  const span = { start: node.offset, end: node.offset + node.length };
  if (node.type === 'object') return convertObject(node, text, issues);
  if (node.type === 'array')
    return { kind: 'list', span, items: (node.children ?? []).map((child) => convert(child, text, issues)) };
  const raw = text.slice(span.start, span.end);
  const value: unknown = node.value;
  if (typeof value === 'number') return scalar(exactNumber(value, raw), raw, span);
  if (typeof value === 'boolean' || value === null) return scalar(value, raw, span);
  // What was masked is no string of the file: its source text is what it says.
  if (raw.startsWith('"')) return scalar(String(value), raw, span);
  const hole = HOLE.test(raw) || WORD.test(raw);
  return hole ? { ...scalar(raw, raw, span), unresolved: true } : scalar(raw, raw, span);
}

/** Parses JSON with comments and trailing commas; what Python's reader takes is no fault here. */
export function parseJson(text: string): ConfigTree {
  const masked = maskHoles(maskNonFinite(text));
  const errors: ParseError[] = [];
  const options = { allowTrailingComma: true, disallowComments: false, allowEmptyContent: true };
  const root = parseTree(masked, errors, options);
  const issues: SyntaxIssue[] = errors.map(({ error, offset, length }) => {
    const start = Math.min(offset, text.length);
    const name = printParseErrorCode(error);
    return {
      code: 'syntax',
      message: `${MESSAGES[name] ?? name}.`,
      span: { start, end: Math.max(start, Math.min(text.length, offset + Math.max(1, length))) },
    };
  });
  const comments: Comment[] = [];
  if (text.includes('//') || text.includes('/*')) {
    const onComment = (offset: number, length: number): void => {
      const body = text.slice(offset, offset + length).replace(/^\/[/*]+|\*\/$/g, '');
      comments.push({ text: body.trim(), span: { start: offset, end: offset + length } });
    };
    visit(masked, { onComment }, options);
  }
  return {
    language: 'json',
    text,
    documents: root === undefined ? [] : [convert(root, text, issues)],
    comments,
    issues,
  };
}
