import type { Durations } from '../spec/training';

/**
 * Durations that differ by stage (embedding, loss, dense-first or uneven stages). Each list has one number a
 * stage, in the unit the caller chooses; for DualPipe the stage is counted along the direction.
 */
export interface StageDurations {
  readonly F: ArrayLike<number>;
  readonly B: ArrayLike<number>;
  readonly I: ArrayLike<number>;
  readonly W: ArrayLike<number>;
  /** One overlapped block of a forward and a backward of this same stage. */
  readonly FB: ArrayLike<number>;
  /** Latency of one point-to-point transfer between different ranks. */
  readonly comm: number;
}

export type DurationsInput = Durations | StageDurations;

/** One number a stage and kind, ready for the inner loop of the simulator. */
export interface DurationTable {
  readonly F: Float64Array;
  readonly B: Float64Array;
  readonly I: Float64Array;
  readonly W: Float64Array;
  readonly FB: Float64Array;
  readonly comm: number;
  /** All stages alike: every overlapped block lasts exactly `FB[0]`. */
  readonly uniform: boolean;
}

/** Every pass costs one unit: the durations of the design's interface when none are given. */
export const UNIT_DURATIONS: Durations = { F: 1, B: 2, I: 1, W: 1, FB: 3, comm: 0 };

/** Fills what is missing the way the command line documents it: F = I = W = 1, B = I + W, FB = F + B, comm = 0. */
export function completeDurations(partial: Partial<Durations>): Durations {
  const F = partial.F ?? 1;
  const I = partial.I ?? (partial.B !== undefined && partial.W !== undefined ? Math.max(0, partial.B - partial.W) : 1);
  const W = partial.W ?? (partial.B !== undefined ? Math.max(0, partial.B - I) : 1);
  const B = partial.B ?? I + W;
  return { F, B, I, W, FB: partial.FB ?? F + B, comm: partial.comm ?? 0 };
}

/** True when all durations are the same on every stage. */
export function isUniform(durations: DurationsInput): durations is Durations {
  return typeof durations.F === 'number';
}

/** First value that is not a finite number of at least zero, with its name; undefined when all are fine. */
export function invalidDuration(
  durations: DurationsInput,
): { readonly name: string; readonly value: number } | undefined {
  for (const name of ['F', 'B', 'I', 'W', 'FB', 'comm'] as const) {
    const field: number | ArrayLike<number> = durations[name];
    const values = typeof field === 'number' ? [field] : Array.from(field);
    const bad = values.find((value) => !(Number.isFinite(value) && value >= 0));
    if (bad !== undefined) return { name, value: bad };
  }
  return undefined;
}

function column(value: number | ArrayLike<number>, stages: number): Float64Array {
  const out = new Float64Array(stages);
  if (typeof value === 'number') return out.fill(value);
  // A list shorter than the stages repeats its last number, so a caller may give one inner value and be done.
  for (let s = 0; s < stages; s += 1) out[s] = value[Math.min(s, value.length - 1)] ?? 0;
  return out;
}

/** Expands durations to one number a stage and kind. */
export function durationTable(durations: DurationsInput, stages: number): DurationTable {
  return {
    F: column(durations.F, stages),
    B: column(durations.B, stages),
    I: column(durations.I, stages),
    W: column(durations.W, stages),
    FB: column(durations.FB, stages),
    comm: durations.comm,
    uniform: isUniform(durations),
  };
}

/**
 * Length of one overlapped block of forward stage `a` and backward stage `b`. What a block saves is
 * F + B - FB of a stage; two unlike stages can hide no more than the one with less to hide.
 */
export function blockDuration(table: DurationTable, a: number, b: number): number {
  if (table.uniform || a === b) return table.FB[a] ?? 0;
  const f = table.F[a] ?? 0;
  const back = table.B[b] ?? 0;
  const savedA = f + (table.B[a] ?? 0) - (table.FB[a] ?? 0);
  const savedB = (table.F[b] ?? 0) + back - (table.FB[b] ?? 0);
  return f + back - Math.min(savedA, savedB);
}
