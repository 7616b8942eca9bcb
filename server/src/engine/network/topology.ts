import type { ClusterSpec } from '../spec/cluster';

/** One level of links between GPUs: bytes a second and one way that a GPU sends at, and seconds before the first byte arrives. */
export interface Link {
  readonly bandwidth: number;
  readonly latency: number;
}

/** The two levels of a GPU cluster that decide collectives: a domain of NVLink (or xGMI), and the network of rails beyond it. */
export interface Topology {
  /** GPUs that reach each other by NVLink. */
  readonly domain: number;
  readonly inside: Link;
  readonly outside: Link;
}

/** Shares of the nominal bandwidth that collectives reach, and what a step of a collective costs before bytes flow. */
export interface NetworkRates {
  readonly insideShare: number;
  readonly outsideShare: number;
  /** Seconds a collective step inside a domain. */
  readonly insideLatency: number;
  /** Seconds a collective step across domains. */
  readonly outsideLatency: number;
  /** Network bandwidth over the sum of the NICs: 1 without oversubscription. */
  readonly oversubscription: number;
}

/**
 * Measured shares. Inside: SimuMax's B200 NVLink fit (0.67 of 900 GB/s for all-gather and reduce-scatter; MIT, configs/system) and
 * DeepEP (160 of 200 GB/s on H800). Outside: DeepEP's 40 to 45 of 50 GB/s (docs/legacy.md). Latency: SimuMax's 19 to 25 µs a collective
 * over 8 GPUs, spread over its steps, and common figures of one InfiniBand hop.
 */
export const DEFAULT_NETWORK: NetworkRates = {
  insideShare: 0.82,
  outsideShare: 0.85,
  insideLatency: 3e-6,
  outsideLatency: 12e-6,
  oversubscription: 1,
};

/** A PCIe 4 x16 link: what GPUs without NVLink share. Bytes a second, one way. */
const PCIE = 25e9;

/** Links of a cluster; a missing figure falls back to PCIe, which every server has. */
export function topologyOf(cluster: ClusterSpec, rates: NetworkRates = DEFAULT_NETWORK): Topology {
  const domain = Math.max(1, Math.min(cluster.nvlinkDomain ?? cluster.gpusPerNode, Math.max(1, cluster.gpus)));
  return {
    domain,
    inside: { bandwidth: (cluster.nvlinkBandwidth ?? PCIE) * rates.insideShare, latency: rates.insideLatency },
    outside: {
      bandwidth: ((cluster.nicBandwidth ?? PCIE) * rates.outsideShare) / Math.max(1, rates.oversubscription),
      latency: rates.outsideLatency,
    },
  };
}

/** A group of ranks that communicate: how many, and how far apart neighbours are in global rank. */
export interface Group {
  readonly size: number;
  /** Global ranks between neighbours: 1 for the innermost parallelism. */
  readonly stride: number;
}

/** Members of a group that share one NVLink domain. */
export function membersInside({ domain }: Topology, { size, stride }: Group): number {
  return Math.max(1, Math.min(size, Math.floor(domain / Math.max(1, stride))));
}
