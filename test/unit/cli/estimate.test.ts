import { describe, expect, it } from 'vitest';
import type { EstimateAnswer } from '../../../server/src/features/estimate';
import { json, shardlens } from './run';

type Estimate = EstimateAnswer & { readonly path: string };

const PLAN = 'deepseek-v3-2048xH800.shardlens.yaml';

describe('shardlens estimate', () => {
  it('gives the checkpoint of DeepSeek-V3 exactly', async () => {
    const { checkpoint, memory, model } = await json<Estimate>(['estimate', 'deepseek-v3/config.json']);
    expect(checkpoint.elements).toBe(684_531_386_000);
    expect(checkpoint.bytes).toBe(688_574_839_360);
    expect(Object.values(checkpoint.elementsByDtype).reduce((a, b) => a + b, 0)).toBe(checkpoint.elements);
    expect(model.activeParameters).toBeLessThan(model.parameters);
    expect(memory.rankClasses).toEqual([]);
    expect(memory.peak).toEqual({ rank: 0, bytes: checkpoint.bytes });
  });

  it('gives bytes of every rank class, the ranks of which cover the world', async () => {
    const answer = await json<Estimate>(['estimate', PLAN]);
    expect(answer).toMatchObject({ path: PLAN, dialect: 'shardlens', worldSize: 2048, findings: [] });
    expect(answer.gpu).toMatchObject({ name: 'H800' });
    const covered = answer.memory.rankClasses.flatMap(({ ranks }) =>
      ranks.split(',').map((range) => {
        const [from = 0, to = from] = range.split('-').map(Number);
        return to - from + 1;
      }),
    );
    expect(covered.reduce((a, b) => a + b, 0)).toBe(2048);
    const most = Math.max(...answer.memory.rankClasses.map(({ total }) => total));
    expect(answer.memory.peak.bytes).toBe(most);
    for (const { allocated, reserved, total, capacity, fits } of answer.memory.rankClasses) {
      expect(allocated).toBeLessThanOrEqual(reserved);
      expect(reserved).toBeLessThanOrEqual(total);
      expect(fits).toBe(total <= (capacity ?? 0));
    }
  });

  it('gives the KV cache of MLA under data-parallel attention', async () => {
    const { kvCache } = await json<Estimate>(['estimate', 'sglang-deepseek-v3.yaml']);
    expect(kvCache?.bytesPerToken).toBe(70_272);
  });

  it('shows measurements beside its own numbers and tunes the times to them', async () => {
    const { folderWith } = await import('./run');
    const folder = folderWith({
      'train.shardlens.yaml':
        'shardlens: 1\nmodel: llama-3.1-8b\ncluster: { gpu: H100, nodes: 1, gpus_per_node: 8 }\nbatch: { micro: 1, global: 64, sequence: 4096 }\n',
      'measured.yaml': 'measured: { step_seconds: 3.5, peak_memory_gib: 70 }\n',
      'nothing.log': 'hello\n',
    });
    try {
      const args = ['estimate', 'train.shardlens.yaml', '--calibrate', 'measured.yaml'];
      const { time, calibration } = await json<Estimate>(args, folder.path);
      expect(time !== undefined && 'stepSeconds' in time ? time.stepSeconds : 0).toBeCloseTo(3.5, 2);
      expect(calibration?.comparisons.map(({ what }) => what)).toEqual(['tokensPerSecondPerGpu', 'peakBytes']);
      expect((await shardlens(args, folder.path)).out).toMatch(/Measured, from the calibration file; kernels reach \d/);
      const nothing = await shardlens(['estimate', 'train.shardlens.yaml', '--calibrate', 'nothing.log'], folder.path);
      expect(nothing.code).toBe(2);
      expect(nothing.err).toMatch(/nothing\.log holds no measurement/);
    } finally {
      folder.dispose();
    }
  });

  it('takes model and GPU from the options where the file names none', async () => {
    const folder = await import('./run').then(({ folderWith }) =>
      folderWith({
        'serve.yaml': 'model-path: /models/mine\ntp-size: 8\nmem-fraction-static: 0.8\nattention-backend: flashinfer\n',
      }),
    );
    try {
      const without = await shardlens(['estimate', 'serve.yaml'], folder.path);
      expect(without.code).toBe(2);
      expect(without.err).toMatch(/the model .*is not known .*--model/);
      const answer = await json<Estimate>(
        ['estimate', 'serve.yaml', '--model', 'llama-3.1-70b', '--gpu', 'H200'],
        folder.path,
      );
      expect(answer.gpu?.name).toBe('H200');
      expect(answer.model.parameters).toBe(70_553_706_496);
    } finally {
      folder.dispose();
    }
  });

  it('prints GiB in a table for people, and exits with 1 where the plan is refused', async () => {
    const { out, code } = await shardlens(['estimate', PLAN]);
    expect(code).toBe(0);
    const widths = out
      .split('\n')
      .filter((line) => /^\d+-\d+.*pp \d/.test(line))
      .map((line) => line.length);
    expect(widths.length).toBeGreaterThan(4);
    expect(new Set(widths).size).toBe(1);
    expect(out).not.toMatch(/NaN|undefined|Infinity/);
    expect((await shardlens(['estimate', 'broken/heads.shardlens.yaml'])).code).toBe(1);
  });

  it('computes what would make a plan fit', async () => {
    const { options = [], memory } = await json<Estimate>(['estimate', PLAN]);
    expect(options.length).toBeGreaterThan(3);
    for (const { bytes, saved, cost } of options) {
      expect(bytes + saved).toBe(memory.peak.bytes);
      expect(cost.length).toBeGreaterThan(5);
    }
    const { out } = await shardlens(['estimate', PLAN, '--gpu', 'A100-40GB']);
    expect(out).not.toContain('undefined');
  });
});
