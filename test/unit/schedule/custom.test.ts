import { describe, expect, it } from 'vitest';
import { buildOrder } from '../../../server/src/engine/schedule/build';
import { isRefusal } from '../../../server/src/engine/schedule/refusal';
import type { Analysis } from '../../../server/src/features/analysis';
import { analyze } from '../../../server/src/features/analyze';
import { torchCsv } from '../../../server/src/features/schedule/torch-csv';
import { timelineView } from '../../../server/src/features/views/timeline';
import type { TimelineAnswer } from '../../../server/src/protocol/timeline';

const JOB = `[model]
name = "llama3"
flavor = "8B"
[training]
local_batch_size = 8
seq_len = 4096
[parallelism]
pipeline_parallel_degree = 4
pipeline_parallel_schedule = "PipelineScheduleMulti"
pipeline_parallel_schedule_csv = "./mine.csv"
pipeline_parallel_microbatch_size = 1
data_parallel_shard_degree = 2
`;

function csvOf(microbatches = 8, ranks = 4): string {
  const order = buildOrder({ kind: 'interleaved-zb-torch', ranks, microbatches, chunks: 2 });
  if (isRefusal(order)) throw new Error(order.message);
  return torchCsv(order);
}

function opened(csv: string | null): { readonly analysis: Analysis; readonly draw: () => TimelineAnswer } {
  const files = (uri: string): string | null => (uri.endsWith('/mine.csv') ? csv : null);
  const input = { uri: 'file:///w/job.toml', version: 1, text: JOB, settings: { rules: {} }, files };
  const analysis = analyze(input);
  return { analysis, draw: () => timelineView(analysis, { uri: analysis.uri }, files) };
}

function found(analysis: Analysis): readonly string[] {
  return analysis.findings.filter(({ rule }) => rule === 'custom-schedule').map(({ message }) => message);
}

describe('a schedule file that a plan names', () => {
  it('is drawn in place of a kind', () => {
    const { analysis, draw } = opened(csvOf());
    expect(found(analysis)).toEqual([]);
    expect(draw()).toMatchObject({ kind: 'custom', ranks: 4, microbatches: 8, stages: 8, chunks: 2 });
    const asked = timelineView(analysis, { uri: analysis.uri, kind: '1f1b' }, () => csvOf());
    expect(asked).toMatchObject({ kind: '1f1b' });
  });

  it('is told to differ from the plan in ranks and microbatches', () => {
    expect(found(opened(csvOf(8, 2)).analysis)).toEqual(['mine.csv lays out 2 ranks, but the pipeline has 4.']);
    expect(found(opened(csvOf(16)).analysis)).toEqual(['mine.csv runs 16 microbatches, but a step has 8.']);
  });

  it('is refused with the line of its fault', () => {
    const { analysis, draw } = opened('0F0,0B0\n1F0,nope\n');
    expect(found(analysis)[0]).toMatch(/^mine\.csv, line 2: "nope" is no action/);
    expect(draw()).toMatchObject({ empty: true });
  });

  it('is refused with the circle of waiting spelled out', () => {
    // Rank 0 wants the gradient of microbatch 0 before it sends microbatch 1, rank 1 wants microbatch 1 first.
    const { analysis, draw } = opened('0F0,0B0,0F1,0B1\n1F1,1F0,1B0,1B1\n');
    const [message = ''] = found(analysis);
    expect(message).toMatch(
      /ranks wait for each other: rank \d at \d[FB]\d waits for \d[FB]\d, which stands later on rank/,
    );
    expect(message).toContain('passes never run');
    expect(draw()).toMatchObject({ empty: true, reason: expect.stringContaining('cannot finish') as string });
  });

  it('says nothing while nobody has read it', () => {
    expect(found(opened(null).analysis)).toEqual([]);
  });
});
