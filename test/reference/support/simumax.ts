import type { TrainingInput } from '../../../server/src/engine/memory/input';
import { estimateTraining } from '../../../server/src/engine/memory/training';
import { sharedJson } from '../../shared';
import type { RankReading } from './accuracy-ranks';
import { denseModel, layoutOf, megatronInput, moeFrom } from './memory-input';

/** One run on eight B200 with the peaks of its ranks, and what SimuMax predicted for it. */
export interface SimumaxRow {
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
export function simumaxInput(row: SimumaxRow): TrainingInput {
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

export interface SimumaxReading extends RankReading {
  readonly rank: number;
  /** SimuMax's own prediction against the measurement, in percent. */
  readonly peerError: number;
}

export function simumaxRows(): SimumaxRow[] {
  return sharedJson<SimumaxRow[]>('truth', 'measured-memory.json').filter(({ id }) => id.startsWith('simumax'));
}

/** Every rank of every row. */
export function simumaxReadings(rows: readonly SimumaxRow[] = simumaxRows()): SimumaxReading[] {
  return rows.flatMap((row) => {
    const report = estimateTraining(simumaxInput(row));
    return row.max_allocated_mib_by_rank.map((mib, rank) => {
      const stage = rank < 8 / (row.sizes.pp ?? 1) ? 0 : 1;
      const measured = mib * 2 ** 20;
      const predicted = report.classes[stage]?.allocated ?? 0;
      const peer = row.peer_prediction.by_stage[stage === 0 ? 'first_stage' : 'last_stage'] ?? 0;
      return {
        id: row.id,
        rank,
        measured,
        predicted,
        percent: 100 * (predicted / measured - 1),
        peerError: 100 * ((peer * 2 ** 30) / measured - 1),
        parts: {},
      };
    });
  });
}
