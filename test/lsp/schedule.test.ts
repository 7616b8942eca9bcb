import { CancellationTokenSource } from 'vscode-languageserver/node';
import { afterEach, describe, expect, it } from 'vitest';
import type { MeasuredView, SweepView, TimelineView, TraceFileAnswer } from '../../server/src/protocol/timeline';
import { startClient, type TestClient, type TestDocument } from './client';
import { sample } from './samples';

let client: TestClient;

afterEach(async () => {
  await client.close();
});

async function opened(): Promise<TestDocument> {
  client = await startClient();
  // Fewer microbatches: the same answers in a fraction of the time.
  const text = sample('deepseek-v3-2048xH800.shardlens.yaml').replace('global: 15360', 'global: 4096');
  return client.open('v3.shardlens.yaml', text);
}

describe('the schedule’s own requests', () => {
  it('sweep answers with rows, the file’s own among them, and what knobs bring', async () => {
    const document = await opened();
    const view = await document.ask<SweepView>('shardlens/scheduleSweep');
    expect(view.rows.filter(({ own }) => own)).toHaveLength(1);
    expect(view.rows.some(({ pareto }) => pareto)).toBe(true);
    expect(view.knobs.length).toBeGreaterThan(5);
  });

  it('sweep can be cancelled, and others are answered while it runs', async () => {
    const document = await opened();
    const source = new CancellationTokenSource();
    const sweep = client.connection.sendRequest('shardlens/scheduleSweep', { uri: document.uri }, source.token);
    const refused = expect(sweep).rejects.toMatchObject({ message: 'cancelled' });
    const view = await document.ask<TimelineView>('shardlens/schedule');
    expect(view.kind).toBe('dualpipe');
    source.cancel();
    await refused;
  });

  it('trace is JSON of trace events, and a measured run is read back from it', async () => {
    const document = await opened();
    const { text = '' } = await document.ask<TraceFileAnswer>('shardlens/scheduleTrace', { kind: '1f1b' });
    expect((JSON.parse(text) as { traceEvents: unknown[] }).traceEvents.length).toBeGreaterThan(1000);
    const run = await document.ask<MeasuredView>('shardlens/scheduleMeasured', {
      kind: '1f1b',
      fileName: 'run.json',
      text,
    });
    expect(run).toMatchObject({ ranks: 16, format: 'chrome-trace' });
    expect(run.notes[0]).toMatch(/\(\+0\.0 %\)/);
  });

  it('answer in a sentence where there is nothing, and to what makes no sense', async () => {
    client = await startClient();
    const other = client.open('compose.yaml', 'services: { web: { image: nginx } }\n');
    expect(await other.ask('shardlens/scheduleSweep')).toMatchObject({ empty: true });
    expect(await other.ask<TraceFileAnswer>('shardlens/scheduleTrace')).toHaveProperty('reason');
    const plan = client.open('plan.shardlens.yaml', sample('deepseek-v3-2048xH800.shardlens.yaml'));
    for (const more of [{ microbatches: -3 }, { microbatches: 1e300 }, { kind: {} }, { chunks: 'many' }])
      expect(await plan.ask('shardlens/schedule', more)).toMatchObject({ kind: 'dualpipe', microbatches: 120 });
    expect(await plan.ask('shardlens/scheduleMeasured', { fileName: 'x' })).toMatchObject({ empty: true });
    expect(await plan.ask('shardlens/schedule', { kind: 'dualpipe', microbatches: 7 })).toHaveProperty('reason');
  });
});
