import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { readPlacementFile, type PlacementFile } from '../../../server/src/features/placement/loads';
import { readRecording } from '../../../server/src/features/placement/recorder';
import { bytesToText } from '../../../server/src/protocol/bytes';
import { describeShared } from '../../shared';
import { archive, dict, joined, number, pickle, tensor, text, torchFile } from './torch-bytes';

function loadsOf(file: PlacementFile): { readonly loads: number[][]; readonly steps?: number[][][] } {
  if (file.kind !== 'loads') throw new Error(file.kind === 'refused' ? file.reason : file.kind);
  const rows = (loads: readonly Float64Array[]): number[][] => loads.map((row) => [...row]);
  return { loads: rows(file.loads), ...(file.steps === undefined ? {} : { steps: file.steps.map(rows) }) };
}

function reasonOf(bytes: Uint8Array): string {
  const file = readRecording(bytes);
  return file.kind === 'refused' ? file.reason : `not refused: ${file.kind}`;
}

describe('recordings of torch.save', () => {
  it('reads the counts of a window', () => {
    const counts = tensor('IntStorage', '0', [2, 1, 3]);
    const file = torchFile(
      dict({ rank: number(0), logical_count: counts, average_utilization_rate_over_window: joined('N') }),
      {
        '0': Int32Array.of(1, 2, 3, 10, 20, 30),
      },
    );
    expect(loadsOf(readRecording(file))).toEqual({ loads: [[11, 22, 33]], steps: [[[1, 2, 3]], [[10, 20, 30]]] });
    expect(loadsOf(readPlacementFile(bytesToText(file))).loads).toEqual([[11, 22, 33]]);
  });

  it.each([
    ['LongStorage', BigInt64Array.of(5n, 6n, 7n, 8n)],
    ['ShortStorage', Int16Array.of(5, 6, 7, 8)],
    ['FloatStorage', Float32Array.of(5, 6, 7, 8)],
    ['DoubleStorage', Float64Array.of(5, 6, 7, 8)],
    ['HalfStorage', Uint16Array.of(0x4500, 0x4600, 0x4700, 0x4800)],
    ['BFloat16Storage', Uint16Array.of(0x40a0, 0x40c0, 0x40e0, 0x4100)],
  ] as const)('reads a bare tensor of %s', (storage, data) => {
    expect(loadsOf(readRecording(torchFile(tensor(storage, '7', [2, 2]), { '7': data }))).loads).toEqual([
      [5, 6],
      [7, 8],
    ]);
  });

  it('follows the strides of a transposed tensor', () => {
    const file = torchFile(tensor('IntStorage', '0', [2, 2], [1, 2]), { '0': Int32Array.of(1, 2, 3, 4) });
    expect(loadsOf(readRecording(file)).loads).toEqual([
      [1, 3],
      [2, 4],
    ]);
  });

  it('adds the slots of every pass up by their experts', () => {
    const pass = (key: string): Uint8Array =>
      dict({ rank: number(0), global_physical_count: tensor('IntStorage', key, [1, 4]) });
    const file = torchFile(
      dict({
        records: joined('](', pass('0'), pass('1'), 'e'),
        last_physical_to_logical_map: tensor('LongStorage', '2', [1, 4]),
      }),
      { '0': Int32Array.of(1, 2, 3, 4), '1': Int32Array.of(10, 0, 0, 5), '2': BigInt64Array.of(0n, 1n, 2n, 0n) },
    );
    expect(loadsOf(readRecording(file))).toEqual({ loads: [[20, 2, 3]], steps: [[[5, 2, 3]], [[15, 0, 0]]] });
  });
});

