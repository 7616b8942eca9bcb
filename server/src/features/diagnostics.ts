import { DiagnosticSeverity, DiagnosticTag, type Diagnostic, type Range } from 'vscode-languageserver-types';
import type { Finding, Severity } from '../plan/finding';
import type { Place } from '../plan/plan';
import type { Analysis } from './analysis';

const SEVERITY: Readonly<Record<Severity, DiagnosticSeverity>> = {
  error: DiagnosticSeverity.Error,
  warning: DiagnosticSeverity.Warning,
  information: DiagnosticSeverity.Information,
  hint: DiagnosticSeverity.Hint,
};
const TAG = { unnecessary: DiagnosticTag.Unnecessary, deprecated: DiagnosticTag.Deprecated } as const;
const LIMIT = 200;

/** Range of a place; places of other files bring theirs, or point at their first line. */
export function rangeOfPlace(analysis: Analysis, at: Place | undefined): Range {
  const top = { start: { line: 0, character: 0 }, end: { line: 0, character: 0 } };
  if (at === undefined) return top;
  if (at.uri !== undefined && at.uri !== analysis.uri) return at.range ?? top;
  return analysis.lines.rangeOf(at.span);
}

function firstLine(analysis: Analysis): Range {
  const end = analysis.text.search(/[\r\n]|$/);
  return analysis.lines.rangeOf({ start: 0, end });
}

function toDiagnostic(analysis: Analysis, finding: Finding): Diagnostic {
  const source =
    finding.source === undefined
      ? ''
      : ` (${finding.source.framework}: ${finding.source.function ?? finding.source.file})`;
  return {
    range: finding.at === undefined ? firstLine(analysis) : rangeOfPlace(analysis, finding.at),
    severity: SEVERITY[finding.severity],
    code: finding.rule,
    source: 'shardlens',
    message: `${finding.message}${source}`,
    ...(finding.tags === undefined ? {} : { tags: finding.tags.map((tag) => TAG[tag]) }),
    ...(finding.related === undefined
      ? {}
      : {
          relatedInformation: finding.related.map(({ at, message }) => ({
            location: { uri: at.uri ?? analysis.uri, range: rangeOfPlace(analysis, at) },
            message,
          })),
        }),
  };
}

/** Findings as diagnostics, at most 200 of them, most severe first; a last one says how many were left out. */
export function diagnostics(analysis: Analysis): Diagnostic[] {
  // The editor itself reports the syntax of JSON; two squiggles for one fault would only annoy.
  const own = analysis.findings.filter(({ rule }) => !(rule === 'syntax' && analysis.tree.language === 'json'));
  const shown = own.slice(0, LIMIT).map((finding) => toDiagnostic(analysis, finding));
  if (own.length <= LIMIT) return shown;
  const rest: Finding = {
    rule: 'more-findings',
    severity: 'information',
    message: `${own.length - LIMIT} more findings are not shown.`,
  };
  return [...shown, toDiagnostic(analysis, rest)];
}
