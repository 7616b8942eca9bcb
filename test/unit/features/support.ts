import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'vitest';
import type { Position, TextEdit } from 'vscode-languageserver-types';
import type { Analysis, AnalysisSettings } from '../../../server/src/features/analysis';
import { analyze } from '../../../server/src/features/analyze';

const SAMPLES = path.resolve(import.meta.dirname, '../../../samples');

export function sampleText(...parts: string[]): string {
  return readFileSync(path.join(SAMPLES, ...parts), 'utf8');
}

interface Options {
  readonly name?: string;
  readonly files?: Readonly<Record<string, string>>;
  readonly settings?: Partial<AnalysisSettings>;
}

/** Analyses a text as if it stood in `file:///ws/<name>`, beside the given files. */
export function analyzeText(
  text: string,
  { name = 'plan.shardlens.yaml', files = {}, settings = {} }: Options = {},
): Analysis {
  return analyze({
    uri: `file:///ws/${name}`,
    version: 1,
    text,
    settings: { rules: {}, ...settings },
    files: (uri) => files[uri.replace('file:///ws/', '')] ?? null,
  });
}

/** Splits `text` at its one `|` mark. */
export function marked(text: string): { readonly text: string; readonly offset: number } {
  const offset = text.indexOf('|');
  expect(offset, 'the text needs a | mark').toBeGreaterThanOrEqual(0);
  return { text: text.slice(0, offset) + text.slice(offset + 1), offset };
}

/** Analysis of a marked text and the position of its mark. */
export function analyzeMarked(
  source: string,
  options?: Options,
): { readonly analysis: Analysis; readonly position: Position } {
  const { text, offset } = marked(source);
  const analysis = analyzeText(text, options);
  return { analysis, position: analysis.lines.positionAt(offset) };
}

/** The document after one text edit. */
export function applied(analysis: Analysis, edit: TextEdit): string {
  const start = analysis.lines.offsetAt(edit.range.start);
  const end = analysis.lines.offsetAt(edit.range.end);
  return analysis.text.slice(0, start) + edit.newText + analysis.text.slice(end);
}

/** Rule ids of the errors of an analysis. */
export function errorsOf(analysis: Analysis): string[] {
  return analysis.findings.filter(({ severity }) => severity === 'error').map(({ rule }) => rule);
}

/** A small dense model in its own words, so that a test needs no preset. */
export const DENSE = `shardlens: 1
model:
  layers: 32
  hidden_size: 4096
  intermediate_size: 14336
  vocab_size: 128256
  heads: 32
  kv_heads: 8
cluster: { gpu: H100, nodes: 1, gpus_per_node: 8 }
`;
