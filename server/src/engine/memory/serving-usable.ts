import type { ServingSpec } from '../spec/serving';
import type { ServingInput } from './input';
import { LARGEST_SIZE } from './input';

/** No device has more; larger figures in a file must not make a product overflow. */
const MOST_BYTES = 2 ** 60;

/** A number of bytes that arithmetic can rely on; 0 for what is none. */
export function usableBytes(value: number | undefined): number {
  return value !== undefined && value > 0 ? Math.min(value, MOST_BYTES) : 0;
}

const COUNTS = [
  'contextLength',
  'maxConcurrency',
  'chunkedPrefill',
  'cudaGraphMaxBatch',
  'denseTensor',
  'sharedTensor',
  'decodeContext',
  'stateSlots',
  'maxCacheTokens',
] as const satisfies readonly (keyof ServingSpec)[];

const RATIOS = ['stateRatio', 'slidingRatio'] as const satisfies readonly (keyof ServingSpec)[];

/**
 * The input with every number that means nothing left out, so that the engine's default counts for it: counts that are not positive
 * and finite, fractions outside 0 to 1, ratios that are not finite, a device without memory. The file's reader tells the user.
 */
export function usableInput(input: ServingInput): ServingInput {
  const { memoryFraction, pageSize } = input.serving;
  const meaningless = new Set<string>(
    memoryFraction === undefined || (memoryFraction > 0 && memoryFraction <= 1) ? [] : ['memoryFraction'],
  );
  const changed: Record<string, number> = {
    pageSize: pageSize >= 1 ? Math.min(Math.floor(pageSize), 2 ** 20) : 1,
  };
  for (const key of COUNTS) {
    const value = input.serving[key];
    if (value === undefined) continue;
    if (value >= 1) changed[key] = Math.min(Math.floor(value), LARGEST_SIZE);
    else meaningless.add(key);
  }
  for (const key of RATIOS) {
    const value = input.serving[key];
    if (value !== undefined && !(value >= 0 && value <= 1e6)) meaningless.add(key);
  }
  const kept = Object.entries(input.serving).filter(([key]) => !meaningless.has(key));
  const { cluster, ...rest } = input;
  const memoryBytes = usableBytes(cluster?.memoryBytes);
  return {
    ...rest,
    serving: { ...Object.fromEntries(kept), ...changed } as unknown as ServingSpec,
    ...(cluster === undefined || memoryBytes === 0 ? {} : { cluster: { ...cluster, memoryBytes } }),
  };
}
