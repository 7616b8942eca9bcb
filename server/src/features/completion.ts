import {
  CompletionItemKind,
  InsertTextFormat,
  MarkupKind,
  type CompletionItem,
  type Position,
  type Range,
} from 'vscode-languageserver-types';
import { keyInfo, keysOf, type KeyInfo } from '../dialects/schema';
import { nodeAt } from '../syntax/query';
import type { Analysis } from './analysis';
import { gib } from './format';
import { candidateValues, consequenceOf, type Consequence } from './what-if';
import { planField } from './fields';

/** What stands left of the cursor on its line. */
interface LineContext {
  readonly indent: number;
  readonly key?: string;
  /** Typed part of the word under the cursor, and where it starts. */
  readonly range: Range;
}

function lineContext(analysis: Analysis, position: Position): LineContext {
  const start = analysis.lines.offsetAt({ line: position.line, character: 0 });
  const offset = analysis.lines.offsetAt(position);
  const left = analysis.text.slice(start, offset);
  const indent = left.length - left.trimStart().length;
  const value = /^\s*(?:-\s+)?["']?([A-Za-z0-9_.-]+)["']?\s*[:=]\s*(.*)$/.exec(left);
  const word = value === null ? left.trimStart().replace(/^-\s+/, '') : (value[2] ?? '');
  const range = { start: { line: position.line, character: position.character - word.length }, end: position };
  return { indent, range, ...(value?.[1] === undefined ? {} : { key: value[1] }) };
}

/** Keys of the enclosing map, by indentation: the tree of a half-typed line cannot be trusted, the lines above it can. */
function parentPath(analysis: Analysis, line: number, indent: number): string[] {
  const path: string[] = [];
  let limit = indent;
  const lines = analysis.text.split(/\r\n|\r|\n/, line);
  for (let at = lines.length - 1; at >= 0 && limit > 0; at -= 1) {
    const match = /^(\s*)["']?([A-Za-z0-9_.-]+)["']?\s*:\s*(?:#.*)?$/.exec(lines[at] ?? '');
    const depth = match?.[1]?.length;
    if (depth === undefined || depth >= limit) continue;
    path.unshift(match?.[2] ?? '');
    limit = depth;
  }
  return path;
}

function documentation(info: KeyInfo): Pick<CompletionItem, 'documentation'> {
  const facts = [
    info.doc,
    info.default === undefined ? undefined : `Default: \`${String(info.default)}\`.`,
    info.unit === undefined ? undefined : `Unit: ${info.unit}.`,
  ];
  return {
    documentation: { kind: MarkupKind.Markdown, value: facts.filter((fact) => fact !== undefined).join('\n\n') },
  };
}

function keyItems(analysis: Analysis, dialect: string, path: readonly string[], range: Range): CompletionItem[] {
  const json = analysis.tree.language === 'json';
  const separator = analysis.tree.language === 'toml' ? ' = ' : ': ';
  return keysOf(dialect, path).map((info, index): CompletionItem => {
    const name = json ? `"${info.key}"` : info.key;
    return {
      label: info.key,
      kind: CompletionItemKind.Property,
      sortText: String(index).padStart(4, '0'),
      insertTextFormat: InsertTextFormat.PlainText,
      textEdit: { range, newText: `${name}${separator}` },
      ...(info.type === undefined ? {} : { detail: info.type }),
      ...(info.deprecated === undefined ? {} : { tags: [1 as const] }),
      ...documentation(info),
    };
  });
}

function change(now: number | undefined, then: number): string {
  if (now === undefined) return `${gib(then)} GiB on the fullest rank`;
  const difference = then - now;
  if (Math.abs(difference) < 2 ** 26) return `${gib(then)} GiB, as now`;
  return `${gib(then)} GiB, ${gib(Math.abs(difference))} GiB ${difference < 0 ? 'less' : 'more'}`;
}

function describe(analysis: Analysis, { refusal, memory }: Consequence): string | undefined {
  if (refusal !== undefined) return `refused: ${refusal}`;
  return memory === undefined ? undefined : `→ ${change(analysis.memory?.peak.bytes, memory.peak.bytes)}`;
}

function isPlain(value: unknown): value is string | number | boolean {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
}

/** Legal values of a degree with what each would bring, the present one included; then the values the schema lists. */
function valueItems(analysis: Analysis, info: KeyInfo | undefined, range: Range): CompletionItem[] {
  const { resolved } = analysis;
  const field = info?.planField;
  const candidates = resolved === undefined || field === undefined ? [] : candidateValues(resolved, field);
  const tried =
    resolved === undefined || field === undefined
      ? []
      : candidates.map((value) => consequenceOf(resolved.plan, field, value));
  const listed = (info?.enum ?? (info?.type === 'boolean' ? [true, false] : [])).filter(isPlain);
  const current = resolved === undefined || field === undefined ? undefined : planField(resolved.plan, field)?.value;
  const items = tried
    .filter(({ refusal }) => refusal === undefined)
    .map((consequence, index) => item(consequence.value, index, describe(analysis, consequence)));
  const enums = listed.map((value, index) => {
    const tries =
      field !== undefined &&
      resolved !== undefined &&
      /^(pipeline\.kind|recompute\.granularity|precision\.)/.test(field) &&
      value !== null;
    return item(
      value,
      items.length + index,
      tries ? describe(analysis, consequenceOf(resolved.plan, field, value)) : undefined,
    );
  });
  return [...items, ...enums];

  function item(value: string | number | boolean, index: number, detail: string | undefined): CompletionItem {
    const text = analysis.tree.language === 'yaml' || typeof value !== 'string' ? String(value) : `"${value}"`;
    return {
      label: String(value),
      kind: typeof value === 'number' ? CompletionItemKind.Value : CompletionItemKind.EnumMember,
      sortText: String(index).padStart(4, '0'),
      textEdit: { range, newText: text },
      ...(detail === undefined ? {} : { detail }),
      ...(value === current ? { preselect: true } : {}),
    };
  }
}

/** Keys of the section, or legal values of the key with the consequence of each. Nothing in files that are not ours. */
export function completion(analysis: Analysis, position: Position): CompletionItem[] {
  // Keywords of a call are the business of Python's own language servers.
  if (analysis.dialect === undefined || analysis.tree.language === 'python') return [];
  const context = lineContext(analysis, position);
  const node = nodeAt(analysis.tree, analysis.lines.offsetAt(position));
  const parent =
    analysis.tree.language === 'yaml'
      ? parentPath(analysis, position.line, context.indent)
      : (node?.path.slice(0, -1) ?? []);
  if (context.key === undefined) return keyItems(analysis, analysis.dialect.id, parent, context.range);
  return valueItems(analysis, keyInfo(analysis.dialect.id, [...parent, context.key]), context.range);
}
