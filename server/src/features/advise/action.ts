import { CodeActionKind, type CodeAction, type Range } from 'vscode-languageserver-types';
import type { Analysis } from '../analysis';
import { fieldsInDocument } from '../fields';
import { rangeOfPlace } from '../diagnostics';
import { OUT_OF_MEMORY } from '../rules/out-of-memory';

/** Client command that searches and offers what it found. */
export const FIND_LAYOUT = 'shardlens.findBetterLayout';

/** Values that a search may change: on their lines it is offered. */
const SEARCHED = /^(?:layout|serving|pipeline|batch|recompute|optimizer)\./;

function touches(a: Range, b: Range): boolean {
  return a.start.line <= b.end.line && b.start.line <= a.end.line;
}

/** The offer to look for a better layout, on lines that decide it; as a fix where memory is short. */
export function layoutActions(analysis: Analysis, range: Range): CodeAction[] {
  const { resolved } = analysis;
  if (resolved === undefined || resolved.plan.task === 'model') return [];
  const short = analysis.findings.some(
    (finding) => finding.rule === OUT_OF_MEMORY && touches(rangeOfPlace(analysis, finding.at), range),
  );
  const decides = fieldsInDocument(resolved.plan).some(
    ({ field, at }) => SEARCHED.test(field) && touches(analysis.lines.rangeOf(at.keySpan ?? at.span), range),
  );
  if (!short && !decides) return [];
  const title = short ? 'Find a layout that fits…' : 'Find a better layout…';
  return [
    {
      title,
      kind: short ? CodeActionKind.QuickFix : CodeActionKind.RefactorRewrite,
      command: { title, command: FIND_LAYOUT, arguments: [analysis.uri] },
    },
  ];
}
