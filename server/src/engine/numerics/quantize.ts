import { E2M1, E4M3, e8m0, exponentOf, maxExponent, roundTo, toFp32, type FloatFormat } from './formats';

/** Numbers after a trip through a format, and the scales that were used. */
export interface Quantized {
  /** Values as a kernel would read them back: code x scale. */
  readonly values: Float64Array;
  /** Codes before they are scaled back. */
  readonly codes: Float64Array;
  readonly scales: readonly number[];
}

/** Elements of `rows` x `columns` matrix that share one scale: `[1, 128]`, `[128, 128]`, `[1, columns]`, … */
export type Tile = readonly [rows: number, columns: number];

function amaxOf(x: ArrayLike<number>, at: readonly number[]): number {
  let amax = 0;
  for (const index of at) amax = Math.max(amax, Math.abs(toFp32(x[index] ?? 0)));
  return amax;
}

/** Index lists of the tiles of a matrix, row by row; tiles at the edge are smaller. */
function tilesOf(rows: number, columns: number, [high, wide]: Tile): number[][] {
  const out: number[][] = [];
  for (let top = 0; top < rows; top += Math.max(1, high)) {
    for (let left = 0; left < columns; left += Math.max(1, wide)) {
      const at: number[] = [];
      for (let row = top; row < Math.min(rows, top + high); row += 1) {
        for (let column = left; column < Math.min(columns, left + wide); column += 1) at.push(row * columns + column);
      }
      out.push(at);
    }
  }
  return out;
}

type ScaleRule = (amax: number) => number;

function byTile(
  x: ArrayLike<number>,
  tiles: readonly (readonly number[])[],
  format: FloatFormat,
  rule: ScaleRule,
): Quantized {
  const values = new Float64Array(x.length);
  const codes = new Float64Array(x.length);
  const scales = tiles.map((at) => {
    const scale = rule(amaxOf(x, at));
    for (const index of at) {
      const code = scale === 0 ? 0 : roundTo(toFp32(toFp32(x[index] ?? 0) / scale), format);
      codes[index] = code;
      values[index] = toFp32(code * scale);
    }
    return scale;
  });
  return { values, codes, scales };
}

/** How a scale is found from the largest magnitude of its tile. */
export type ScaleKind = 'fp32' | 'ue8m0' | 'mx-floor' | 'mx-ceil';

/** The smallest maximum DeepSeek's kernel divides by, so that a tile of zeros has a usable scale. */
const SMALLEST_AMAX = 1e-4;

/**
 * The scale of one tile.
 * `fp32`: amax / largest value (DeepSeek-V3 inference/kernel.py, act_quant_kernel). `ue8m0`: the same rounded up to a power of two.
 * `mx-floor`: 2^(floor(log2 amax) - emax), which saturates the largest values (OCP Microscaling v1.0, section 6.3).
 * `mx-ceil`: the power of two that never saturates, as cuBLAS and Transformer Engine choose it for MXFP8.
 */
export function scaleOf(amax: number, format: FloatFormat, kind: ScaleKind): number {
  if (kind === 'mx-floor') return amax === 0 ? 1 : e8m0(exponentOf(amax) - maxExponent(format));
  if (kind === 'mx-ceil') return amax === 0 ? 1 : e8m0(ceilLog2(amax / format.max));
  const scale = Math.fround(Math.fround(Math.max(amax, SMALLEST_AMAX)) / format.max);
  return kind === 'ue8m0' ? e8m0(ceilLog2(scale)) : scale;
}

function ceilLog2(x: number): number {
  const exponent = exponentOf(x);
  return 2 ** exponent === x ? exponent : exponent + 1;
}

/** Quantizes a matrix with one scale a tile. */
export function quantizeTiles(
  x: ArrayLike<number>,
  rows: number,
  columns: number,
  tile: Tile,
  format: FloatFormat,
  kind: ScaleKind,
): Quantized {
  return byTile(x, tilesOf(rows, columns, tile), format, (amax) => scaleOf(amax, format, kind));
}

/** DeepSeek's activation quantizer: E4M3, one scale for 128 values of a row; the stored scale is the one that is multiplied back. */
export function actQuant(
  x: ArrayLike<number>,
  columns: number,
  kind: 'fp32' | 'ue8m0' = 'fp32',
  block = 128,
): Quantized {
  const rows = columns > 0 ? Math.floor(x.length / columns) : 0;
  return quantizeTiles(x, rows, columns, [1, block], E4M3, kind);
}

/** One scale for all. */
export function quantizeTensor(x: ArrayLike<number>, format: FloatFormat): Quantized {
  return quantizeTiles(x, 1, x.length, [1, Math.max(1, x.length)], format, 'fp32');
}

const MX_BLOCK = 32;
const NVFP4_BLOCK = 16;

/** OCP microscaling: one E8M0 scale for 32 values of a row. MXFP8 with E4M3, MXFP4 with E2M1. */
export function quantizeMx(
  x: ArrayLike<number>,
  columns: number,
  format: FloatFormat,
  rule: 'mx-floor' | 'mx-ceil' = 'mx-floor',
): Quantized {
  const rows = columns > 0 ? Math.floor(x.length / columns) : 0;
  return quantizeTiles(x, rows, columns, [1, MX_BLOCK], format, rule);
}

/**
 * NVFP4: E2M1 with one E4M3 scale for 16 values, and one FP32 scale a tensor that brings the block scales into E4M3's range.
 * Source: NVIDIA, "Pretraining Large Language Models with NVFP4" (arXiv 2509.25149, section 2 and appendix).
 */
export function quantizeNvfp4(x: ArrayLike<number>, columns: number): Quantized {
  const amax = amaxOf(
    x,
    Array.from({ length: x.length }, (_, index) => index),
  );
  const rows = columns > 0 ? Math.floor(x.length / columns) : 0;
  const tensorScale = amax / (E4M3.max * E2M1.max);
  return byTile(x, tilesOf(rows, columns, [1, NVFP4_BLOCK]), E2M1, (own) =>
    tensorScale === 0 ? 0 : roundTo(own / E2M1.max / tensorScale, E4M3) * tensorScale,
  );
}

/** Rounds every number to a format without any scale, as a BF16 copy does. */
export function castTo(x: ArrayLike<number>, format: FloatFormat): Quantized {
  const values = Float64Array.from(x, (value) => roundTo(toFp32(value), format));
  return { values, codes: values, scales: [] };
}
