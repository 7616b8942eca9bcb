import type { Comparison, Metric, ValueChange } from '../features/compare';
import { changeOf, comparisonLine, metricText, movedText } from '../features/compare';
import { escapeData, escapeProperty } from './check-formats';
import type { FindingRow } from './findings';
import { table, type Column } from './table';

/** Two files and what lies between them. */
export interface Diff {
  readonly before: string;
  readonly after: string;
  readonly comparison: Comparison;
  readonly appeared: readonly FindingRow[];
  readonly gone: readonly FindingRow[];
  /** Line of the first changed value in the new file, from 0. */
  readonly line: number;
}

function moved(metrics: readonly Metric[]): Metric[] {
  return metrics.filter((metric) => movedText(metric) !== '' || (metric.before === null) !== (metric.after === null));
}

function rowOf(metric: Metric): string[] {
  const { label, unit, before, after } = metric;
  return [label, metricText(before, unit), metricText(after, unit), movedText(metric)];
}

function valueText({ label, from, to }: ValueChange): string {
  return `${label}: ${from ?? 'not set'} → ${to ?? 'not set'}`;
}

function findingText({ severity, line, message, rule }: FindingRow): string {
  return `${severity} (line ${line + 1}): ${message}  [${rule}]`;
}

/** For people at a terminal. */
export function diffText({ before, after, comparison, appeared, gone }: Diff): string {
  const columns: Column[] = [
    { title: '', align: 'left' },
    { title: 'before', align: 'right' },
    { title: 'after', align: 'right' },
    { title: 'change', align: 'right' },
  ];
  const rows = moved(comparison.metrics).map(rowOf);
  const blocks = [
    `${before} → ${after}\n`,
    comparison.changes.length === 0 ? 'No value changed.\n' : `${comparison.changes.map(valueText).join('\n')}\n`,
    ...(rows.length === 0 ? ['Memory and time stay as they are.\n'] : [table(columns, rows)]),
    ...(appeared.length === 0 ? [] : [`New findings\n${appeared.map(findingText).join('\n')}\n`]),
    ...(gone.length === 0 ? [] : [`Settled findings\n${gone.map(findingText).join('\n')}\n`]),
  ];
  return blocks.join('\n');
}

function cell(text: string): string {
  return text
    .trim()
    .replaceAll('|', '\\|')
    .replaceAll(/[\r\n]+/g, ' ');
}

function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.map(cell).join(' | ')} |\n`;
  const rule = head.map((_, at) => (at === 0 ? '---' : '---:'));
  return `${line(head)}${line(rule)}${rows.map(line).join('')}`;
}

/** A report for a pull request. */
export function diffMarkdown({ before, after, comparison, appeared, gone }: Diff): string {
  const { changes, metrics } = comparison;
  const rows = moved(metrics).map(rowOf);
  const list = (title: string, findings: readonly FindingRow[]): string[] =>
    findings.length === 0
      ? []
      : [`**${title}**\n\n${findings.map((finding) => `- ${findingText(finding)}`).join('\n')}\n`];
  const name = before === after ? `\`${after}\`` : `\`${before}\` → \`${after}\``;
  return [
    `### Shardlens: ${name}\n`,
    rows.length === 0 ? 'Memory and time stay as they are.\n' : markdownTable(['', 'before', 'after', 'change'], rows),
    ...(changes.length === 0
      ? []
      : [
          markdownTable(
            ['value', 'before', 'after'],
            changes.map(({ label, from, to }) => [`\`${label}\``, from ?? 'not set', to ?? 'not set']),
          ),
        ]),
    ...list('New findings', appeared),
    ...list('Settled findings', gone),
  ].join('\n');
}

const COMMAND = { error: 'error', warning: 'warning', information: 'notice', hint: 'notice' } as const;

/** GitHub Actions workflow commands: one notice with what the change does, and one a new finding. */
export function diffGithub({ after, comparison, appeared, line }: Diff): string {
  const summary = comparisonLine(comparison) ?? 'Memory and time stay as they are.';
  const where = (at: number, title: string): string =>
    `file=${escapeProperty(after)},line=${at + 1},title=${escapeProperty(title)}`;
  const findings = appeared.map(
    (finding) =>
      `::${COMMAND[finding.severity]} ${where(finding.line, finding.rule)}::${escapeData(finding.message)}\n`,
  );
  return [`::notice ${where(line, 'Shardlens')}::${escapeData(summary)}\n`, ...findings].join('');
}

/** One JSON document; bytes, seconds and shares as numbers. */
export function diffJson({ before, after, comparison, appeared, gone }: Diff): string {
  const document = {
    old: before,
    new: after,
    changes: comparison.changes.map(({ field, label, from, to }) => ({ field, label, from, to })),
    metrics: comparison.metrics.map((metric) => ({
      id: metric.id,
      unit: metric.unit,
      before: metric.before,
      after: metric.after,
      change: changeOf(metric),
    })),
    findings: { appeared, gone },
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}
