import type { NetworkRates } from '../network/topology';
import { DEFAULT_NETWORK } from '../network/topology';
import type { ClusterSpec } from '../spec/cluster';
import type { Calibration, Efficiencies } from './rates';
import { machineOf } from './rates';

/** Bandwidths of collectives as a benchmark reports them (bus bandwidth), bytes a second and GPU. */
export interface MeasuredLinks {
  readonly inside?: number;
  readonly outside?: number;
}

/** Shares of the nominal links that measured bus bandwidths stand for; what is not measured keeps its default. */
export function linkShares(cluster: ClusterSpec, links: MeasuredLinks): Partial<NetworkRates> {
  const share = (measured: number | undefined, nominal: number | undefined, otherwise: number): number =>
    measured === undefined || nominal === undefined || !(nominal > 0)
      ? otherwise
      : Math.min(1.2, Math.max(0.01, measured / nominal));
  return {
    insideShare: share(links.inside, cluster.nvlinkBandwidth, DEFAULT_NETWORK.insideShare),
    outsideShare: share(links.outside, cluster.nicBandwidth, DEFAULT_NETWORK.outsideShare),
  };
}

/** Efficiencies that one factor moves together: what kernels reach of the arithmetic and of the memory. */
const SCALED = [
  'gemmBf16',
  'gemmFp8',
  'gemmFp4',
  'attentionForward',
  'attentionBackward',
  'elementwise',
  'stream',
] as const satisfies readonly (keyof Efficiencies)[];

/** A calibration with every kernel efficiency of `base` times `factor`. */
export function scaled(cluster: ClusterSpec, base: Calibration, factor: number): Calibration {
  const machine = machineOf(cluster, base);
  if ('missing' in machine) return base;
  const efficiency = Object.fromEntries(SCALED.map((key) => [key, Math.min(1.5, machine.efficiency[key] * factor)]));
  return { ...base, efficiency: { ...base.efficiency, ...efficiency } };
}

/** Kernels are never believed to be more than this much slower or faster than the default. */
export const FACTORS = { least: 0.2, most: 2 } as const;
const STEPS = 24;

/**
 * The factor on kernel efficiencies at which the model gives a measured rate, by bisection; `rate` must rise with the factor. At the ends
 * of the range where the measurement lies beyond what kernels alone explain.
 */
export function fitFactor(measured: number, rate: (factor: number) => number | undefined): number | undefined {
  if (!(measured > 0) || !Number.isFinite(measured)) return undefined;
  let { least: low, most: high }: { least: number; most: number } = FACTORS;
  for (let step = 0; step < STEPS; step += 1) {
    const middle = Math.sqrt(low * high);
    const predicted = rate(middle);
    if (predicted === undefined) return undefined;
    if (predicted < measured) low = middle;
    else high = middle;
  }
  return Math.sqrt(low * high);
}
