import { expect, it } from 'vitest';
import type { TrainingInput } from '../../server/src/engine/memory/input';
import { describeShared } from '../shared';
import type { GpuHfRow } from './support/gpu-hf';
import { gpuRows } from './support/gpu-hf';
import { gpuReadings } from './support/gpu-report';
import { denseModel, layoutOf, megatronInput, quantile } from './support/memory-input';

interface DualPipeRow extends GpuHfRow {
  readonly spec: GpuHfRow['spec'] & {
    readonly alg: 'dualpipe' | 'dualpipev';
    readonly pp: number;
    readonly chunks: number;
    readonly h: number;
    readonly L: number;
  };
}

/** The example of a row: stages of L plain blocks h -> 4h -> h in BF16, without embedding, head and optimizer. */
function inputOf(row: GpuHfRow): TrainingInput {
  const { alg, pp, chunks, h, L, seq } = (row as DualPipeRow).spec;
  const layers = L * pp * (alg === 'dualpipev' ? 2 : 1);
  const base = megatronInput(
    denseModel({
      layers,
      hiddenSize: h,
      intermediateSize: 4 * h,
      gatedMlp: false,
      vocabSize: 1,
      mixers: Array.from({ length: layers }, () => 'none' as const),
    }),
    layoutOf({ worldSize: pp, pipeline: pp, data: 1 }),
    { microBatch: 1, microbatches: chunks, sequenceLength: seq },
    { modelCode: 'dualpipe', pipelinedTables: false, vocabDivisor: 1 },
  );
  return {
    ...base,
    optimizer: { ...base.optimizer, kind: 'adafactor', zeroStage: 0 },
    precision: { ...base.precision, gradients: 'BF16', masterWeights: 'none' },
    pipeline: { kind: alg },
  };
}

describeShared('DualPipe and DualPipeV, measured on an H100', ['truth', 'gpu-dualpipe.json'], () => {
  const rows = gpuRows('gpu-dualpipe.json');
  const readings = gpuReadings(rows, inputOf);
  it('reads every row', () => {
    expect(readings.length).toBe(rows.filter(({ ok }) => ok).length);
    expect(readings.length).toBeGreaterThanOrEqual(7);
  });
  it('is within 1 % everywhere', () => {
    const errors = readings.map(({ percent }) => Math.abs(percent));
    console.log(`peak %: median ${quantile(errors, 0.5).toFixed(3)}, worst ${Math.max(...errors).toFixed(2)}`);
    expect(Math.max(...errors)).toBeLessThanOrEqual(1);
  });
  it('gives the bytes between steps within 1 %', () => {
    expect(Math.max(...readings.map(({ resting }) => Math.abs(resting)))).toBeLessThanOrEqual(1);
  });
});
