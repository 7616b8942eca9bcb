import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Analysis } from '../../../server/src/features/analysis';
import { analyze } from '../../../server/src/features/analyze';
import { codeActions } from '../../../server/src/features/code-actions';
import { gib, percent } from '../../../server/src/features/format';
import { isRefused, tryUnder, type SweepRow } from '../../../server/src/features/schedule/sweep';

const SAMPLES = path.resolve(import.meta.dirname, '../../../samples');
const DEEPSEEK = readFileSync(path.join(SAMPLES, 'deepseek-v3-2048xH800.shardlens.yaml'), 'utf8');
const TYPED = /^ {2}durations:.*$/m;

function analysisOf(text: string, uri = 'file:///w/plan.shardlens.yaml'): Analysis {
  return analyze({ uri, version: 1, text, settings: { rules: {} }, files: () => null });
}

function rowOf({ resolved }: Analysis): SweepRow {
  const row = resolved === undefined ? { refused: 'no plan' } : tryUnder(resolved, {});
  if (isRefused(row)) throw new Error(row.refused);
  return row;
}

/** The text after an action's edits. */
function applied(analysis: Analysis, edits: NonNullable<ReturnType<typeof codeActions>[number]['edit']>): string {
  const own = (edits.changes?.[analysis.uri] ?? []).map(({ range, newText }) => ({
    start: analysis.lines.offsetAt(range.start),
    end: analysis.lines.offsetAt(range.end),
    newText,
  }));
  return own
    .sort((a, b) => b.start - a.start)
    .reduce((text, { start, end, newText }) => text.slice(0, start) + newText + text.slice(end), analysis.text);
}

function switches(analysis: Analysis): ReturnType<typeof codeActions> {
  const at = analysis.resolved?.plan.pipeline.kind?.at;
  if (at === undefined) return [];
  const start = analysis.lines.positionAt(at.span.start);
  return codeActions(analysis, { start, end: start }, []).filter(({ title }) => title.startsWith('Switch to'));
}

const signed = (value: number, text: string): string => `${value < 0 ? '−' : '+'}${text}`;

/** Applies every offered switch and holds the file afterwards against the title. */
function keepsItsWord(analysis: Analysis): number {
  const before = rowOf(analysis);
  const offered = switches(analysis);
  for (const { title, edit } of offered) {
    const after = analysisOf(applied(analysis, edit ?? {}), analysis.uri);
    const row = rowOf(after);
    const step = row.step / before.step - 1;
    expect(title, title).toContain(`: ${signed(step, percent(Math.abs(step)))} step`);
    const bytes = (row.peakBytes ?? 0) - (before.peakBytes ?? 0);
    if (row.peakBytes !== undefined) expect(title, title).toContain(`, ${signed(bytes, gib(Math.abs(bytes)))} GiB`);
    const errors = (one: Analysis): number => one.findings.filter(({ severity }) => severity === 'error').length;
    expect(errors(after), title).toBeLessThanOrEqual(errors(analysis));
  }
  return offered.length;
}

const KINDS = ['dualpipe', '1f1b', 'zb-h1', 'zb-v', 'zbv-torch', 'v-half', 'dualpipev', 'interleaved'];

describe('a switch of the schedule keeps its word', () => {
  it.each(KINDS)('from %s, with typed times', (kind) => {
    const text = DEEPSEEK.replace('kind: dualpipe', `kind: ${kind}`).replace('global: 15360', 'global: 16384');
    expect(TYPED.test(text)).toBe(true);
    expect(keepsItsWord(analysisOf(text))).toBeGreaterThan(0);
  });

  it.each(KINDS)('from %s, with the times of the cost model', (kind) => {
    const text = DEEPSEEK.replace('kind: dualpipe', `kind: ${kind}`)
      .replace(TYPED, '')
      .replace('global: 15360', 'global: 16384');
    expect(keepsItsWord(analysisOf(text))).toBeGreaterThan(0);
  });

  it('on times and layers written as blocks, and where no layers are stated', () => {
    const typed = DEEPSEEK.replace('kind: dualpipe', 'kind: 1f1b').replace(
      TYPED,
      '  durations:\n    F: 77.2 # forward\n    B: 127.4\n    comm: 1.2',
    );
    const block = typed.replace(/stage_layers: .*/, `stage_layers:\n${'    - 4\n'.repeat(15)}    - 1`);
    expect(keepsItsWord(analysisOf(block))).toBeGreaterThan(0);
    expect(keepsItsWord(analysisOf(typed.replace(/^ {2}stage_layers: .*$/m, '')))).toBeGreaterThan(0);
  });

  it('from a looped schedule with chunks of its own', () => {
    const text = DEEPSEEK.replace('kind: dualpipe', 'kind: interleaved')
      .replace('global: 15360', 'global: 16384')
      .replace('  stage_layers: [4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 1]', '  virtual_pipeline: 2');
    expect(keepsItsWord(analysisOf(text))).toBeGreaterThan(0);
  });

  it.each(['ZBVZeroBubble', '1F1B', 'Interleaved1F1B'])('in a torchtitan job under %s', (word) => {
    const job = (layers: string): string => `# shardlens: gpu=H100
[model]
name = "llama3"
flavor = "8B"
[training]
local_batch_size = 16
global_batch_size = 128
seq_len = 4096
[parallelism]
pipeline_parallel_degree = 4
pipeline_parallel_schedule = "${word}"
pipeline_parallel_microbatch_size = 1
data_parallel_shard_degree = 8
${layers}`;
    for (const layers of ['', 'pipeline_parallel_layers_per_stage = 4\n'])
      expect(keepsItsWord(analysisOf(job(layers), 'file:///w/job.toml'))).toBeGreaterThanOrEqual(
        word === '1F1B' ? 1 : 0,
      );
  });

  it('writes the times of shorter passes, leaves the transfer alone and says so', () => {
    const analysis = analysisOf(DEEPSEEK.replace('kind: dualpipe', 'kind: 1f1b'));
    const found = switches(analysis).find(({ title }) => title.startsWith('Switch to DualPipeV'));
    expect(found?.title).toMatch(/ \(by the typed durations; durations and layers a stage follow\)$/);
    const text = applied(analysis, found?.edit ?? {});
    expect(text).toContain('durations: { F: 38.6, I: 48.8, W: 14.9, FB: 64.5, comm: 1.2 }');
    expect(/stage_layers: \[([\d, ]+)\]/.exec(text)?.[1]?.split(',')).toHaveLength(32);
    expect(rowOf(analysisOf(text)).step).toBeCloseTo(18_279.7, 1);
  });
});
