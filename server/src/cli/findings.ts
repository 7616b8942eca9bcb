import type { Analysis } from '../features/analysis';
import { rangeOfPlace } from '../features/diagnostics';
import type { Finding, Severity, SourceReference } from '../plan/finding';

/** One finding of the `check` and `estimate` documents (a stable interface); lines and characters from 0. */
export interface FindingRow {
  readonly rule: string;
  readonly severity: Severity;
  readonly message: string;
  readonly line: number;
  readonly character: number;
  readonly endLine: number;
  readonly endCharacter: number;
  /** The framework that decides this. */
  readonly framework?: string;
  readonly source?: SourceReference;
}

function rowOf(analysis: Analysis, { rule, severity, message, at, source }: Finding): FindingRow {
  const firstLine = { span: { start: 0, end: Math.max(0, analysis.text.search(/[\r\n]|$/)) } };
  const { start, end } = rangeOfPlace(analysis, at ?? firstLine);
  return {
    rule,
    severity,
    message,
    line: start.line,
    character: start.character,
    endLine: end.line,
    endCharacter: end.character,
    ...(source === undefined ? {} : { framework: source.framework, source }),
  };
}

/** Every finding of a file with its place, in the order of the text; of one place the most severe first. */
export function findingRows(analysis: Analysis, findings: readonly Finding[] = analysis.findings): FindingRow[] {
  return findings
    .map((finding) => rowOf(analysis, finding))
    .sort((a, b) => a.line - b.line || a.character - b.character);
}

export function hasErrors(rows: readonly { readonly severity: Severity }[]): boolean {
  return rows.some(({ severity }) => severity === 'error');
}
