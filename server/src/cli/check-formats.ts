import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { plural } from '../features/format';
import type { Severity } from '../plan/finding';
import type { FindingRow } from './findings';

/** One file of the `check` document (a stable interface); `dialect` is null for a file that is none of ours. */
export interface CheckedFile {
  readonly path: string;
  readonly dialect: string | null;
  readonly confidence: number;
  readonly findings: readonly FindingRow[];
  /** Why a file of no dialect could not be looked at. */
  readonly reason?: string;
}

interface Totals {
  readonly errors: number;
  readonly warnings: number;
  readonly others: number;
}

export function totalsOf(files: readonly CheckedFile[]): Totals {
  const all = files.flatMap(({ findings }) => findings);
  const of = (wanted: Severity): number => all.filter(({ severity }) => severity === wanted).length;
  const errors = of('error');
  const warnings = of('warning');
  return { errors, warnings, others: all.length - errors - warnings };
}

function textOfFile({ path: file, dialect, findings, reason }: CheckedFile): string {
  if (dialect === null)
    return `${file}: not recognised, nothing to check${reason === undefined ? '' : `: ${reason}`}\n`;
  if (findings.length === 0) return `${file}: fine (${dialect})\n`;
  const places = findings.map(({ line, character }) => `${line + 1}:${character + 1}`);
  const width = Math.max(...places.map((place) => place.length));
  const lines = findings.map(
    ({ rule, severity, message }, at) =>
      `  ${(places[at] ?? '').padStart(width)}  ${severity.padEnd(11)}  ${message}  [${rule}]\n`,
  );
  return `${file} (${dialect})\n${lines.join('')}`;
}

/** For people: a block a file and a last line with the totals. */
export function checkText(files: readonly CheckedFile[]): string {
  const { errors, warnings, others } = totalsOf(files);
  const counts = [plural(errors, 'error'), plural(warnings, 'warning'), plural(others, 'hint')];
  return `${files.map(textOfFile).join('')}${counts.join(', ')} in ${plural(files.length, 'file')}\n`;
}

const LEVEL = { error: 'error', warning: 'warning', information: 'note', hint: 'note' } as const;

/** A URI as SARIF viewers resolve it: relative to the working directory where the file is below it. */
function artifactLocation(cwd: string, file: string): { readonly uri: string; readonly uriBaseId?: string } {
  const relative = path.relative(cwd, path.resolve(cwd, file));
  if (relative.startsWith('..') || path.isAbsolute(relative))
    return { uri: pathToFileURL(path.resolve(cwd, file)).href };
  return { uri: relative.split(path.sep).map(encodeURIComponent).join('/'), uriBaseId: 'SRCROOT' };
}

function sarifResult(cwd: string, file: string, finding: FindingRow, rules: readonly string[]): object {
  const region = {
    startLine: finding.line + 1,
    startColumn: finding.character + 1,
    endLine: finding.endLine + 1,
    endColumn: finding.endCharacter + 1,
  };
  return {
    ruleId: finding.rule,
    ruleIndex: rules.indexOf(finding.rule),
    level: LEVEL[finding.severity],
    message: { text: finding.message },
    locations: [{ physicalLocation: { artifactLocation: artifactLocation(cwd, file), region } }],
  };
}

/** Static Analysis Results Interchange Format 2.1.0 (OASIS); columns count UTF-16 units from 1. */
export function checkSarif(files: readonly CheckedFile[], cwd: string, version: string): string {
  const rules = [...new Set(files.flatMap(({ findings }) => findings.map(({ rule }) => rule)))].sort();
  const log = {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: { driver: { name: 'shardlens', semanticVersion: version, rules: rules.map((id) => ({ id })) } },
        columnKind: 'utf16CodeUnits',
        originalUriBaseIds: { SRCROOT: { uri: pathToFileURL(cwd + path.sep).href } },
        results: files.flatMap((file) => file.findings.map((finding) => sarifResult(cwd, file.path, finding, rules))),
      },
    ],
  };
  return `${JSON.stringify(log, null, 2)}\n`;
}

const COMMAND = { error: 'error', warning: 'warning', information: 'notice', hint: 'notice' } as const;

/** Text of a workflow command. */
export function escapeData(text: string): string {
  return text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
}

/** Value of a property of a workflow command. */
export function escapeProperty(text: string): string {
  return escapeData(text).replaceAll(':', '%3A').replaceAll(',', '%2C');
}

/** GitHub Actions workflow commands, a line a finding; lines and columns from 1. */
export function checkGithub(files: readonly CheckedFile[]): string {
  return files
    .flatMap(({ path: file, findings }) =>
      findings.map(({ rule, severity, message, line, character, endLine, endCharacter }) => {
        const place = `line=${line + 1},endLine=${endLine + 1},col=${character + 1},endColumn=${endCharacter + 1}`;
        const where = `file=${escapeProperty(file)},${place},title=${escapeProperty(rule)}`;
        return `::${COMMAND[severity]} ${where}::${escapeData(message)}\n`;
      }),
    )
    .join('');
}
