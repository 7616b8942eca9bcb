import { afterAll, describe, expect, it } from 'vitest';
import { folderWith, shardlens } from './run';

/** Two dense layers without any load, then three whose busiest expert is another each time. */
const MOE = [
  [9, 1, 1, 1],
  [1, 9, 1, 1],
  [1, 1, 9, 1],
];
const DUMP = [[0, 0, 0, 0], [0, 0, 0, 0], ...MOE];
const folder = folderWith({ 'dump.json': JSON.stringify({ logical_count: DUMP }), 'moe.json': JSON.stringify(MOE) });
afterAll(() => {
  folder.dispose();
});

const SIZES = ['--replicas', '8', '--gpus', '2', '--nodes', '1'];

describe('rows of loads for a placement of fewer layers', () => {
  it.each(['trtllm', 'vllm', 'vllm-ascend', 'csv'])(
    'fit a file of %s that leaves the dense layers out',
    async (format) => {
      const placed = await shardlens(['place', '--loads', 'moe.json', ...SIZES, '--format', format], folder.path);
      expect(placed.code).toBe(0);
      // Formats that name layers count those of the model.
      const text = placed.out
        .replace(/^( +)(\d+): \[/gm, (_, space: string, layer: string) => `${space}${Number(layer) + 2}: [`)
        .replace(/^(\d+),/gm, (_, layer: string) => `${Number(layer) + 2},`);
      const name = { trtllm: 'map.yaml', csv: 'map.csv' }[format] ?? 'map.json';
      const own = folderWith({ [name]: text, 'dump.json': JSON.stringify({ logical_count: DUMP }) });
      const { out } = await shardlens(['place', name, '--loads', 'dump.json', '--gpus', '2', '--nodes', '1'], own.path);
      own.dispose();
      expect(out).toContain('Of 5 rows of loads, 3 to 5 belong to the 3 layers placed.');
      expect(out).not.toContain('without any load');
      expect(out).toMatch(/^ +2 +\d\.\d{3}/m);
      expect(out).toMatch(/^ +4 +\d\.\d{3}/m);
    },
  );
});
