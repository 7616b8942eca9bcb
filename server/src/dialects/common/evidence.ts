import type { Detection } from '../dialect';

/** One thing seen in a file that speaks for (or against) a dialect. */
export interface Evidence {
  readonly weight: number;
  readonly reason: string;
}

/** Adds up evidence to a confidence of at most 0.99; undefined when nothing speaks for the dialect. */
export function weigh(dialect: string, evidence: readonly (Evidence | undefined)[]): Detection | undefined {
  const seen = evidence.filter((entry): entry is Evidence => entry !== undefined);
  const sum = seen.reduce((total, { weight }) => total + weight, 0);
  if (sum <= 0) return undefined;
  const reasons = seen.filter(({ weight }) => weight > 0).map(({ reason }) => reason);
  return { dialect, confidence: Math.min(0.99, Math.round(sum * 100) / 100), reasons };
}

/** Evidence when `condition` holds. */
export function when(condition: boolean, weight: number, reason: string): Evidence | undefined {
  return condition ? { weight, reason } : undefined;
}

/** Evidence from how many of `signature` occur among `keys`: `each` for every one, up to `most`. */
export function keysSeen(
  keys: ReadonlySet<string>,
  signature: readonly string[],
  each: number,
  most: number,
): Evidence | undefined {
  const seen = signature.filter((key) => keys.has(key));
  if (seen.length === 0) return undefined;
  const shown = seen
    .slice(0, 3)
    .map((key) => `\`${key}\``)
    .join(', ');
  return {
    weight: Math.min(most, each * seen.length),
    reason: `${seen.length === 1 ? 'key' : 'keys'} ${shown}${seen.length > 3 ? ` and ${seen.length - 3} more` : ''}`,
  };
}
