import type { CodeAction } from 'vscode-languageserver';
import { afterEach, describe, expect, it } from 'vitest';
import type { PlacementEditAnswer, PlacementTextAnswer, PlacementView } from '../../server/src/protocol/placement';
import { startClient, type TestClient } from './client';
import { sample } from './samples';

let client: TestClient;

afterEach(async () => {
  await client.close();
});

const LOADS = 'sglang-deepseek-v3.expert-loads.json';

describe('placements over the protocol', () => {
  it('are compared, written and pointed at', async () => {
    client = await startClient({ files: { [LOADS]: sample(LOADS) } });
    const document = client.open('sglang.yaml', sample('sglang-deepseek-v3.yaml'));
    await document.diagnostics();
    const view = await document.ask<PlacementView>('shardlens/placementCompare', { uri: document.uri });
    expect(view.compare?.map(({ policy }) => policy)).toContain('optimized-anchored');
    const line = sample('sglang-deepseek-v3.yaml')
      .split('\n')
      .findIndex((text) => text.startsWith('ep-size'));
    const place = { line, character: 2 };
    const actions = await document.ask<CodeAction[]>('textDocument/codeAction', {
      range: { start: place, end: place },
      context: { diagnostics: [] },
    });
    const write = actions.find(({ title }) => title.startsWith('Write an optimised expert placement'));
    expect(write?.edit).toBeUndefined();
    const done = await document.ask<CodeAction>('codeAction/resolve', { ...write });
    expect(done.edit?.documentChanges?.map((change) => ('kind' in change ? change.kind : change.edits.length))).toEqual(
      ['create', 1, 2],
    );
    const text = await document.ask<PlacementTextAnswer>('shardlens/placementText', {
      uri: document.uri,
      format: 'trtllm',
    });
    expect('text' in text ? text.text : '').toContain('num_slots: 288');
  });

  it('are changed in their text', async () => {
    client = await startClient();
    const document = client.open('map.json', '{"physical_to_logical_map": [[0, 1, 2, 3]]}');
    await document.diagnostics();
    const { edits } = await document.ask<PlacementEditAnswer>('shardlens/placementEdit', {
      uri: document.uri,
      changes: [{ row: 0, slot: 3, expert: 0 }],
    });
    expect(edits).toEqual([
      { range: { start: { line: 0, character: 39 }, end: { line: 0, character: 40 } }, newText: '0' },
    ]);
  });
});
