import { expect, it } from 'vitest';
import { estimateTraining } from '../../server/src/engine/memory/training';
import { describeShared, sharedJson } from '../shared';
import { denseModel, layoutOf, megatronInput, moeFrom, quantile } from './support/memory-input';

interface Row {
  readonly id: string;
  readonly layers: number;
  readonly seq: number;
  readonly sizes: { tp: number; pp?: number; dp?: number; ep?: number; cp?: number; mbc: number };
  readonly model_config: {
    h: number;
    heads: number;
    kv?: number;
    ffn: number;
    vocab: number;
    mla?: boolean;
    experts?: number;
    topk?: number;
    moe_ffn?: number;
    shared?: number;
    first_dense?: number;
  };
  readonly max_allocated_mib_by_rank: readonly number[];
  readonly peer_prediction: { by_stage: Record<string, number> };
}

const B200 = { gpu: 'B200', memoryBytes: 180 * 2 ** 30, gpus: 8, gpusPerNode: 8, nodes: 1, computeCapability: 100 };

/** Eight B200: Transformer Engine's in-place loss, sequence parallelism with tensor parallelism, one sequence a microbatch. */
export function simumaxInput(row: Row) {
  const c = row.model_config;
  const { tp, pp = 1, ep = 1, cp = 1, mbc } = row.sizes;
  const mla =
    c.mla === true
      ? {
          attention: 'mla' as const,
          qLoraRank: 1536,
          kvLoraRank: 512,
          qkNopeHeadDim: 128,
          qkRopeHeadDim: 64,
          vHeadDim: 128,
        }
      : {};
  const moe =
    c.experts === undefined
      ? {}
      : {
          experts: c.experts,
          expertsPerToken: c.topk ?? 0,
          expertIntermediateSize: c.moe_ffn ?? 0,
          sharedExpertIntermediateSize: c.shared ?? 0,
          moeLayers: moeFrom(row.layers, c.first_dense ?? 0),
        };
  const model = denseModel({
    name: row.id,
    layers: row.layers,
    hiddenSize: c.h,
    heads: c.heads,
    kvHeads: c.kv ?? c.heads,
    headDim: c.mla === true ? 128 : c.h / c.heads,
    intermediateSize: c.ffn,
    vocabSize: c.vocab,
    ...mla,
    ...moe,
  });
  const layout = layoutOf({
    worldSize: 8,
    tensor: tp,
    pipeline: pp,
    expert: ep,
    context: cp,
    sequenceParallel: tp > 1,
  });
  return megatronInput(
    model,
    layout,
    { microBatch: 1, microbatches: mbc, sequenceLength: row.seq },
    { crossEntropy: 'te-fused' },
    { cluster: B200 },
  );
}

describeShared('Measured peaks of every rank on eight B200', ['truth', 'measured-memory.json'], () => {
  const rows = sharedJson<Row[]>('truth', 'measured-memory.json').filter(({ id }) => id.startsWith('simumax'));
  const readings = rows.flatMap((row) => {
    const report = estimateTraining(simumaxInput(row));
    return row.max_allocated_mib_by_rank.map((measured, rank) => {
      const stage = rank < 8 / (row.sizes.pp ?? 1) ? 0 : 1;
      const ours = (report.classes[stage]?.allocated ?? 0) / 2 ** 20;
      const peer = row.peer_prediction.by_stage[stage === 0 ? 'first_stage' : 'last_stage'] ?? 0;
      return {
        id: row.id,
        rank,
        measured,
        error: 100 * (ours / measured - 1),
        peerError: 100 * ((peer * 1024) / measured - 1),
      };
    });
  });
  it('reads all rows', () => {
    expect(rows.length).toBeGreaterThan(20);
    expect(readings.length).toBe(rows.length * 8);
    if (process.env['SHOW'] !== undefined)
      for (const r of readings.filter(({ rank }) => rank % 4 === 0))
        console.log(r.id, r.rank, r.measured.toFixed(1), r.error.toFixed(3), r.peerError.toFixed(3));
  });
  it('is within 0.1 % in the median and 0.5 % at worst', () => {
    const errors = readings.map(({ error }) => Math.abs(error));
    expect(quantile(errors, 0.5)).toBeLessThanOrEqual(0.1);
    expect(Math.max(...errors)).toBeLessThanOrEqual(0.5);
  });
  it('beats the published prediction on every row', () => {
    const lost = readings.filter(({ error, peerError }) => Math.abs(error) >= Math.abs(peerError));
    expect(lost).toEqual([]);
  });
});
