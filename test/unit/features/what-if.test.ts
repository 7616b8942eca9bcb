import { describe, expect, it } from 'vitest';
import type { WhatIfView } from '../../../server/src/protocol/what-if';
import { isRefusal } from '../../../server/src/engine/schedule/refusal';
import type { Analysis } from '../../../server/src/features/analysis';
import { timelineOf } from '../../../server/src/features/schedule/planned';
import { triedAnalysis, whatIfView } from '../../../server/src/features/views/what-if';
import { applyEdits } from '../../../server/src/features/advise/write-field';
import { estimateAnswer } from '../../../server/src/features/estimate';
import { sample } from '../../lsp/samples';
import { analyzeText } from './support';

const PLAN = `shardlens: 1
model: llama-3.1-8b
cluster: { gpu: H100, nodes: 2, gpus_per_node: 8 }
parallelism:
  tensor: 2
  pipeline: 4
  data: 2
batch: { micro: 1, global: 64, sequence: 4096 }
recompute: none
`;

function view(text: string, values: Record<string, number | string>, name?: string): WhatIfView {
  const options = name === undefined ? {} : { name };
  const answer = whatIfView(analyzeText(text, options), values, (changed) => analyzeText(changed, options));
  if ('empty' in answer) throw new Error(answer.reason);
  return answer;
}

/** The text with a view's edits. */
function written(text: string, { edits = [] }: WhatIfView): string {
  const { lines } = analyzeText(text);
  return applyEdits(
    text,
    edits.map(({ range, newText }) => ({
      span: { start: lines.offsetAt(range.start), end: lines.offsetAt(range.end) },
      newText,
    })),
  );
}

const row = ({ rows }: WhatIfView, label: RegExp): WhatIfView['rows'][number] | undefined =>
  rows.find((one) => label.test(one.label));

describe('what if', () => {
  it('shows the file as it is, with what each value may become', () => {
    const { fields, rows, edits, refusal } = view(PLAN, {});
    expect(fields.map(({ label }) => label)).toEqual(
      expect.arrayContaining(['GPUs', 'TP', 'PP', 'Microbatch', 'Sequence length', 'Recompute', 'FP8']),
    );
    for (const { own, value, choices } of fields) {
      expect(value).toBe(own);
      expect(choices).toContain(own);
    }
    for (const { before, after, change } of rows) expect({ after, change }).toEqual({ after: before, change: '' });
    expect({ edits, refusal }).toEqual({ edits: undefined, refusal: undefined });
  });

  it.each([
    [{ 'layout.tensor': 4 }, /tensor: 4/],
    [{ 'layout.pipeline': 2, 'batch.microBatch': 2 }, /pipeline: 2[^]*micro: 2/],
    [{ 'batch.sequenceLength': 8192 }, /sequence: 8192/],
    [{ 'recompute.granularity': 'full' }, /recompute: full/],
    [{ 'cluster.gpus': 32 }, /nodes: 4/],
  ])('%j gives numbers that the file, written, gives too', (values, text) => {
    const tried = view(PLAN, values);
    const after = written(PLAN, tried);
    expect(after).toMatch(text);
    expect(view(after, {}).rows.map(({ after: value }) => value)).toEqual(tried.rows.map(({ after: value }) => value));
  });

  it('lets typed times follow, so that the written file is drawn as the tried one was', () => {
    const typed = `${PLAN}schedule: { kind: 1f1b, durations: { F: 10, B: 20.5, comm: 0.2 } }\n`;
    const values = { 'layout.pipeline': 2 };
    const makespan = ({ resolved }: Analysis): number => {
      const planned = resolved === undefined ? undefined : timelineOf(resolved);
      if (planned === undefined || isRefusal(planned)) throw new Error('nothing is drawn');
      return planned.timeline.makespan;
    };
    const drawn = makespan(triedAnalysis(analyzeText(typed), values));
    const text = written(typed, view(typed, values));
    expect(text).toMatch(/durations: \{ F: 2\d\.?\d*, B: 4\d\.?\d*, comm: [\d.]+ \}/);
    expect(makespan(analyzeText(text)) / drawn).toBeCloseTo(1, 3);
  });

  it('tells better from worse', () => {
    const full = view(PLAN, { 'recompute.granularity': 'full' });
    expect(row(full, /^memory/)?.tone).toBe('good');
    expect(row(full, /^time of a step/)?.tone).toBe('bad');
  });

  it('says what is refused, and writes nothing then', () => {
    const { refusal, edits } = view(sample('deepseek-v3-2048xH800.shardlens.yaml'), { 'layout.pipeline': 61 });
    expect(refusal).toMatch(/\w/);
    expect(edits).toBeUndefined();
  });

  it('ignores values that are no choice and fields that it does not offer', () => {
    expect(view(PLAN, { 'layout.tensor': 7, 'model.layers': 1 }).rows).toEqual(view(PLAN, {}).rows);
  });

  it('works for servers', () => {
    const serve =
      '# shardlens: gpu=H100\nmodel-path: meta-llama/Llama-3.1-70B\ntp-size: 8\nmem-fraction-static: 0.85\nattention-backend: flashinfer\n';
    const tried = view(serve, { 'serving.memoryFraction': 0.9 }, 'serve.yaml');
    expect(row(tried, /KV cache/)?.tone).toBe('good');
    expect(tried.edits?.map(({ newText }) => newText)).toEqual(['0.9']);
  });

  it('has nothing to try in a model config', () => {
    const answer = whatIfView(analyzeText(sample('deepseek-v3/config.json'), { name: 'config.json' }), {}, analyzeText);
    expect(answer).toMatchObject({ empty: true });
    expect(estimateAnswer(analyzeText(PLAN))).not.toHaveProperty('reason');
  });
});
