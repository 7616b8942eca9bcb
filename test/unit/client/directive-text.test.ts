import { describe, expect, it } from 'vitest';
import { parseDocument } from 'yaml';
import { commentChange, globOf, workspaceChange, type TextChange } from '../../../client/src/directive-text';

function applied(text: string, change: TextChange): string {
  return text.slice(0, change.start) + change.text + text.slice(change.end);
}

describe('the shardlens comment', () => {
  const set = (text: string, ...values: ['model' | 'gpu' | 'nodes', string][]): string =>
    applied(text, commentChange(text, values));

  it('goes to the top of a text that has none', () => {
    expect(set('tp_size: 8\n', ['gpu', 'H800'], ['nodes', '4'])).toBe('# shardlens: gpu=H800 nodes=4\ntp_size: 8\n');
  });

  it('keeps the line ends of the text', () => {
    expect(set('a: 1\r\n', ['gpu', 'A100'])).toBe('# shardlens: gpu=A100\r\na: 1\r\n');
  });

  it('changes a key where it stands and keeps the others', () => {
    const text = 'a: 1\n# shardlens: model=org/M gpu=A100 nodes=2\nb: 2\n';
    expect(set(text, ['gpu', 'H100'])).toBe('a: 1\n# shardlens: model=org/M gpu=H100 nodes=2\nb: 2\n');
  });

  it('takes a key for itself, not for the end of another', () => {
    expect(set('# shardlens: other_gpu=x\n', ['gpu', 'H100'])).toBe('# shardlens: other_gpu=x gpu=H100\n');
  });

  it('replaces the first key right behind the colon', () => {
    expect(set('# shardlens:gpu=A100\n', ['gpu', 'H100'])).toBe('# shardlens:gpu=H100\n');
  });

  it('quotes a value with a space and takes `$` as it is', () => {
    expect(set('', ['model', '../my model/$1.json'])).toBe('# shardlens: model="../my model/$1.json"\n');
    expect(set('# shardlens: model="old one"\n', ['model', '$&'])).toBe('# shardlens: model=$&\n');
  });

  it('leaves a comment that silences rules alone', () => {
    const text = '# shardlens: ignore heads-not-divisible\na: 1\n';
    expect(set(text, ['gpu', 'H100'])).toBe(`# shardlens: gpu=H100\n${text}`);
  });
});

describe('the workspace file', () => {
  const set = (text: string, glob: string, ...values: ['model' | 'gpu' | 'nodes', string][]): string =>
    applied(text, workspaceChange(text, glob, values));

  it('gets an entry at the end', () => {
    expect(set('', 'a/config.json', ['gpu', 'H100'], ['nodes', '2'])).toBe(
      '"a/config.json":\n  gpu: H100\n  nodes: 2\n',
    );
    expect(set('"b": { gpu: A100 }', 'a', ['gpu', 'H100'])).toBe('"b": { gpu: A100 }\n"a":\n  gpu: H100\n');
  });

  it('changes a flow entry in its own style', () => {
    expect(set('"a": { gpu: A100, nodes: 1 } # why\n', 'a', ['gpu', 'H100'])).toBe(
      '"a": { gpu: H100, nodes: 1 } # why\n',
    );
    expect(set("'a': { nodes: 1 }\n", 'a', ['gpu', 'H100'])).toBe("'a': { nodes: 1, gpu: H100 }\n");
    expect(set('a: {}\n', 'a', ['nodes', '3'])).toBe('a: { nodes: 3 }\n');
  });

  it('changes a block entry in its own indentation', () => {
    const text = '# top\na:\n    # for tests\n    gpu: A100 # old\nb:\n    gpu: B200\n';
    expect(set(text, 'a', ['gpu', 'H100'], ['nodes', '2'])).toBe(
      '# top\na:\n    # for tests\n    gpu: H100\n    nodes: 2\nb:\n    gpu: B200\n',
    );
  });

  it('finishes a last line that has no end', () => {
    expect(set('a:\n  gpu: A100', 'a', ['nodes', '2'])).toBe('a:\n  gpu: A100\n  nodes: 2\n');
    expect(set('a:', 'a', ['nodes', '2'])).toBe('a:\n  nodes: 2\n');
  });

  it.each(['', 'a: { gpu: A100 }\n', 'a:\n  gpu: A100\n  nodes: 8', '"x y":\n  gpu: B200\r\n', '# only a comment'])(
    'stays YAML that says what was asked, from %j',
    (text) => {
      const values = { model: './my model/config.json', gpu: 'MI300X', nodes: '12' } as const;
      const made = set(text, 'a', ...(Object.entries(values) as ['model' | 'gpu' | 'nodes', string][]));
      const document = parseDocument(made);
      expect(document.errors).toEqual([]);
      expect((document.toJS() as { a: unknown }).a).toEqual({ ...values, nodes: 12 });
    },
  );

  it('names a file whose path looks like a glob', () => {
    expect(globOf('runs/[1]/a*.json')).toBe('runs/\\[1\\]/a\\*.json');
  });
});
