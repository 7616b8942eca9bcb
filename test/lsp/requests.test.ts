import type { CodeAction, CodeLens, CompletionItem, DocumentLink, Hover, MarkupContent } from 'vscode-languageserver';
import { afterEach, describe, expect, it } from 'vitest';
import type { MemoryView } from '../../server/src/protocol/memory';
import type { PlacementView } from '../../server/src/protocol/placement';
import type { PlanView } from '../../server/src/protocol/requests';
import type { TimelineView } from '../../server/src/protocol/timeline';
import { decodeColumn } from '../../server/src/protocol/columns';
import { startClient, type ClientOptions, type TestClient } from './client';
import { PLAN, sample } from './samples';

let client: TestClient;

async function start(options?: ClientOptions): Promise<TestClient> {
  client = await startClient(options);
  return client;
}

afterEach(async () => {
  await client.close();
});

describe('language features', () => {
  it('hover answers in its first line with the memory of the fullest rank', async () => {
    const document = (await start()).open('plan.shardlens.yaml', PLAN);
    const hover = await document.at<Hover>('textDocument/hover', 'tensor');
    const first = (hover.contents as MarkupContent).value.split('\n')[0];
    expect(first).toMatch(/\d+\.\d of 79\.2 GiB on rank \d+/);
  });

  it('a code lens stands in the first lines', async () => {
    const document = (await start()).open('plan.shardlens.yaml', PLAN);
    const lenses = await document.ask<CodeLens[]>('textDocument/codeLens');
    expect(lenses.length).toBeGreaterThan(0);
    expect(lenses[0]?.command?.title).toMatch(/GiB/);
  });

  it('completion offers keys and legal values', async () => {
    const document = (await start()).open('plan.shardlens.yaml', PLAN);
    const keys = await document.at<CompletionItem[]>('textDocument/completion', 'schedule:\n  ');
    expect(keys.length).toBeGreaterThan(0);
    const values = await document.at<CompletionItem[]>('textDocument/completion', 'kind: ');
    expect(values.map(({ label }) => label)).toEqual(expect.arrayContaining(['1f1b', 'dualpipe']));
  });

  it('a quick fix settles its finding by a text edit', async () => {
    const document = (await start()).open('heads.shardlens.yaml', sample('broken', 'heads.shardlens.yaml'));
    const found = await document.diagnostics();
    const finding = found.find(({ code }) => code === 'heads-not-divisible');
    expect(finding).toBeDefined();
    const actions = await document.ask<CodeAction[]>('textDocument/codeAction', {
      range: finding?.range,
      context: { diagnostics: found },
    });
    const edits = actions.flatMap((action) => action.edit?.changes?.[document.uri] ?? []);
    expect(edits.map(({ newText }) => newText)).toEqual(expect.arrayContaining(['16', '32']));
  });

  it('links lead to the files that are named', async () => {
    const files = { 'sglang-deepseek-v3.expert-loads.json': sample('sglang-deepseek-v3.expert-loads.json') };
    const document = (await start({ files })).open('sglang.yaml', sample('sglang-deepseek-v3.yaml'));
    await document.settled();
    const links = await document.ask<DocumentLink[]>('textDocument/documentLink');
    expect(links.map(({ target }) => target)).toContain('file:///workspace/sglang-deepseek-v3.expert-loads.json');
  });
});

describe('custom requests', () => {
  it('plan tells dialect, model and cluster with their places', async () => {
    const document = (await start()).open('v3.shardlens.yaml', sample('deepseek-v3-2048xH800.shardlens.yaml'));
    const plan = await document.ask<PlanView>('shardlens/plan');
    expect(plan).toMatchObject({ dialect: 'shardlens', task: 'training', missing: [] });
    expect(plan.summary).toContain('2,048 × H800');
    const gpu = plan.facts.find(({ field }) => field === 'cluster.gpu');
    expect(gpu?.link?.uri).toBe(document.uri);
  });

  it('memory gives a bar a rank class, every part with its formula', async () => {
    const document = (await start()).open('v3.shardlens.yaml', sample('deepseek-v3-2048xH800.shardlens.yaml'));
    const view = await document.ask<MemoryView>('shardlens/memory');
    expect(view.worldSize).toBe(2048);
    expect(view.classes.reduce((sum, { count }) => sum + count, 0)).toBe(2048);
    for (const { parts, items, total } of view.classes) {
      expect(Object.values(parts).reduce((a, b) => a + b, 0)).toBeLessThanOrEqual(total);
      expect(items.every(({ formula }) => formula.length > 0)).toBe(true);
    }
  });

  it('schedule gives the timeline, and another kind when asked', async () => {
    const document = (await start()).open('v3.shardlens.yaml', sample('deepseek-v3-2048xH800.shardlens.yaml'));
    const view = await document.ask<TimelineView>('shardlens/schedule');
    expect(view).toMatchObject({ kind: 'dualpipe', ranks: 16, microbatches: 120, bidirectional: true });
    const starts = decodeColumn(view.columns.start);
    expect(starts.length).toBe(decodeColumn(view.columns.rankStart).at(-1));
    const other = await document.ask<TimelineView>('shardlens/schedule', { kind: '1f1b' });
    expect(other).toMatchObject({ kind: '1f1b', bidirectional: false });
  });

  it('placement places on the loads that the file names, under the asked policy', async () => {
    const files = { 'sglang-deepseek-v3.expert-loads.json': sample('sglang-deepseek-v3.expert-loads.json') };
    const document = (await start({ files })).open('sglang.yaml', sample('sglang-deepseek-v3.yaml'));
    await document.settled();
    const view = await document.ask<PlacementView>('shardlens/placement');
    expect(view).toMatchObject({ experts: 256, slots: 288, gpus: 32, layers: 58, firstLayer: 3, uniformLoads: false });
    const trivial = await document.ask<PlacementView>('shardlens/placement', { policy: 'trivial' });
    const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
    expect(mean(view.meanOverMax)).toBeGreaterThan(mean(trivial.meanOverMax));
  });

  it('answer with a reason where there is nothing to draw', async () => {
    const document = (await start()).open('compose.yaml', 'services: { web: { image: nginx } }\n');
    for (const method of ['memory', 'schedule', 'placement', 'plan']) {
      const answer = await document.ask<{ empty?: boolean; reason?: string }>(`shardlens/${method}`);
      expect(answer.empty).toBe(true);
      expect(answer.reason).toMatch(/\w+ .*\.$/);
    }
  });

  it('show the last good picture while the text is broken, and say so', async () => {
    const document = (await start()).open('plan.shardlens.yaml', PLAN);
    const good = await document.ask<MemoryView>('shardlens/memory');
    expect(good.stale).toBeUndefined();
    await document.replace('tensor: 2', 'tensor: [2');
    const stale = await document.ask<MemoryView>('shardlens/memory');
    expect(stale.stale).toMatch(/^Line \d+ /);
    expect(stale.classes).toEqual(good.classes);
    await document.replace('tensor: [2', 'tensor: 2');
    expect((await document.ask<MemoryView>('shardlens/memory')).stale).toBeUndefined();
  });

  it('says of a text that never parsed that only part of it is drawn', async () => {
    const document = (await start()).open('broken.shardlens.yaml', PLAN.replace('tensor: 2', 'tensor: [2'));
    const { stale } = await document.ask<MemoryView>('shardlens/memory');
    expect(stale).toMatch(/^Line \d+ does not parse; this is the picture of what can be read\.$/);
  });
});
