import type { MemoryReport } from '../../engine/memory/report';
import type { Assumption, ResolvedPlan } from '../../plan/plan';
import { count, gib } from '../format';
import { outcomeOf, type Value } from './change';

/** Values that a plan might as well have had, where nothing states one: what is likeliest beside the value that was taken. */
const OTHERS: Readonly<Record<string, (now: Value) => Value | undefined>> = {
  'batch.sequenceLength': doubled,
  'batch.microBatch': doubled,
  'batch.microbatches': doubled,
  'layout.worldSize': doubled,
  'serving.contextLength': doubled,
  'serving.maxConcurrency': doubled,
  'serving.chunkedPrefill': doubled,
  'serving.memoryFraction': (now) => (typeof now === 'number' ? Math.round(100 * (now - 0.05)) / 100 : undefined),
  'serving.kvDType': (now) => (now === 'F8_E4M3' ? 'BF16' : 'F8_E4M3'),
  'precision.weights': (now) => (now === 'F32' ? 'BF16' : 'F32'),
  'precision.gradients': (now) => (now === 'F32' ? 'BF16' : 'F32'),
  'precision.masterWeights': (now) => (now === 'F32' ? 'BF16' : 'F32'),
  'precision.firstMoment': (now) => (now === 'F32' ? 'BF16' : 'F32'),
  'precision.secondMoment': (now) => (now === 'F32' ? 'BF16' : 'F32'),
  'optimizer.kind': (now) => (now === 'sgd' ? 'adam' : 'sgd'),
  'optimizer.zeroStage': (now) => (now === 0 ? 1 : 0),
  'quantization.baseDType': (now) => (now === 'F32' ? 'BF16' : 'F32'),
};

/** Differences below this read as none. */
const LEAST_BYTES = 0.05 * 2 ** 30;

function doubled(now: Value): Value | undefined {
  return typeof now === 'number' ? 2 * now : undefined;
}

function shown(value: Value): string {
  return typeof value === 'number' ? count(value) : String(value);
}

/**
 * What an assumption is worth: bytes of the fullest rank that another likely value would take more or less.
 * Undefined where no other value is likely, or where it cannot be computed.
 */
export function assumptionEffect(
  resolved: ResolvedPlan,
  now: MemoryReport,
  { field, value }: Assumption,
): string | undefined {
  const other = OTHERS[field]?.(value);
  const after = other === undefined ? undefined : outcomeOf(resolved, [{ field, value: other }]);
  if (other === undefined || after === undefined) return undefined;
  const tokens = (after.memory.kvCache?.tokens ?? 0) - (now.kvCache?.tokens ?? 0);
  const bytes = after.memory.peak.bytes - now.peak.bytes;
  const sign = (amount: number): string => (amount > 0 ? '+' : '−');
  const parts = [
    ...(Math.abs(bytes) < LEAST_BYTES ? [] : [`${sign(bytes)}${gib(Math.abs(bytes))} GiB`]),
    ...(tokens === 0 ? [] : [`${sign(tokens)}${count(Math.abs(tokens))} tokens of cache`]),
  ];
  return `${parts.length === 0 ? 'no difference' : parts.join(', ')} with ${shown(other)}`;
}
