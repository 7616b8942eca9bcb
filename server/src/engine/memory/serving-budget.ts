import { encoderForward } from '../model/encoder';
import { size } from '../model/tensors';
import type { ServingInput } from './input';
import { GIB, MIB } from './ledger';
import { usableBytes } from './serving-usable';
import { engineForward, samplerBytes } from './serving-profile';

/** Bytes the engine may give to the cache on one rank, and what it keeps back. */
export interface CacheBudget {
  readonly pool: number;
  /** Activations of the largest prefill batch and graph captures. */
  readonly activations: number;
  readonly graphs: number;
  readonly fraction: number;
}

/** CUDA context of one process, measured on an H100 with CUDA 13: 527 MiB after cudaInit, 685 MiB after cuBLAS. */
const CONTEXT = 0.6 * GIB;
/** NCCL's buffers with several ranks: the first communicator and those of tensor, pipeline and world groups. */
const COMMUNICATORS = 0.9 * GIB;

/** Device bytes outside every allocator: context and communicators of a serving process. */
export function servingContext({ layout }: ServingInput): number {
  return CONTEXT + (layout.worldSize > 1 ? COMMUNICATORS : 0);
}

/** Sizes that an engine chooses by the memory of the device when its arguments are silent. */
export interface EngineSizes {
  /** Tokens of the largest prefill step, and sequences of the largest decode step. */
  readonly tokens: number;
  readonly sequences: number;
}

/** SGLang server_args.py, _handle_gpu_memory_settings: chunk and decode graph batch by GPU memory. */
export function sglangSizes({ serving, layout }: ServingInput, memory: number): EngineSizes {
  const gpu = memory / GIB;
  const wide = layout.tensor >= 4;
  const steps: readonly (readonly [number, number, number])[] = [
    [20, 2048, 8],
    [35, 2048, wide ? 80 : 24],
    [60, 4096, wide ? 160 : 32],
    [160, 8192, wide ? 512 : 256],
  ];
  const [, chunk, batch] = steps.find(([most]) => gpu < most) ?? [0, 16_384, 512];
  const stated = size(serving.chunkedPrefill) * layout.attentionData;
  return { tokens: stated > 0 ? stated : chunk, sequences: size(serving.cudaGraphMaxBatch) || batch };
}

/** Token counts for which SGLang captures prefill graphs (server_args.py, prefill graph sizes). */
function prefillGraphs(chunk: number): number {
  const ranges = [
    [4, 32, 4],
    [48, 256, 16],
    [288, 512, 32],
    [576, 1024, 64],
    [1280, 4096, 256],
    [4608, 16_384, 512],
  ] as const;
  let count = 0;
  for (const [first, last, step] of ranges)
    count += Math.max(0, Math.floor((Math.min(last, chunk) - first) / step) + 1);
  return count;
}

/** SGLang's default memory fraction (server_args.py, memory settings): reserves for prefill chunks, parallel ranks and graphs. */
export function sglangFraction(input: ServingInput, memory: number): number {
  const { layout, serving, model } = input;
  const gpu = memory / MIB;
  const { tokens: chunk, sequences: batch } = sglangSizes(input, memory);
  const graphs = serving.eager !== true;
  let reserved = 512 + 1.5 * Math.max(chunk, 2048) + ((layout.tensor * layout.pipeline) / 8) * 1024;
  if (graphs) reserved += batch * 2;
  if (layout.attentionData > 1)
    reserved += batch * layout.attentionData * 3 + (batch > 300 ? batch * layout.attentionData * 1.5 : 0);
  if (graphs) reserved += model.attention === 'mla' ? 1536 : 8 * prefillGraphs(chunk);
  if (gpu > 61_440) reserved = Math.max(reserved, 10_240);
  return Math.max(0, Math.round(((gpu - reserved) / gpu) * 1000) / 1000);
}

/** SGLang: what is free after loading, less the share of what was free before that stays dynamic. */
function sglangBudget(input: ServingInput, memory: number, weights: number): CacheBudget {
  const fraction = input.serving.memoryFraction ?? sglangFraction(input, memory);
  const free = memory - servingContext(input);
  const rest = free * (1 - fraction);
  return { pool: Math.max(0, free - weights - rest), activations: 0, graphs: 0, fraction };
}

