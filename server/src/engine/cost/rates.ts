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
  /** Passes of biased experts over their rows, forward: bias, clamp, gate and weight in kernels of their own; backward takes twice as many. */
  readonly biasedPasses: number;
  /** Passes of a recurrent scan over its inputs, states and gates, forward; backward takes twice as many. */
  readonly scanPasses: number;
  /** Seconds a layer and direction that the host needs to launch it; hidden while the GPU is busier. */
  readonly hostDense: number;
  readonly hostMoe: number;
  /** Seconds a MoE layer and microbatch in which the GPU idles because the host waits for routing counts; captured graphs avoid it. */
  readonly routingSync: number;
  /** Share of tensor-parallel traffic that products do not hide in a forward pass, cut into pieces for it (Megatron `--tp-comm-overlap`). */
  readonly tensorExposed: number;
  /** The same where nothing is done to hide it: the products wait. */
  readonly tensorPlain: number;
  /** The same in a backward pass, where one gradient's traffic runs beside the other gradient's product in either case. */
  readonly tensorBackward: number;
  /** Rate of MXFP8 products, which read a scale every 32 elements of both operands, against those with one scale a tensor. */
  readonly microScaled: number;
  /** Rate of products one of whose sides is no multiple of 64: operands then straddle the lines that tensor cores are fed by. */
  readonly misaligned: number;
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
  gemmFp8: 0.72,
  gemmFp4: 0.53,
  attentionForward: 0.57,
  attentionBackward: 0.45,
  elementwise: 0.62,
  stream: 0.85,
  epilogue: 0.6,
  grouped: 0.87,
  routedPasses: 2,
  biasedPasses: 40,
  scanPasses: 34,
  hostDense: 300e-6,
  hostMoe: 1e-3,
  routingSync: 2.3e-3,
  tensorExposed: 0.5,
  tensorPlain: 1,
  tensorBackward: 0.3,
  microScaled: 0.95,
  misaligned: 0.8,
  kernel: 4e-6,
  straggling: 0.03,
};

/** Depth of a product, in elements of BF16, whose time filling and draining the tensor cores takes; narrower formats lose more of it. */
const FILL = 48;

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

/** Elements below whose multiples a side is unaligned (128 bytes of BF16: NVIDIA, Matrix Multiplication Background, table 1). */
const ALIGNED = 64;

/** Multiprocessors of an A100, the tile of its large kernels, and the share of full waves in the products that efficiencies stand for. */
const AMPERE = { capability: 80, multiprocessors: 108, rows: 128, columns: 256, usual: 0.93 };

/**
 * Share of an A100's multiprocessors that the tiles of a product keep busy, its last wave included, against a usual product. Later GPUs
 * show none of it (H100: products of 3.1 and of 20 waves run at one rate), because fewer busy units let the clock rise.
 */
function waveShare({ cluster }: Machine, m: number, n: number, count: number): number {
  if (cluster.computeCapability !== AMPERE.capability) return 1;
  const tiles = Math.ceil(m / AMPERE.rows) * Math.ceil(n / AMPERE.columns) * count;
  const waves = Math.ceil(tiles / AMPERE.multiprocessors);
  return tiles / (waves * AMPERE.multiprocessors) / AMPERE.usual;
}

/** True where both sides of a weight are multiples that tensor cores are fed whole lines of. */
export function isAligned(rows: number, columns: number): boolean {
  return rows % ALIGNED === 0 && columns % ALIGNED === 0;
}

/**
 * Seconds of `count` products of (m x k) by (k x n): arithmetic at the format's reached rate plus the part of the output write that
 * it does not hide, or the bytes of all operands where those take longer (roofline). `m` is rounded up to a tile in the arithmetic;
 * `relative` scales the reached
 * rate. Shallow products pay for filling the pipes (`FILL`: H100, FP8, 0.62 of the peak at a depth of 512 and 0.72 from 4,096 on).
 */
export function productTime(
  machine: Machine,
  m: number,
  n: number,
  k: number,
  format: ProductFormat,
  count = 1,
  outputBytes = 2,
  relative = 1,
): number {
  if (m <= 0 || n <= 0 || k <= 0 || count <= 0) return 0;
  const { efficiency, memory } = machine;
  const bytes = format === 'FP4' ? 0.5625 : format === 'FP8' ? 1 : 2;
  const tiles = Math.ceil(m / TILE) * TILE;
  const depth = k + (FILL * 2) / bytes;
  const compute =
    (2 * tiles * n * depth) /
    (peakOf(machine, format) *
      machine.sustained *
      shareOf(machine, format) *
      relative *
      waveShare(machine, m, n, count));
  const written = (m * n * outputBytes) / memory;
  const moved = (m * k * bytes + n * k * bytes) / (memory * efficiency.stream) + written;
  return count * Math.max(compute + efficiency.epilogue * written, moved);
}

/** Seconds of element-wise work over this many bytes. */
export function elementwiseTime({ memory, efficiency }: Machine, bytes: number): number {
  return bytes / (memory * efficiency.elementwise);
}
