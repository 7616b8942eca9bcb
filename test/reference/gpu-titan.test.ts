import { expect, it } from 'vitest';
import { stagesOfRank } from '../../server/src/engine/layout/stages';
import { stagesOf } from '../../server/src/engine/memory/training';
import { describeShared } from '../shared';
import { rankReadings } from './support/accuracy-ranks';
import { gpuTitanInput, gpuTitanRows } from './support/gpu-titan';
import { quantile } from './support/memory-input';

describeShared('torchtitan ranks measured on an H100', ['truth', 'gpu-titan.json'], () => {
  const rows = gpuTitanRows();
  const readings = rankReadings('torchtitan');
  it('reads every row or says why not', () => {
    for (const { id } of rows.filter(({ ok }) => !ok))
      console.log(`left out: ${id} (ran out of memory: a lower bound only)`);
    expect(readings.length).toBeGreaterThan(20);
    if (process.env['SHOW'] !== undefined)
      for (const r of readings) console.log(r.id, r.resting.toFixed(2), r.percent.toFixed(2));
  });
  it('splits layers as torchtitan did', () => {
    for (const row of rows.filter(({ ok }) => ok)) {
      const input = gpuTitanInput(row);
      const { pipeline } = input.layout;
      const held = stagesOfRank(
        input.pipeline.kind,
        input.layout,
        Math.floor(row.spec.rank / (row.spec.world / pipeline)),
      );
      const stages = stagesOf(input);
      const layers = held.map((stage) => {
        const { firstLayer = 0, layers: count = 0 } = stages[stage] ?? {};
        return Array.from({ length: count }, (_, index) => String(firstLayer + index));
      });
      expect(layers, row.id).toEqual(row.layers);
    }
  });
  it('is within 1 % in the median and 5 % at the 90th percentile', () => {
    const errors = readings.map(({ percent }) => Math.abs(percent));
    console.log(
      `peak %: median ${quantile(errors, 0.5).toFixed(3)}, p90 ${quantile(errors, 0.9).toFixed(2)}, worst ${Math.max(...errors).toFixed(2)}`,
    );
    expect(quantile(errors, 0.5)).toBeLessThanOrEqual(1);
    expect(quantile(errors, 0.9)).toBeLessThanOrEqual(5);
  });
  it('gives the bytes between steps within 1 % in the median', () => {
    expect(
      quantile(
        readings.map(({ resting }) => Math.abs(resting)),
        0.5,
      ),
    ).toBeLessThanOrEqual(1);
  });
});
