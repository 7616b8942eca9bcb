import { afterAll, describe, expect, it } from 'vitest';
import { folderWith, json, shardlens } from './run';

interface Diff {
  readonly old: string;
  readonly new: string;
  readonly changes: readonly {
    readonly field: string;
    readonly label: string;
    readonly from: string | null;
    readonly to: string | null;
  }[];
  readonly metrics: readonly {
    readonly id: string;
    readonly before: number | null;
    readonly after: number | null;
    readonly change: number | null;
  }[];
  readonly findings: {
    readonly appeared: readonly { readonly rule: string; readonly line: number }[];
    readonly gone: readonly unknown[];
  };
}

const OLD = `shardlens: 1
model: llama-3.1-8b
cluster: { gpu: H100, nodes: 2, gpus_per_node: 8 }
parallelism:
  tensor: 2
  pipeline: 4
batch: { micro: 1, global: 64, sequence: 4096 }
`;
const folder = folderWith({
  'old.shardlens.yaml': OLD,
  'new.shardlens.yaml': OLD.replace('pipeline: 4', 'pipeline: 2'),
  'wrong.shardlens.yaml': OLD.replace('tensor: 2', 'tensor: 3'),
  'serve.yaml':
    'model-path: meta-llama/Llama-3.1-70B\ntp-size: 8\nmem-fraction-static: 0.8\nattention-backend: flashinfer\n',
  'none.yaml': 'name: something else\n',
});
afterAll(() => {
  folder.dispose();
});
const diff = (...args: string[]): Promise<Diff> => json<Diff>(['diff', ...args], folder.path);

describe('shardlens diff', () => {
  it('tells what a change does to memory, time and traffic', async () => {
    const { changes, metrics } = await diff('old.shardlens.yaml', 'new.shardlens.yaml');
    expect(changes).toEqual([{ field: 'layout.pipeline', label: 'pipeline', from: '4', to: '2' }]);
    const of = (id: string): (typeof metrics)[number] | undefined => metrics.find((metric) => metric.id === id);
    expect(of('memory')?.change).toBeGreaterThan(0);
    expect(of('bubble')?.after).toBeLessThan(of('bubble')?.before ?? 0);
    expect(of('step')?.change).toBeCloseTo((of('step')?.after ?? 0) / (of('step')?.before ?? 1) - 1, 9);
    expect(of('gpus')?.change).toBe(0);
  });

  it('has nothing to say about the same file', async () => {
    const { changes, metrics, findings } = await diff('old.shardlens.yaml', 'old.shardlens.yaml');
    expect(changes).toEqual([]);
    for (const { before, after } of metrics) expect(after).toBe(before);
    expect(findings).toEqual({ appeared: [], gone: [] });
    const { out, code } = await shardlens(['diff', 'old.shardlens.yaml', 'old.shardlens.yaml'], folder.path);
    expect(code).toBe(0);
    expect(out).toMatch(/No value changed[^]*Memory and time stay as they are/);
  });

  it('ends with 1 and tells new findings where the new file is refused', async () => {
    const { code, out } = await shardlens(
      ['diff', 'old.shardlens.yaml', 'wrong.shardlens.yaml', '--format', 'json'],
      folder.path,
    );
    expect(code).toBe(1);
    expect((JSON.parse(out) as Diff).findings.appeared.length).toBeGreaterThan(0);
  });

  it('writes a report for a pull request', async () => {
    const { out } = await shardlens(
      ['diff', 'old.shardlens.yaml', 'new.shardlens.yaml', '--format', 'markdown'],
      folder.path,
    );
    expect(out).toMatch(/^### Shardlens: `old\.shardlens\.yaml` → `new\.shardlens\.yaml`\n/);
    expect(out).toMatch(/\| memory of the fullest rank \| [\d.]+ GiB \| [\d.]+ GiB \| \+[\d.]+ % \|/);
    expect(out).toMatch(/\| `pipeline` \| 4 \| 2 \|/);
    for (const line of out.split('\n').filter((text) => text.startsWith('|')))
      expect([4, 5]).toContain(line.split(/(?<!\\)\|/).length - 1);
  });

  it('annotates the first changed line of the new file', async () => {
    const { out } = await shardlens(
      ['diff', 'old.shardlens.yaml', 'new.shardlens.yaml', '--format', 'github'],
      folder.path,
    );
    expect(out).toMatch(/^::notice file=new\.shardlens\.yaml,line=6,title=Shardlens::memory .* GiB/);
    expect(out).not.toMatch(/[^5]%(?!\d)/);
    const wrong = await shardlens(
      ['diff', 'old.shardlens.yaml', 'wrong.shardlens.yaml', '--format', 'github'],
      folder.path,
    );
    expect(wrong.out).toMatch(/\n::error file=wrong\.shardlens\.yaml,line=\d+,title=/);
  });

  it('compares serving configs and different frameworks, too', async () => {
    const { metrics } = await diff('serve.yaml', 'serve.yaml', '--gpu', 'H100');
    expect(metrics.find(({ id }) => id === 'kvTokens')?.after).toBeGreaterThan(0);
    const { metrics: mixed } = await diff('old.shardlens.yaml', 'serve.yaml');
    expect(mixed.find(({ id }) => id === 'step')?.after).toBeNull();
  });

  it.each([
    [['diff'], /old and the new/],
    [['diff', 'old.shardlens.yaml'], /old and the new/],
    [['diff', 'old.shardlens.yaml', 'new.shardlens.yaml', 'serve.yaml'], /two files/],
    [['diff', 'old.shardlens.yaml', 'none.yaml'], /not recognised/],
    [['diff', 'old.shardlens.yaml', 'missing.yaml'], /no such file/],
    [['diff', 'old.shardlens.yaml', 'new.shardlens.yaml', '--format', 'xml'], /--format/],
  ])('refuses %j', async (args, reason) => {
    const { code, out, err } = await shardlens(args, folder.path);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toMatch(reason);
  });
});
