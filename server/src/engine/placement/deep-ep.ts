/** Bytes that DeepEP's low-latency kernels move for one token and one expert. */
export interface HopBytes {
  readonly dispatch: number;
  readonly combine: number;
}

/**
 * FP8 values with one float32 scale for each 128 of them and 16 bytes of header out, BF16 back.
 * Source: deepseek-ai/DeepEP, csrc/kernels/internode_ll.cu (message layout).
 */
export function lowLatencyBytes(hidden: number): HopBytes {
  return { dispatch: hidden + (4 * hidden) / 128 + 16, combine: 2 * hidden };
}

interface Published {
  readonly ranks: number;
  readonly dispatchSeconds: number;
  readonly combineSeconds: number;
}

/** Tokens, experts a token and hidden size of the published measurement. */
export const LOW_LATENCY_SETUP = { tokens: 128, topK: 8, hidden: 7168 } as const;

/**
 * Measured latencies on H800 with CX7 400 Gb/s InfiniBand, 128 tokens a rank, 8 of 256 experts, hidden 7168.
 * Source: deepseek-ai/DeepEP, docs/legacy.md, low-latency kernels.
 */
export const LOW_LATENCY: readonly Published[] = [
  { ranks: 8, dispatchSeconds: 77e-6, combineSeconds: 114e-6 },
  { ranks: 16, dispatchSeconds: 118e-6, combineSeconds: 195e-6 },
  { ranks: 32, dispatchSeconds: 155e-6, combineSeconds: 273e-6 },
  { ranks: 64, dispatchSeconds: 173e-6, combineSeconds: 314e-6 },
  { ranks: 128, dispatchSeconds: 192e-6, combineSeconds: 369e-6 },
  { ranks: 256, dispatchSeconds: 194e-6, combineSeconds: 360e-6 },
];

/** Bytes a second that a rank sends at a published latency. */
export function lowLatencyBandwidth(entry: Published): HopBytes {
  const { tokens, topK, hidden } = LOW_LATENCY_SETUP;
  const bytes = lowLatencyBytes(hidden);
  return {
    dispatch: (tokens * topK * bytes.dispatch) / entry.dispatchSeconds,
    combine: (tokens * topK * bytes.combine) / entry.combineSeconds,
  };
}

/** Bandwidth at any number of ranks: the published ones, between them by the logarithm of the ranks, outside them the nearest. */
function bandwidthAt(ranks: number): HopBytes {
  const points = LOW_LATENCY.map((entry) => ({ ranks: entry.ranks, ...lowLatencyBandwidth(entry) }));
  const above = points.findIndex((point) => point.ranks >= ranks);
  const upper = points[above < 0 ? points.length - 1 : above];
  const lower = points[above <= 0 ? (above < 0 ? points.length - 1 : 0) : above - 1];
  if (upper === undefined || lower === undefined || upper.ranks === lower.ranks)
    return upper ?? { dispatch: 0, combine: 0 };
  const part = Math.log(ranks / lower.ranks) / Math.log(upper.ranks / lower.ranks);
  const mix = (a: number, b: number): number => a * (b / a) ** part;
  return { dispatch: mix(lower.dispatch, upper.dispatch), combine: mix(lower.combine, upper.combine) };
}

export interface LowLatencyWork {
  readonly ranks: number;
  readonly tokens: number;
  readonly topK: number;
  readonly hidden: number;
  /** Busiest rank's load over the mean; absent: 1. */
  readonly skew?: number;
}

/** Seconds of one low-latency dispatch and one combine of a layer, on the published hardware; undefined for sizes that are none. */
export function lowLatencySeconds(
  work: LowLatencyWork,
): { readonly dispatch: number; readonly combine: number } | undefined {
  const { ranks, tokens, topK, hidden, skew = 1 } = work;
  if (![ranks, tokens, topK, hidden].every((size) => Number.isFinite(size) && size > 0) || !(skew >= 1))
    return undefined;
  const bytes = lowLatencyBytes(hidden);
  const bandwidth = bandwidthAt(ranks);
  const copies = tokens * topK * skew;
  return {
    dispatch: (copies * bytes.dispatch) / bandwidth.dispatch,
    combine: (copies * bytes.combine) / bandwidth.combine,
  };
}
