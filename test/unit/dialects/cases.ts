import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { analyze } from '../../../server/src/features/analyze';
import type { Finding } from '../../../server/src/plan/finding';
import type { AnalysisSettings } from '../../../server/src/features/analysis';

const SETTINGS: AnalysisSettings = { rules: {} };

/** One rule with a file that it fires on and the smallest change that settles it. */
export interface RuleCase {
  readonly rule: string;
  readonly severity: Finding['severity'];
  readonly fires: string;
  readonly silent: string;
  /** Words of the message that carry the answer. */
  readonly says?: RegExp;
  /** Rules that rightly speak of the same cause. */
  readonly with?: readonly string[];
}

/**
 * The cases of `test/fixtures/rules/<name>.jsonl`, a line each: rule, severity, what makes it fire, what does not, and words of the
 * message as a pattern, and rules that speak of the same cause. What the texts mean is up to the test that reads them.
 */
export function ruleLines(name: string): readonly RuleCase[] {
  const text = readFileSync(join(import.meta.dirname, `../../fixtures/rules/${name}.jsonl`), 'utf8');
  return text.split('\n').flatMap((line): RuleCase[] => {
    if (line.trim().length === 0) return [];
    const [rule, severity, fires, silent, says, beside] = JSON.parse(line) as [
      string,
      RuleCase['severity'],
      string,
      string,
      string?,
      string[]?,
    ];
    return [
      {
        rule,
        severity,
        fires,
        silent,
        ...(says === undefined ? {} : { says: new RegExp(says) }),
        ...(beside === undefined ? {} : { with: beside }),
      },
    ];
  });
}

/** Findings of a text as the editor would show them, the GPU count and other facts from a comment in the text. */
export function findingsOf(dialect: string, text: string, extension: string): readonly Finding[] {
  const analysis = analyze({
    uri: `file:///job.${extension}`,
    languageId: extension === 'toml' || extension === 'json' ? extension : 'yaml',
    version: 1,
    text,
    settings: SETTINGS,
    files: () => undefined,
  });
  expect(analysis.detection?.dialect).toBe(dialect);
  return analysis.findings;
}

/** Errors of other rules on the text that fires; a rule that shares the cause is named beside it in `with`. */
function unrelated(dialect: string, entry: RuleCase, extension: string): readonly string[] {
  return findingsOf(dialect, entry.fires, extension)
    .filter(({ rule, severity }) => severity === 'error' && rule !== entry.rule && entry.with?.includes(rule) !== true)
    .map(({ rule, message }) => `${rule}: ${message}`);
}

/** One test a case: the rule fires once, at its severity, on the first text, and not at all on the second. */
export function itJudges(dialect: string, extension: string, cases: readonly RuleCase[]): void {
  it.each(cases.map((entry, index) => [`${entry.rule} (${index})`, entry] as const))('%s', (_name, entry) => {
    const found = findingsOf(dialect, entry.fires, extension).filter(({ rule }) => rule === entry.rule);
    expect(found.map(({ severity }) => severity)).toContain(entry.severity);
    if (entry.says !== undefined) expect(found.map(({ message }) => message).join('\n')).toMatch(entry.says);
    expect(unrelated(dialect, entry, extension)).toEqual([]);
    const quiet = findingsOf(dialect, entry.silent, extension);
    expect(quiet.filter(({ rule }) => rule === entry.rule)).toEqual([]);
    expect(quiet.filter(({ severity }) => severity === 'error').map(({ message }) => message)).toEqual([]);
  });
}

/** A text with each `old -> new` of a change put in, changes apart by semicolons; an old text that is not there is a fault of the case. */
export function changed(base: string, changes: string): string {
  return changes.split('; ').reduce((text, change) => {
    const [from = '', to = ''] = change.split(' -> ');
    expect(text).toContain(from);
    return text.replace(from, () => to);
  }, base);
}
