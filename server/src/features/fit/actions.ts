import { CodeActionKind, type CodeAction, type Range, type TextEdit } from 'vscode-languageserver-types';
import type { Analysis } from '../analysis';
import { writeField } from '../advise/write-field';
import { rangeOfPlace } from '../diagnostics';
import { gib } from '../format';
import { OUT_OF_MEMORY } from '../rules/out-of-memory';
import { fitOptions, type FitOption } from './fit';

const MOST = 4;

function touches(a: Range, b: Range): boolean {
  return a.start.line <= b.end.line && b.start.line <= a.end.line;
}

/** The file alone decides what a change of one key brings: as many GPUs as before, and a data-parallel degree that follows. */
function followsFromOneKey({ resolved }: Analysis, { field }: FitOption): boolean {
  if (resolved === undefined) return false;
  if (!field.startsWith('layout.')) return true;
  const assumed = resolved.assumptions.some((assumption) => assumption.field === 'layout.worldSize');
  return !assumed && resolved.plan.layout.data === undefined && resolved.plan.layout.stageLayers === undefined;
}

function actionOf(analysis: Analysis, option: FitOption): CodeAction[] {
  const { field, name, from, to, value, saved } = option;
  if (typeof value !== 'number' || !followsFromOneKey(analysis, option)) return [];
  const written = writeField(analysis, field, value);
  if (written === undefined || written.length === 0) return [];
  const edits: TextEdit[] = written.map(({ span, newText }) => ({ range: analysis.lines.rangeOf(span), newText }));
  return [
    {
      title: `Make it fit: ${name} ${from} → ${to} (${gib(saved)} GiB less)`,
      kind: CodeActionKind.QuickFix,
      edit: { changes: { [analysis.uri]: edits } },
    },
  ];
}

/** Single numbers that make a plan fit, offered where it is said not to. */
export function fitActions(analysis: Analysis, range: Range): CodeAction[] {
  const { resolved, memory } = analysis;
  if (resolved === undefined || memory === undefined) return [];
  const short = analysis.findings.some(
    (finding) => finding.rule === OUT_OF_MEMORY && touches(rangeOfPlace(analysis, finding.at), range),
  );
  if (!short) return [];
  return fitOptions(resolved, memory, false)
    .filter(({ fits, alone }) => fits === true && alone)
    .slice(0, MOST)
    .flatMap((option) => actionOf(analysis, option));
}
