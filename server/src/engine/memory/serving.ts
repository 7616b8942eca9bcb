import type { RankRange } from '../layout/rank-grid';
import { countRanks, formatRanks, rankCoordinates } from '../layout/rank-grid';
import type { ServingInput } from './input';
import { refuseLayout, refuseModel } from './input';
import { cacheBytesPerToken, cacheCell } from './kv-cache';
import { newLedger, num, partsOf, put, sumParts } from './ledger';
import type { MemoryReport, RankClass } from './report';
import { SERVING_CONTEXT, cacheBudget } from './serving-budget';
import { putServingWeights, servingStages } from './serving-weights';
import { withPeak } from './training';

/** Reserved over allocated peak of inference processes, measured median. */
const SLACK = 1.07;

/**
 * Device memory of a serving job by rank class, and what the cache can hold, by the rule of the engine named in `serving.stack`.
 * Without a cluster only weights and bytes a token are known. Impossible sizes come back as `refusals`.
 */
export function estimateServing(input: ServingInput): MemoryReport {
  const refusals = [...refuseModel(input.model), ...refuseLayout(input.layout)];
  if (refusals.length > 0) return { classes: [], peak: { rank: 0, bytes: 0, classIndex: -1 }, refusals };
  const { layout } = input;
  const stages = servingStages(input);
  const perStage = Math.max(1, Math.floor(layout.worldSize / layout.pipeline));
  const memory = input.cluster?.memoryBytes;
  let tokens: number | undefined;
  let perToken = 0;
  const classes: RankClass[] = stages.map((stage, pp) => {
    const ledger = newLedger();
    putServingWeights(ledger, input, stage);
    const weights = partsOf(ledger.items).weights;
    const cell = cacheBytesPerToken(input, stage.layers);
    perToken = Math.max(perToken, cell);
    if (memory !== undefined) {
      const budget = cacheBudget(input, memory, weights);
      const page = Math.max(1, input.serving.pageSize);
      const held = cell > 0 ? Math.floor(budget.pool / cell / page) * page : 0;
      tokens = Math.min(tokens ?? held, held);
      put(
        ledger,
        'kvCache',
        'KV cache',
        held * cell,
        `${num(held)} tokens × ${num(stage.layers)} layers × ${cacheCell(input).formula}`,
        ['serving.memoryFraction', 'serving.kvDType', 'layout.attentionData'],
      );
      put(ledger, 'activations', 'prefill activations', budget.activations, `${num(budget.activations)} B`, [
        'serving.chunkedPrefill',
      ]);
    }
    const parts = partsOf(ledger.items);
    const allocated = sumParts(parts);
    const reserved = memory === undefined ? allocated * SLACK : allocated;
    const total = reserved + SERVING_CONTEXT;
    const ranges: RankRange[] = [[pp * perStage, (pp + 1) * perStage - 1]];
    const example = pp * perStage;
    return {
      ranks: formatRanks(ranges),
      count: countRanks(ranges),
      example,
      coordinates: rankCoordinates(layout, example),
      stages: [pp],
      parts,
      items: ledger.items,
      allocated,
      reserved,
      total,
      ...(memory === undefined
        ? {}
        : { capacity: memory, fits: weights < memory && (tokens ?? 0) > 0 && total <= memory }),
    };
  });
  const context = input.serving.contextLength ?? input.model.maxPositions;
  const concurrency =
    tokens === undefined || context === undefined || context <= 0
      ? undefined
      : (tokens / context) * layout.attentionData;
  return {
    ...withPeak(classes),
    kvCache: {
      bytesPerToken: perToken,
      ...(tokens === undefined ? {} : { tokens }),
      ...(concurrency === undefined ? {} : { maxConcurrency: concurrency }),
    },
  };
}