describe('pickles that are more than numbers', () => {
  const call = (module: string, name: string): Uint8Array =>
    joined(`c${module}\n${name}\n(`, text('touch /tmp/x'), 'tR');

  it.each([
    ['os', 'system'],
    ['posix', 'system'],
    ['builtins', 'eval'],
    ['__builtin__', 'exec'],
    ['subprocess', 'Popen'],
    ['torch', 'load'],
    ['torch.storage', '_load_from_bytes'],
    ['collections', 'OrderedDict.__class__'],
  ])('refuses %s.%s by name', (module, name) => {
    const reason = reasonOf(torchFile(dict({ logical_count: call(module, name) })));
    expect(reason).toContain(`asks to load ${module}.${name}`);
    expect(reason).toContain('could run code');
  });

  it('refuses the same by the newer opcodes', () => {
    const stacked = joined([0x8c, 2], 'os', [0x8c, 6], 'system', [0x93], '(', text('x'), 'tR');
    expect(reasonOf(torchFile(stacked))).toContain('asks to load os.system');
  });

  it.each([
    ['an object of a class', joined('(ios\nsystem\n')],
    ['an instance by extension number', joined([0x82, 1])],
    ['a state for an object', joined('}}b')],
    ['a class by __new__', joined(')', [0x81])],
  ])('refuses %s', (_what, opcodes) => {
    expect(reasonOf(torchFile(opcodes))).toContain('which no recording of expert counts needs');
  });

  it.each([
    [
      'an OrderedDict made of arguments',
      torchFile(joined('ccollections\nOrderedDict\n(', text('a'), 'tR')),
      'with arguments',
    ],
    ['data of another kind', torchFile(joined('(', text('module'), 'tQ')), 'no tensor storage'],
    [
      'a tensor beyond its data',
      torchFile(tensor('IntStorage', '0', [4, 4]), { '0': new Int32Array(4) }),
      'more numbers than its data',
    ],
    [
      'a view that repeats its data',
      torchFile(tensor('IntStorage', '0', [60_000, 60_000], [0, 0]), { '0': new Int32Array(4) }),
      'more numbers than its data',
    ],
    ['a tensor without data', torchFile(tensor('IntStorage', '9', [1, 1])), 'lacks the data'],
    ['a negative count', torchFile(tensor('IntStorage', '0', [1, 2]), { '0': Int32Array.of(1, -2) }), 'negative'],
    ['a tensor of one axis', torchFile(tensor('IntStorage', '0', [2]), { '0': Int32Array.of(1, 2) }), 'the shape [2]'],
    ['a pickle that ends early', archive({ 'run/data.pkl': joined([0x80, 2], 'X') }), 'ends too early'],
    ['an empty pickle', archive({ 'run/data.pkl': pickle(joined('')) }), 'a value is missing'],
    ['a packed archive', archive({ 'run/data.pkl': pickle(joined('N')) }, 8), 'compressed'],
    ['an archive of something else', archive({ 'a.txt': joined('N') }), 'no data.pkl'],
    ['a bare pickle', pickle(joined('N')), 'bare pickle'],
    ['half an archive', torchFile(joined('N')).subarray(0, 40), 'no zip archive'],
    ['other values', torchFile(dict({ weights: number(1) })), 'neither a logical_count'],
  ])('refuses %s', (_what, bytes, words) => {
    expect(reasonOf(bytes)).toContain(words);
  });

  it('never throws, wherever a file is cut or a byte is changed', () => {
    const whole = torchFile(dict({ logical_count: tensor('IntStorage', '0', [1, 3]) }), {
      '0': Int32Array.of(1, 2, 3),
    });
    for (let at = 0; at < whole.length; at += 1) {
      expect(['refused', 'loads']).toContain(readRecording(whole.subarray(0, at)).kind);
      const changed = whole.slice();
      changed[at] = (changed[at] ?? 0) ^ 0xa5;
      expect(['refused', 'loads']).toContain(readRecording(changed).kind);
    }
  });
});

describeShared('recordings of engines', ['corpus/placement'], (folder) => {
  it.each(readdirSync(folder).filter((name) => name.endsWith('.pt')))('%s gives loads', (name) => {
    const { loads } = loadsOf(readRecording(readFileSync(path.join(folder, name))));
    expect(loads[0]?.length).toBe(256);
    expect(loads.flat().reduce((sum, load) => sum + load, 0)).toBeGreaterThan(0);
  });

  it('reads one file of TensorRT-LLM statistics', () => {
    const bytes = readFileSync(path.join(folder, 'trtllm_statistics_rank0.safetensors'));
    const file = readPlacementFile(bytesToText(bytes));
    expect(file.kind === 'loads' ? [file.loads.length, file.firstLayer] : file).toEqual([3, 3]);
  });
});
