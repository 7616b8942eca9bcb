import type { Companion, DialectReading } from '../../../server/src/dialects/dialect';
import { detectDialect, dialects } from '../../../server/src/dialects/registry';
import type { Finding } from '../../../server/src/plan/finding';
import { parseConfig } from '../../../server/src/syntax/parse';

export type Language = 'yaml' | 'json' | 'toml';

/** Reads `text` as `dialect`, with companions by relative path. */
export function readAs(
  dialect: string,
  text: string,
  language: Language = 'yaml',
  files: Readonly<Record<string, string>> = {},
): DialectReading {
  const found = dialects.find(({ id }) => id === dialect);
  if (found === undefined) throw new Error(`no dialect ${dialect}`);
  return found.read(parseConfig(text, language), (path): Companion | undefined => {
    const body = files[path];
    return body === undefined ? undefined : { uri: `file:///${path}`, tree: parseConfig(body, 'json') };
  });
}

/** What a file is taken for. */
export function dialectOf(text: string, fileName: string, language: Language = 'yaml'): string | undefined {
  return detectDialect(parseConfig(text, language), fileName)?.dialect;
}

/** `severity rule` of each finding, in order. */
export function told(findings: readonly Finding[]): string[] {
  return findings.map(({ severity, rule }) => `${severity} ${rule}`);
}

/** The text a finding stands at. */
export function textAt(text: string, finding: Finding | undefined): string | undefined {
  return finding?.at === undefined ? undefined : text.slice(finding.at.span.start, finding.at.span.end);
}

/** The text after the first fix of a finding. */
export function fixed(text: string, finding: Finding | undefined): string | undefined {
  const edit = finding?.fixes?.[0]?.edits[0];
  if (edit === undefined) return undefined;
  return text.slice(0, edit.at.span.start) + edit.newText + text.slice(edit.at.span.end);
}
