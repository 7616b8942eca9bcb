import {
  CodeActionKind,
  type CodeAction,
  type Diagnostic,
  type Range,
  type TextEdit,
} from 'vscode-languageserver-types';
import type { Finding, Fix } from '../plan/finding';
import type { Analysis } from './analysis';
import { rangeOfPlace } from './diagnostics';
import { fitActions } from './fit/actions';
import { switchActions } from './schedule/switch';

/** True where two ranges share a character or touch. */
export function overlaps(a: Range, b: Range): boolean {
  const before = (x: Range, y: Range): boolean =>
    x.end.line < y.start.line || (x.end.line === y.start.line && x.end.character < y.start.character);
  return !before(a, b) && !before(b, a);
}

function toAction(analysis: Analysis, fix: Fix, diagnostic: Diagnostic | undefined): CodeAction {
  const changes: Record<string, TextEdit[]> = {};
  for (const edit of fix.edits) {
    const uri = edit.at.uri ?? analysis.uri;
    (changes[uri] ??= []).push({ range: rangeOfPlace(analysis, edit.at), newText: edit.newText });
  }
  return {
    title: fix.title,
    kind: CodeActionKind.QuickFix,
    edit: { changes },
    ...(fix.preferred === true ? { isPreferred: true } : {}),
    ...(diagnostic === undefined ? {} : { diagnostics: [diagnostic] }),
  };
}

/** A comment that silences one rule in this file, written above the first line; JSON proper has no comments. */
function ignoreAction(analysis: Analysis, finding: Finding, diagnostic: Diagnostic): CodeAction | undefined {
  if (analysis.tree.language === 'json' || finding.rule.startsWith('syntax')) return undefined;
  const start = { line: 0, character: 0 };
  const edit = { range: { start, end: start }, newText: `# shardlens: ignore ${finding.rule}\n` };
  return {
    title: `Ignore ${finding.rule} in this file`,
    kind: CodeActionKind.QuickFix,
    edit: { changes: { [analysis.uri]: [edit] } },
    diagnostics: [diagnostic],
  };
}

/** Fixes for the findings under `range`: exact values first, then the way to silence the rule. */
export function codeActions(analysis: Analysis, range: Range, reported: readonly Diagnostic[]): CodeAction[] {
  const actions: CodeAction[] = [];
  const ignores: CodeAction[] = [];
  for (const finding of analysis.findings) {
    const place = rangeOfPlace(analysis, finding.at);
    if (!overlaps(place, range)) continue;
    const diagnostic = reported.find(({ code, range: at }) => code === finding.rule && overlaps(at, place));
    actions.push(...(finding.fixes ?? []).map((fix) => toAction(analysis, fix, diagnostic)));
    const ignore = diagnostic === undefined ? undefined : ignoreAction(analysis, finding, diagnostic);
    if (ignore !== undefined) ignores.push(ignore);
  }
  return [...actions, ...fitActions(analysis, range), ...switchActions(analysis, range), ...ignores];
}
