import { expect, it } from 'vitest';
import { isRefusal } from '../../../server/src/engine/schedule/refusal';
import { planTimes, timelineOf } from '../../../server/src/features/schedule/planned';
import { analyzeText } from '../features/support';

const PLAN = `shardlens: 1
model: llama-3.1-8b
cluster: { gpu: H100, nodes: 1, gpus_per_node: 8 }
parallelism: { tensor: 2, pipeline: 4 }
schedule: 1f1b
batch: { micro: 1, global: 64, sequence: 4096 }
`;
const LOG = [20_000, 20_000, 20_000, 20_000]
  .map(
    (ms, at) =>
      ` [2025-01-01 00:00:0${at}] iteration        ${at + 1}/     100 | consumed samples:         ${64 * (at + 1)} | elapsed time per iteration (ms): ${ms}.0 | throughput per GPU (TFLOP/s/GPU): 401.2 | learning rate: 1.0E-05 | global batch size:    64 |`,
  )
  .join('\n');

it('a timeline is timed with the rates that the user’s own measurements set', () => {
  const plain = analyzeText(PLAN).resolved;
  const slow = analyzeText(`# shardlens: calibration=run.log\n${PLAN}`, { files: { 'run.log': LOG } });
  if (plain === undefined || slow.resolved === undefined) throw new Error('not recognised');
  const factor = slow.calibrated?.()?.factor;
  expect(factor).toBeDefined();
  const [fast, late] = [planTimes(plain), planTimes(slow.resolved)];
  expect([fast.origin, late.origin]).toEqual(['model', 'model']);
  // A step of twenty seconds is far slower than the cost model's own; every pass is.
  expect(late.mean.F).toBeGreaterThan(2 * fast.mean.F);
  const drawn = timelineOf(slow.resolved);
  if (drawn === undefined || isRefusal(drawn)) throw new Error('no timeline');
  expect(drawn.timeline.makespan / 1000).toBeGreaterThan(5);
});
