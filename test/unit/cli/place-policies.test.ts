import { afterAll, describe, expect, it } from 'vitest';
import type { PlacementJson } from '../../../server/src/features/placement/export';
import { PLACEMENT_POLICIES } from '../../../server/src/engine/placement/place';
import { folderWith, json, shardlens } from './run';

/** Two workloads that load different experts. */
function workload(factor: number): number[][] {
  return [Array.from({ length: 16 }, (_, expert) => 5 + (((expert + 1) * factor) % 53))];
}

const STEPS = [workload(17), workload(31)];
const SUM = STEPS[0]?.map((row, layer) => row.map((load, expert) => load + (STEPS[1]?.[layer]?.[expert] ?? 0))) ?? [];
const folder = folderWith({
  'steps.json': JSON.stringify({ logical_count: STEPS }),
  'sum.json': JSON.stringify(SUM),
});
afterAll(() => {
  folder.dispose();
});

const SIZES = ['--replicas', '20', '--gpus', '4', '--nodes', '2', '--groups', '4'];

function worst(placement: PlacementJson): number {
  return Math.min(
    ...STEPS.map((step) => {
      const sums = new Float64Array(4);
      placement.physicalToLogical[0]?.forEach((expert, slot) => {
        const share = (step[0]?.[expert] ?? 0) / (placement.replicaCounts[0]?.[expert] ?? 1);
        sums[Math.floor(slot / 5)] = (sums[Math.floor(slot / 5)] ?? 0) + share;
      });
      return sums.reduce((a, b) => a + b, 0) / 4 / Math.max(...sums);
    }),
  );
}

describe('shardlens place, policies', () => {
  it('uses the single steps of a recording where the policy can', async () => {
    const place = (loads: string): Promise<PlacementJson> =>
      json(['place', '--loads', loads, ...SIZES, '--policy', 'optimized-robust'], folder.path);
    expect(worst(await place('steps.json'))).toBeGreaterThan(worst(await place('sum.json')));
  });

  it.each(PLACEMENT_POLICIES.filter((policy) => !/linear|round/.test(policy)))('%s answers', async (policy) => {
    const answer = await json<PlacementJson>(
      ['place', '--loads', 'sum.json', ...SIZES, '--policy', policy],
      folder.path,
    );
    expect(answer.policy).toBe(policy);
    expect(answer.replicaCounts[0]?.reduce((a, b) => a + b, 0)).toBe(20);
  });

  it("tells a refusal with the framework's own condition", async () => {
    const args = ['place', '--loads', 'sum.json', ...SIZES, '--policy', 'vllm-linear'];
    const { code, err } = await shardlens(args, folder.path);
    expect(code).toBe(1);
    expect(err).toContain('num_redundant_experts == 0');
    expect(err.trim().split('\n')).toHaveLength(1);
  });
});
