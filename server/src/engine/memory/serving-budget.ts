import type { ServingInput } from './input';
import { GIB, MIB } from './ledger';

/** Bytes the engine may give to the cache on one rank, and what it keeps back. */
export interface CacheBudget {
  readonly pool: number;
  /** Activations of the largest prefill batch and graph captures. */
  readonly activations: number;
  readonly graphs: number;
  readonly fraction: number;
}

/** Device bytes outside every budget: context and communicators of a serving process. */
export const SERVING_CONTEXT = 0.6 * GIB;

/** SGLang's default memory fraction (server_args.py, memory settings): reserves for prefill chunks, parallel ranks and graphs. */
export function sglangFraction(input: ServingInput, memory: number): number {
  const { layout, serving, model } = input;
  const gpu = memory / MIB;
  const chunk = serving.chunkedPrefill ?? (gpu > 60 * 1024 ? 8192 : 2048);
  const batch = serving.cudaGraphMaxBatch ?? (gpu > 90 * 1024 ? 512 : gpu > 35 * 1024 ? 256 : 24);
  let reserved = 512 + 1.5 * Math.max(chunk, 2048) + ((layout.tensor * layout.pipeline) / 8) * 1024 + batch * 2;
  if (layout.attentionData > 1)
    reserved += batch * layout.attentionData * 3 + (batch > 300 ? batch * layout.attentionData * 1.5 : 0);
  reserved += model.attention === 'mla' ? 1536 : 0;
  if (gpu > 61_440) reserved = Math.max(reserved, 10_240);
  return Math.round(((gpu - reserved) / gpu) * 1000) / 1000;
}

/** Most activation bytes of one forward over `tokens`: the widest pair of tensors in a layer beside the residual stream. */
function forwardPeak(input: ServingInput, tokens: number): number {
  const { model, layout } = input;
  const attention = Math.max(1, layout.tensor / layout.attentionData);
  const h = model.hiddenSize;
  const dense = (3 * model.intermediateSize) / layout.tensor;
  const experts =
    model.experts === undefined || model.experts === 0
      ? 0
      : ((model.expertsPerToken ?? 0) * (h + (3 * (model.expertIntermediateSize ?? 0)) / layout.expertTensor)) /
        Math.max(1, layout.expert);
  const heads =
    (model.attention === 'mla'
      ? model.heads * ((model.qkNopeHeadDim ?? 0) + (model.qkRopeHeadDim ?? 0) + 2 * (model.vHeadDim ?? 0))
      : (2 * model.heads + 2 * model.kvHeads) * model.headDim) / attention;
  return 2 * tokens * (4 * h + Math.max(dense, experts, heads));
}

/** SGLang: what is free after loading, less the share of what was free before that stays dynamic. */
function sglangBudget(input: ServingInput, memory: number, weights: number): CacheBudget {
  const fraction = input.serving.memoryFraction ?? sglangFraction(input, memory);
  const free = memory - SERVING_CONTEXT;
  const rest = free * (1 - fraction);
  return { pool: Math.max(0, free - weights - rest), activations: 0, graphs: 0, fraction };
}

/** vLLM: the requested share of the device, less weights, non-torch memory, the profiled forward and the graph estimate. */
function vllmBudget(input: ServingInput, memory: number, weights: number): CacheBudget {
  const { serving, model, layout } = input;
  const fraction = serving.memoryFraction ?? 0.9;
  const tokens = serving.chunkedPrefill ?? 8192;
  const sequences = Math.min(serving.maxConcurrency ?? 256, tokens);
  const activations = forwardPeak(input, tokens) + (sequences * model.vocabSize * 6) / layout.tensor;
  const graphs = 0;
  return {
    pool: Math.max(0, Math.ceil(memory * fraction) - weights - SERVING_CONTEXT - activations - graphs),
    activations,
    graphs,
    fraction,
  };
}

/** TensorRT-LLM: a share of what a dummy forward leaves. */
function tensorrtBudget(input: ServingInput, memory: number, weights: number): CacheBudget {
  const fraction = input.serving.memoryFraction ?? 0.9;
  const activations = forwardPeak(input, input.serving.chunkedPrefill ?? 8192);
  return {
    pool: Math.max(0, (memory - SERVING_CONTEXT - weights - activations) * fraction),
    activations,
    graphs: 0,
    fraction,
  };
}

/** Cache budget of one rank by the engine's own rule. */
export function cacheBudget(input: ServingInput, memory: number, weights: number): CacheBudget {
  switch (input.serving.stack) {
    case 'sglang':
      return sglangBudget(input, memory, weights);
    case 'tensorrt-llm':
      return tensorrtBudget(input, memory, weights);
    case 'vllm':
    case 'generic':
      return vllmBudget(input, memory, weights);
  }
}
