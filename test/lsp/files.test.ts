import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readBelow } from '../../server/src/lsp/disk';
import { createFileStore, fileKey } from '../../server/src/lsp/files';

describe('the file store', () => {
  it('reads a file once, also while it is being read', async () => {
    const asked: string[] = [];
    const store = createFileStore(async (uri) => {
      asked.push(uri);
      await Promise.resolve();
      return 'a: 1';
    });
    expect(store.lookup('file:///a')).toBeUndefined();
    expect(await Promise.all([store.fetch(['file:///a']), store.fetch(['file:///a'])])).toEqual([true, true]);
    expect(await store.fetch(['file:///a'])).toBe(false);
    expect(asked).toEqual(['file:///a']);
    expect(store.lookup('file:///a')).toBe('a: 1');
    expect(store.parse('file:///a', 'a: 1')).toBe(store.parse('file:///a', 'a: 1'));
  });

  it('remembers what is not there, fails or is too long', async () => {
    const store = createFileStore((uri) => {
      if (uri.endsWith('fails')) return Promise.reject(new Error('on purpose'));
      return Promise.resolve(uri.endsWith('long') ? 'x'.repeat(1024 * 1024 + 1) : null);
    });
    await store.fetch(['file:///none', 'file:///fails', 'file:///long']);
    expect(['none', 'fails', 'long'].map((name) => store.lookup(`file:///${name}`))).toEqual([null, null, null]);
  });

  it('does not keep what changed while it was read', async () => {
    const answers: ((text: string) => void)[] = [];
    const store = createFileStore(() => new Promise((resolve) => answers.push(resolve)));
    const first = store.fetch(['file:///a']);
    store.forget('file:///a');
    const second = store.fetch(['file:///a']);
    answers[1]?.('new');
    answers[0]?.('old');
    expect(await Promise.all([first, second])).toEqual([true, true]);
    expect(store.lookup('file:///a')).toBe('new');
    const third = store.fetch(['file:///b']);
    store.put('file:///b', 'as the editor has it');
    answers[2]?.('as the disk has it');
    await third;
    expect(store.lookup('file:///b')).toBe('as the editor has it');
  });

  it('holds a bounded number of files and characters, the newest ones', async () => {
    const store = createFileStore((uri) => Promise.resolve(uri.includes('big') ? 'x'.repeat(1024 * 1024) : 'x'));
    for (let at = 0; at < 300; at += 1) await store.fetch([`file:///${at}`]);
    expect(store.lookup('file:///0')).toBeUndefined();
    expect(store.lookup('file:///299')).toBe('x');
    for (let at = 0; at < 12; at += 1) await store.fetch([`file:///big${at}`]);
    expect(store.lookup('file:///big0')).toBeUndefined();
    expect(store.lookup('file:///big11')?.length).toBe(1024 * 1024);
    store.clear();
    expect(store.lookup('file:///big11')).toBeUndefined();
  });

  it.each([
    ['file:///C:/a b', 'file:///c%3A/a%20b'],
    ['file:///w/a@b+c', 'file:///w/a%40b%2Bc'],
    ['file:///w/50%', 'file:///w/50%'],
  ])('takes %s and %s for one file', (a, b) => {
    expect(fileKey(a)).toBe(fileKey(b));
  });
});

describe('reading from disk', () => {
  let folder: string;
  const uri = (...parts: string[]): string => pathToFileURL(path.join(folder, ...parts)).toString();
  beforeAll(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'shardlens-disk-'));
    mkdirSync(path.join(folder, 'work/sub'), { recursive: true });
    mkdirSync(path.join(folder, 'work-beside'));
    writeFileSync(path.join(folder, 'work/sub/a.json'), '{"in": 1}');
    writeFileSync(path.join(folder, 'secret.json'), '{"out": 1}');
    writeFileSync(path.join(folder, 'work-beside/b.json'), '{"out": 2}');
    writeFileSync(path.join(folder, 'work/large.json'), 'x'.repeat(1024 * 1024 + 1));
    symlinkSync(path.join(folder, 'secret.json'), path.join(folder, 'work/link.json'));
    symlinkSync(folder, path.join(folder, 'work/up'));
    symlinkSync(path.join(folder, 'work/sub/a.json'), path.join(folder, 'work/inside.json'));
    symlinkSync(path.join(folder, 'work'), path.join(folder, 'root-link'));
    execFileSync('mkfifo', [path.join(folder, 'work/pipe.json')]);
  });
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  it.each([
    ['work/sub/a.json', '{"in": 1}'],
    ['work/inside.json', '{"in": 1}'],
    ['work/sub/../sub/a.json', '{"in": 1}'],
    ['work/link.json', null],
    ['work/up/secret.json', null],
    ['work/../secret.json', null],
    ['work-beside/b.json', null],
    ['work/large.json', null],
    ['work/pipe.json', null],
    ['work/sub', null],
    ['work/missing.json', null],
  ])('%s gives %j', async (file, expected) => {
    expect(await readBelow(uri(file), [uri('work')])).toBe(expected);
  });

  it('takes folders as they really are, and none for granted', async () => {
    expect(await readBelow(uri('work/sub/a.json'), [uri('root-link')])).toBe('{"in": 1}');
    expect(await readBelow(uri('work/sub/a.json'), [uri('gone'), 'vscode-remote://x/work', uri('work')])).toBe(
      '{"in": 1}',
    );
    expect(await readBelow(uri('work/sub/a.json'), [])).toBeNull();
    expect(await readBelow('https://example.com/a.json', [uri('work')])).toBeNull();
    expect(await readBelow('file://host/share/a.json', [uri('work')])).toBeNull();
  });
});
