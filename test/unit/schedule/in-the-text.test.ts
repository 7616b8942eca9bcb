import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Analysis } from '../../../server/src/features/analysis';
import { analyze } from '../../../server/src/features/analyze';
import { codeLenses } from '../../../server/src/features/code-lens';
import { codeActions } from '../../../server/src/features/code-actions';
import { hover } from '../../../server/src/features/hover';
import { timelineView } from '../../../server/src/features/views/timeline';

const SAMPLE = readFileSync(
  path.resolve(import.meta.dirname, '../../../samples/deepseek-v3-2048xH800.shardlens.yaml'),
  'utf8',
);

function analysisOf(text: string, uri = 'file:///w/plan.shardlens.yaml'): Analysis {
  return analyze({ uri, version: 1, text, settings: { rules: {} }, files: () => null });
}

function actionsAt(analysis: Analysis, word: string): ReturnType<typeof codeActions> {
  const start = analysis.lines.positionAt(analysis.text.indexOf(word));
  return codeActions(analysis, { start, end: start }, []);
}

function hoverAt(analysis: Analysis, word: string): string {
  const found = hover(analysis, analysis.lines.positionAt(analysis.text.indexOf(word) + 1));
  return found === null ? '' : (found.contents as { value: string }).value;
}

const plain = SAMPLE.replace('kind: dualpipe', 'kind: 1f1b');

describe('on the schedule’s key', () => {
  it('offers other schedules with what they bring, fastest first', () => {
    const analysis = analysisOf(plain);
    const switches = actionsAt(analysis, '1f1b').filter(({ title }) => title.startsWith('Switch to'));
    expect(switches[0]?.title).toMatch(
      /^Switch to DualPipe: −\d+\.\d % step, \+\d+\.\d GiB \(by the typed durations\)$/,
    );
    expect(switches[1]?.title).toMatch(
      /^Switch to DualPipeV: −\d+\.\d % step, [+−]\d+\.\d GiB \(by the typed durations; durations/,
    );
    const edits = switches[1]?.edit?.changes?.[analysis.uri] ?? [];
    expect(edits[0]?.newText).toBe('dualpipev');
    const after = analysisOf(plain.replace('kind: 1f1b', 'kind: dualpipev'));
    expect(after.findings.filter(({ severity }) => severity === 'error')).toEqual([]);
  });

  it('offers nothing that is slower and larger, and nothing elsewhere in the file', () => {
    const titles = actionsAt(analysisOf(SAMPLE), 'dualpipe\n').map(({ title }) => title);
    expect(titles.some((title) => title.includes('GPipe'))).toBe(false);
    expect(actionsAt(analysisOf(plain), 'batch:').filter(({ title }) => title.startsWith('Switch'))).toEqual([]);
  });

  it('writes torchtitan’s own words', () => {
    const text = `[model]
name = "llama3"
flavor = "8B"
[training]
local_batch_size = 16
global_batch_size = 128
seq_len = 4096
[parallelism]
pipeline_parallel_degree = 4
pipeline_parallel_schedule = "1F1B"
pipeline_parallel_microbatch_size = 1
data_parallel_shard_degree = 8
`;
    const analysis = analysisOf(text, 'file:///w/job.toml');
    const switches = actionsAt(analysis, '"1F1B"').filter(({ title }) => title.startsWith('Switch to'));
    expect(switches.length).toBeGreaterThan(0);
    for (const { edit } of switches)
      expect(edit?.changes?.[analysis.uri]?.[0]?.newText).toMatch(/^"(?:Interleaved|ZBV|DualPipeV|Looped|GPipe)\w*"$/);
  });

  it('says in the hover why ranks idle, what decides the end and what others would bring', () => {
    const text = hoverAt(analysisOf(plain), '1f1b');
    expect(text).toContain('1F1B 16 × 120 · bubble');
    expect(text).toMatch(/Idle ranks wait \d+\.\d % for activations, \d+\.\d % for gradients/);
    expect(text).toMatch(/Decided by a chain: F \d+\.\d %, B \d+\.\d %/);
    expect(text).toMatch(/Other schedules, same batch by the typed durations: DualPipe −\d+\.\d % step/);
    // Sizes that decide the schedule say why it idles, but try no other.
    const ranks = hoverAt(analysisOf(plain), 'pipeline: 16');
    expect(ranks).toContain('Idle ranks wait');
    expect(ranks).not.toContain('Other schedules');
  });

  it('tells typed durations and the cost model apart wherever a step is timed', () => {
    const analysis = analysisOf(SAMPLE);
    const both = /16\.82 s a step (?:by the cost model )?\(18\.0\d? s by the typed durations\)/;
    expect(
      codeLenses(analysis)
        .map(({ command }) => command?.title)
        .join('\n'),
    ).toMatch(both);
    expect(hoverAt(analysis, 'dualpipe\n')).toMatch(both);
    const view = timelineView(analysis, { uri: analysis.uri });
    if ('empty' in view) throw new Error(view.reason);
    expect(view.timing).toMatchObject({ origin: 'stated', modelled: expect.closeTo(16.82, 2) as number });
    const plainTitles = codeLenses(analysisOf(SAMPLE.replace(/^ {2}durations:.*$/m, ''))).map(
      ({ command }) => command?.title,
    );
    expect(plainTitles.join('\n')).toContain('16.82 s a step · ');
  });

  it('names the times it rests on', () => {
    expect(hoverAt(analysisOf(plain.replace(/^ {2}durations:.*$/m, '')), '1f1b')).toContain(
      'Durations by the cost model of deepseek-ai/DeepSeek-V3 on H800',
    );
    const nameless = plain.replace(/^ {2}durations:.*$/m, '').replace(/^ {2}gpu: H800$/m, '');
    expect(hoverAt(analysisOf(nameless), '1f1b')).toContain('Durations are units (F = 1)');
  });
});
