import { afterEach, describe, expect, it, vi } from 'vitest';
import { startClient, type TestClient } from './client';
import type * as DiagnosticsFeature from '../../server/src/features/diagnostics';
import type { Analysis } from '../../server/src/features/analysis';
import { PLAN } from './samples';

vi.mock('../../server/src/features/hover', () => ({
  hover: () => {
    throw new Error('hover is broken on purpose');
  },
}));
vi.mock('../../server/src/features/diagnostics', async (original) => {
  const real = await original<typeof DiagnosticsFeature>();
  return {
    ...real,
    diagnostics: (analysis: Analysis) => {
      if (analysis.text.includes('# broken')) throw new RangeError('diagnostics are broken on purpose');
      return real.diagnostics(analysis);
    },
  };
});
vi.mock('../../server/src/features/views/memory', () => ({
  memoryView: () => {
    throw new TypeError('memory is broken on purpose');
  },
}));

let client: TestClient;
afterEach(async () => {
  await client.close();
});

describe('a feature that throws', () => {
  it('costs its own answer, is logged once, and leaves everything else', async () => {
    client = await startClient();
    const document = client.open('plan.shardlens.yaml', PLAN);
    await document.settled();
    for (let time = 0; time < 3; time += 1) expect(await document.at('textDocument/hover', 'tensor')).toBeNull();
    expect(await document.ask('shardlens/memory')).toMatchObject({ empty: true });
    expect(client.errors.filter((line) => line.includes('hover is broken on purpose'))).toHaveLength(1);
    expect(client.errors.filter((line) => line.includes('memory is broken on purpose'))).toHaveLength(1);
    expect(await document.ask('textDocument/codeLens')).not.toEqual([]);
    expect(await document.ask('shardlens/plan')).toMatchObject({ dialect: 'shardlens' });
  });

  it('leaves no findings of an older text behind', async () => {
    client = await startClient();
    const document = client.open('plan.shardlens.yaml', PLAN.replace('tensor: 2', 'tensor: 24'));
    expect(await document.settled()).not.toEqual([]);
    await document.replace('shardlens: 1', 'shardlens: 1 # broken');
    expect(await document.diagnostics()).toEqual([]);
    await document.replace(' # broken', '');
    expect(await document.diagnostics()).not.toEqual([]);
    expect(client.errors.filter((line) => line.includes('diagnostics are broken on purpose'))).toHaveLength(1);
  });
});
