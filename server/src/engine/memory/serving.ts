import type { RankRange } from '../layout/rank-grid';
import { countRanks, formatRanks, rankCoordinates } from '../layout/rank-grid';
import type { StageContent } from '../layout/stages';
import { size } from '../model/tensors';
import type { ServingInput } from './input';
import { refuseLayout, refuseModel } from './input';
import { cacheCell, cacheCells } from './kv-cache';
import type { Ledger } from './ledger';
import { newLedger, num, partsOf, put, sumParts } from './ledger';
import type { MemoryReport, RankClass } from './report';
import { cacheBudget, servingContext } from './serving-budget';
import { capacityOf, promptCache, windowBytes } from './serving-cache';
import { CUBLAS_WORKSPACE, transformersForward } from './serving-forward';
import { usableInput } from './serving-usable';
import { putServingWeights, servingStages } from './serving-weights';
import { withPeak } from './training';

/** Reserved over allocated peak of inference processes, measured median. */
const SLACK = 1.07;

interface StageCache {
  readonly tokens?: number;
  readonly bytesPerToken: number;
}

/** One forward of plain transformers: the cache of the prompt, one layer's working set, and cuBLAS's workspace. */
function putPrompt(ledger: Ledger, input: ServingInput): StageCache {
  const { serving, model } = input;
  const prompt = serving.prompt ?? { sequences: 0, tokens: 0 };
  const { tokens, bytes } = promptCache(input);
  const fields = ['serving.prompt', 'serving.kvDType'];
  put(ledger, 'kvCache', 'KV cache', bytes, `${num(tokens)} tokens: ${num(bytes)} B`, fields);
  const forward = transformersForward(model, prompt);
  put(ledger, 'activations', 'prefill activations', forward, `${num(tokens)} tokens: ${num(forward)} B`, fields);
  const beyond = windowBytes(input);
  put(ledger, 'buffers', 'mask and tokens before the window', beyond, `${num(beyond)} B`, ['model.slidingWindow']);
  put(ledger, 'workspace', 'cuBLAS workspace', CUBLAS_WORKSPACE, `${num(CUBLAS_WORKSPACE)} B`, ['serving.prompt']);
  return { tokens, bytesPerToken: tokens > 0 ? bytes / tokens : 0 };
}

/** The cache that the engine makes on a device of `memory` bytes, and what it keeps back for activations and graphs. */
function putEngine(ledger: Ledger, input: ServingInput, stage: StageContent, memory: number | undefined): StageCache {
  const cells = cacheCells(input, stage);
  const bytesPerToken = cells.full + cells.sliding;
  if (memory === undefined) return { bytesPerToken };
  const budget = cacheBudget(input, memory, partsOf(ledger.items).weights);
  const { tokens, bytes } = capacityOf(input, budget.pool, cells);
  put(
    ledger,
    'kvCache',
    cells.state > 0 ? 'KV cache and states' : 'KV cache',
    bytes,
    `${num(tokens)} tokens × ${num(cells.fullLayers + cells.slidingLayers)} layers × ${cacheCell(input).formula}${cells.state > 0 ? `, ${num(cells.state)} B of states a sequence` : ''}`,
    ['serving.memoryFraction', 'serving.kvDType', 'layout.attentionData'],
  );
  put(ledger, 'activations', 'prefill activations', budget.activations, `${num(budget.activations)} B`, [
    'serving.chunkedPrefill',
    'serving.maxConcurrency',
  ]);
  put(ledger, 'workspace', 'CUDA graphs', budget.graphs, `${num(budget.graphs)} B`, ['serving.eager']);
  return { tokens, bytesPerToken };
}

/**
 * Device memory of a serving job by rank class, and what the cache can hold, by the rule of the engine named in `serving.stack`.
 * Without a cluster only weights and bytes a token are known. Impossible sizes come back as `refusals`.
 */
export function estimateServing(given: ServingInput): MemoryReport {
  const refusals = [...refuseModel(given.model), ...refuseLayout(given.layout)];
  if (refusals.length > 0) return { classes: [], peak: { rank: 0, bytes: 0, classIndex: -1 }, refusals };
  const input = usableInput(given);
  const { layout, serving } = input;
  const stages = servingStages(input);
  const perStage = Math.max(1, Math.floor(layout.worldSize / layout.pipeline));
  const memory = input.cluster?.memoryBytes;
  const context = servingContext(input);
  let tokens: number | undefined;
  let perToken = 0;
  const classes: RankClass[] = stages.map((stage, pp) => {
    const ledger = newLedger();
    putServingWeights(ledger, input, stage);
    const weights = partsOf(ledger.items).weights;
    const cache = serving.prompt === undefined ? putEngine(ledger, input, stage, memory) : putPrompt(ledger, input);
    perToken = Math.max(perToken, cache.bytesPerToken);
    // Stages without a cache of their own do not bound it.
    if (cache.tokens !== undefined && cache.bytesPerToken > 0) tokens = Math.min(tokens ?? cache.tokens, cache.tokens);
    const parts = partsOf(ledger.items);
    const allocated = sumParts(parts);
    const reserved = memory === undefined || serving.prompt !== undefined ? allocated * SLACK : allocated;
    const total = reserved + context;
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
  const longest = size(serving.contextLength) || size(input.model.maxPositions);
  const concurrency = tokens === undefined || longest <= 0 ? undefined : (tokens / longest) * layout.attentionData;
  return {
    ...withPeak(classes),
    kvCache: {
      bytesPerToken: perToken,
      ...(tokens === undefined ? {} : { tokens }),
      ...(concurrency === undefined ? {} : { maxConcurrency: concurrency }),
    },
  };
}