/** True when the file names a release of the engine before `major.minor`. */
export function isBefore(version: string | undefined, major: number, minor: number): boolean {
  const [, first, second] = /^v?(\d{1,4})\.(\d{1,4})/.exec(version ?? '') ?? [];
  if (first === undefined || second === undefined) return false;
  return Number(first) < major || (Number(first) === major && Number(second) < minor);
}

/** vLLM engine/arg_utils.py, get_batch_defaults (`vllm serve`): more on devices of 70 GiB and of 160 GiB, but not on an A100. */
export function vllmSizes({ serving, cluster }: ServingInput, memory: number): EngineSizes {
  const ampere = cluster?.computeCapability === 80 || /a100/i.test(cluster?.gpu ?? '');
  const large = memory >= 70 * GIB && !ampere;
  const newest = !isBefore(serving.version, 0, 12);
  const tokens = large ? (newest && memory >= 160 * GIB ? 16_384 : 8192) : 2048;
  const stated = size(serving.chunkedPrefill);
  return {
    tokens: stated || tokens,
    sequences: Math.min(stated || tokens, size(serving.maxConcurrency) || (large ? 1024 : 256)),
  };
}

/** Bytes that a captured decode graph of one layer keeps over all batch sizes; the median of logged captures. */
const GRAPH_LAYER = 12 * MIB;
/** What CUDA libraries and modules take after the first measurement on one device (837 less 585 MiB on an H100), and NCCL with its NVLink buffers on several. */
const LIBRARIES = 0.25 * GIB;
const LIBRARIES_PARALLEL = 2.4 * GIB;

/** Non-torch growth that vLLM's profile run sees; its baseline is taken after the CUDA context exists. */
function vllmOutside({ layout, cluster }: ServingInput): number {
  if (layout.tensor * layout.pipeline <= 1) return LIBRARIES;
  // Cards without NVLink get no multicast buffers.
  return cluster?.nvlinkBandwidth === 0 ? LIBRARIES + 0.1 * GIB : LIBRARIES_PARALLEL;
}

/**
 * vLLM: the requested share of the device, less weights, growth outside torch, and the larger of the profiled forward and the sampler.
 * Since 0.19 the graphs are estimated and taken off too. Source: vllm/v1/worker/gpu_worker.py, determine_available_memory.
 */
function vllmBudget(input: ServingInput, memory: number, weights: number): CacheBudget {
  const { serving, model } = input;
  const old = isBefore(serving.version, 0, 19);
  const fraction = serving.memoryFraction ?? (isBefore(serving.version, 0, 20) ? 0.9 : 0.92);
  const sizes = vllmSizes(input, memory);
  const sampler = samplerBytes(input, sizes, isBefore(serving.version, 0, 16));
  const encoder = model.encoder === undefined || serving.languageOnly === true ? 0 : encoderForward(model.encoder);
  const activations = Math.max(engineForward(input, sizes), sampler, encoder);
  const graphs = serving.eager === true || old || serving.stack === 'generic' ? 0 : GRAPH_LAYER * size(model.layers);
  return {
    pool: Math.max(0, Math.ceil(memory * fraction) - weights - vllmOutside(input) - activations - graphs),
    activations,
    graphs,
    fraction,
  };
}

/** TensorRT-LLM: a share of what a dummy forward leaves (_torch/pyexecutor/_util.py, estimate_max_tokens). */
function tensorrtBudget(input: ServingInput, memory: number, weights: number): CacheBudget {
  const { serving } = input;
  const fraction = serving.memoryFraction ?? 0.9;
  const tokens = size(serving.chunkedPrefill) || 8192;
  const activations = engineForward(input, {
    tokens,
    sequences: Math.min(tokens, size(serving.maxConcurrency) || 2048),
  });
  return {
    pool: Math.max(0, (memory - servingContext(input) - weights - activations) * fraction),
    activations,
    graphs: 0,
    fraction,
  };
}

/** Cache budget of one rank by the engine's own rule. */
export function cacheBudget(input: ServingInput, memory: number, weights: number): CacheBudget {
  const own =
    input.serving.stack === 'sglang'
      ? sglangBudget(input, memory, weights)
      : input.serving.stack === 'tensorrt-llm'
        ? tensorrtBudget(input, memory, weights)
        : vllmBudget(input, memory, weights);
  const stated = usableBytes(input.serving.poolBytes);
  return stated > 0 ? { ...own, pool: stated } : own;
}
