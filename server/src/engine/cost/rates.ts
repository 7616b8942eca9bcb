import type { ClusterSpec } from '../spec/cluster';
import type { NetworkRates } from '../network/topology';
import { DEFAULT_NETWORK } from '../network/topology';
import type { PeakName } from './economics';

/**
 * What real kernels reach of the nominal figures. Few, each with a cause; a calibration file replaces them one by one.
 */
export interface Efficiencies {
  /** Share of the dense peak in large matrix products, by format. */
  readonly gemmBf16: number;
  readonly gemmFp8: number;
  readonly gemmFp4: number;
  /** Share of the BF16 peak in causal attention, forward and backward. */
  readonly attentionForward: number;
  readonly attentionBackward: number;
  /** Share of memory bandwidth in element-wise kernels (norms, activations, casts). */
  readonly elementwise: number;
  /** Share of memory bandwidth in plain streams: weights and cache in decoding, optimizer steps. */
  readonly stream: number;
  /** Share of a product's output write that its arithmetic does not hide. */
  readonly epilogue: number;
  /** Share of grouped (expert) products' rate against one product of the same rows. */
  readonly grouped: number;
  /** Passes over routed tokens beside products and activation: permutation, padding, probabilities, router maps. */
  readonly routedPasses: number;
  /** Passes of a recurrent scan over its inputs, states and gates, forward; backward takes twice as many. */
  readonly scanPasses: number;
  /** Seconds a layer and direction that the host needs to launch it; hidden while the GPU is busier. */
  readonly hostDense: number;
  readonly hostMoe: number;
  /** Seconds a MoE layer and microbatch in which the GPU idles because the host waits for routing counts; captured graphs avoid it. */
  readonly routingSync: number;
  /** Share of tensor-parallel traffic that products do not hide. */
  readonly tensorExposed: number;
  /** Seconds to start one kernel; what small decoding batches are made of. */
  readonly kernel: number;
  /** Jitter of ranks that wait for each other, as a share of the step. */
  readonly straggling: number;
}

/**
 * Defaults. GEMM, attention, epilogue and bandwidth shares are medians of products, attention and copies measured on an H100
 * (torch 2.11, cuBLAS, cuDNN): 573 to 772 TFLOP/s in BF16, 860 to 1,420 in FP8, attention 531 to 625 forward and 388 to 547 backward,
 * RMSNorm 1.94 and copies 3.02 of 3.35 TB/s. The rest is fitted on Megatron-Bridge's published throughput.
 */
export const DEFAULT_EFFICIENCIES: Efficiencies = {
  gemmBf16: 0.74,
  gemmFp8: 0.7,
  gemmFp4: 0.53,
  attentionForward: 0.57,
  attentionBackward: 0.45,
  elementwise: 0.62,
  stream: 0.85,
  epilogue: 0.6,
  grouped: 0.87,
  routedPasses: 1,
  scanPasses: 34,
  hostDense: 300e-6,
  hostMoe: 1e-3,
  routingSync: 2.3e-3,
  tensorExposed: 0.6,
  kernel: 4e-6,
  straggling: 0.03,
};

/** A GPU and its links as the cost model sees them. */
export interface Machine {
  readonly cluster: ClusterSpec;
  readonly bf16: number;
  readonly fp8: number;
  readonly fp4: number;
  /** Bytes a second. */
  readonly memory: number;
  /** Share of the peaks that the clock holds. */
  readonly sustained: number;
  readonly efficiency: Efficiencies;
  readonly network: NetworkRates;
}

export interface Calibration {
  readonly efficiency?: Partial<Efficiencies>;
  readonly network?: Partial<NetworkRates>;
}

/** GPUs in one NVLink domain from which a cluster is a rack of Grace hosts, where published recipes capture MoE layers in graphs. */
const RACK_DOMAIN = 32;

function rackDefaults({ nvlinkDomain }: ClusterSpec): Partial<Efficiencies> {
  return (nvlinkDomain ?? 0) >= RACK_DOMAIN ? { routingSync: 0.3e-3 } : {};
}

/** BF16 operations a byte of bandwidth below which a GPU is short of arithmetic, not of power or operands: such GPUs come near their peak. */
const LIGHT = 100;

/** An H20 serves Qwen3-8B at 0.9 of its FP8 peak where an H100 reaches 0.7 (InferSim's table of SGLang measurements). */
function lightDefaults(flops: number, bandwidth: number): Partial<Efficiencies> {
  return flops / bandwidth < LIGHT
    ? { gemmBf16: 0.95, gemmFp8: 0.93, attentionForward: 0.85, attentionBackward: 0.7 }
    : {};
}

/** The machine of a cluster, or which figure is missing. Formats the GPU lacks run at the next wider one's rate. */
export function machineOf(cluster: ClusterSpec, calibration: Calibration = {}): Machine | { readonly missing: string } {
  const { bf16Flops, memoryBandwidth } = cluster;
  if (bf16Flops === undefined || !(bf16Flops > 0)) return { missing: 'cluster.bf16Flops' };
  if (memoryBandwidth === undefined || !(memoryBandwidth > 0)) return { missing: 'cluster.memoryBandwidth' };
  const fp8 = cluster.fp8Flops ?? bf16Flops;
  return {
    cluster,
    bf16: bf16Flops,
    fp8,
    fp4: cluster.fp4Flops ?? fp8,
    memory: memoryBandwidth,
    sustained: Math.min(1, Math.max(0.1, cluster.sustainedShare ?? 1)),
    efficiency: {
      ...DEFAULT_EFFICIENCIES,
      ...rackDefaults(cluster),
      ...lightDefaults(bf16Flops, memoryBandwidth),
      ...calibration.efficiency,
    },
    network: { ...DEFAULT_NETWORK, ...calibration.network },
  };
}

/** Formats of matrix products. */
export type ProductFormat = PeakName;

/** Dense peak of a format, FLOP/s. */
export function peakOf(machine: Machine, format: ProductFormat): number {
  return format === 'FP4' ? machine.fp4 : format === 'FP8' ? machine.fp8 : machine.bf16;
}

function shareOf({ efficiency }: Machine, format: ProductFormat): number {
  return format === 'FP4' ? efficiency.gemmFp4 : format === 'FP8' ? efficiency.gemmFp8 : efficiency.gemmBf16;
}

/** Rows of a product are worked on in tiles; a part of one costs as much as a whole. */
const TILE = 128;

/**
 * Seconds of `count` products of (m x k) by (k x n): arithmetic at the format's reached rate plus the part of the output write that
 * it does not hide, or the bytes of all operands where those take longer (roofline). `m` is rounded up to a tile in the arithmetic.
 */
export function productTime(
  machine: Machine,
  m: number,
  n: number,
  k: number,
  format: ProductFormat,
  count = 1,
  outputBytes = 2,
): number {
  if (m <= 0 || n <= 0 || k <= 0 || count <= 0) return 0;
  const { efficiency, memory } = machine;
  const bytes = format === 'FP4' ? 0.5625 : format === 'FP8' ? 1 : 2;
  const tiles = Math.ceil(m / TILE) * TILE;
  const compute = (2 * tiles * n * k) / (peakOf(machine, format) * machine.sustained * shareOf(machine, format));
  const written = (m * n * outputBytes) / memory;
  const moved = (m * k * bytes + n * k * bytes) / (memory * efficiency.stream) + written;
  return count * Math.max(compute + efficiency.epilogue * written, moved);
}

/** Seconds of element-wise work over this many bytes. */
export function elementwiseTime({ memory, efficiency }: Machine, bytes: number): number {
  return bytes / (memory * efficiency.elementwise);
}
