import type { TrainingInput } from '../../../server/src/engine/memory/input';
import type { GpuHfRow } from './gpu-hf';
import { denseModel, layoutOf, megatronInput } from './memory-input';

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
export function gpuDualpipeInput(row: GpuHfRow): TrainingInput {
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
