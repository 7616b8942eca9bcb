import { expect, it } from 'vitest';
import { describeShared } from '../shared';
import { inferenceTable, measuredInferenceRows } from './support/measured-inference';
import { quantile } from './support/memory-input';

describeShared('logs of vLLM, SGLang and TensorRT-LLM', ['truth', 'measured-inference.json'], () => {
  const rows = measuredInferenceRows();
  const { readings, omissions } = inferenceTable(rows);
  const errorsOf = (figure: string): number[] =>
    readings.filter((reading) => reading.figure === figure).map(({ error }) => Math.abs(error));

  it('computes every row or says why not', () => {
    const lines = readings.map(
      ({ id, model, figure, unit, measured, predicted, error }) =>
        `${id} ${figure.padEnd(8)} ${measured.toFixed(2).padStart(12)} ${predicted.toFixed(2).padStart(12)} ${unit.padEnd(6)} ${error.toFixed(2).padStart(7)} %  ${model}`,
    );
    const left = omissions.map(({ id, figure, reason }) => `${id} ${figure}: ${reason}`);
    console.log([...lines, 'left out:', ...left].join('\n'));
    for (const { id } of rows)
      expect(
        [...readings, ...omissions].some((entry) => entry.id === id),
        id,
      ).toBe(true);
    expect(readings.every(({ predicted }) => Number.isFinite(predicted) && predicted > 0)).toBe(true);
  });
  it('weighs within 1 % in the median', () => {
    expect(quantile(errorsOf('weights'), 0.5)).toBeLessThanOrEqual(1);
  });
  it('holds as many tokens as logged, within 3 % in the median', () => {
    expect(quantile(errorsOf('capacity'), 0.5)).toBeLessThanOrEqual(3);
  });
  it('cuts a logged number of bytes into tokens as the engine did', () => {
    for (const { id, figure, error } of readings) if (figure === 'cells') expect(Math.abs(error), id).toBeLessThan(0.1);
  });
});
