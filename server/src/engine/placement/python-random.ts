const N = 624;
const M = 397;

/**
 * Python's `random.Random(seed)`: the Mersenne Twister MT19937, with the few methods whose draws matter here. Needed to reproduce
 * dispatch tables that SGLang draws with it. Sources: Matsumoto and Nishimura 1998; CPython, Modules/_randommodule.c and Lib/random.py.
 */
export interface PythonRandom {
  /** Next 32 bits. */
  readonly next: () => number;
  /** Uniform in [0, 1) with 53 bits. */
  readonly random: () => number;
  /** Uniform whole number below `n`. */
  readonly below: (n: number) => number;
  readonly sample: <T>(from: readonly T[], count: number) => T[];
  /** Shuffles in place. */
  readonly shuffle: (items: unknown[]) => void;
}

/** State from one 32-bit key, as `init_by_array([seed])`. */
function seeded(seed: number): Uint32Array {
  const state = new Uint32Array(N);
  state[0] = 19650218;
  for (let i = 1; i < N; i += 1) {
    const before = state[i - 1] ?? 0;
    state[i] = Math.imul(1812433253, before ^ (before >>> 30)) + i;
  }
  let i = 1;
  for (let k = 0; k < N; k += 1) {
    const before = state[i - 1] ?? 0;
    state[i] = ((state[i] ?? 0) ^ Math.imul(before ^ (before >>> 30), 1664525)) + seed;
    i += 1;
    if (i >= N) {
      state[0] = state[N - 1] ?? 0;
      i = 1;
    }
  }
  for (let k = 0; k < N - 1; k += 1) {
    const before = state[i - 1] ?? 0;
    state[i] = ((state[i] ?? 0) ^ Math.imul(before ^ (before >>> 30), 1566083941)) - i;
    i += 1;
    if (i >= N) {
      state[0] = state[N - 1] ?? 0;
      i = 1;
    }
  }
  state[0] = 0x80000000;
  return state;
}

function twist(state: Uint32Array): void {
  for (let i = 0; i < N; i += 1) {
    const y = ((state[i] ?? 0) & 0x80000000) | ((state[(i + 1) % N] ?? 0) & 0x7fffffff);
    state[i] = (state[(i + M) % N] ?? 0) ^ (y >>> 1) ^ ((y & 1) === 0 ? 0 : 0x9908b0df);
  }
}

/** A generator of its own for a whole, non-negative seed below 2^32. */
export function pythonRandom(seed: number): PythonRandom {
  const state = seeded(seed >>> 0);
  let at = N;
  const next = (): number => {
    if (at >= N) {
      twist(state);
      at = 0;
    }
    let y = state[at] ?? 0;
    at += 1;
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  };
  const below = (n: number): number => {
    // Python rejects draws of as many bits as n has, so even a power of two may take several.
    const width = 32 - Math.clz32(n);
    let value = next() >>> (32 - width);
    while (value >= n) value = next() >>> (32 - width);
    return value;
  };
  const sample = <T>(from: readonly T[], count: number): T[] => {
    const n = from.length;
    const poolLimit = 21 + (count > 5 ? 4 ** Math.ceil(Math.log(count * 3) / Math.log(4)) : 0);
    if (n <= poolLimit) {
      const pool = [...from];
      return Array.from({ length: count }, (_, i) => {
        const j = below(n - i);
        const taken = pool[j] as T;
        pool[j] = pool[n - i - 1] as T;
        return taken;
      });
    }
    const chosen = new Set<number>();
    while (chosen.size < count) chosen.add(below(n));
    return [...chosen].map((index) => from[index] as T);
  };
  const shuffle = (items: unknown[]): void => {
    for (let i = items.length - 1; i > 0; i -= 1) {
      const j = below(i + 1);
      [items[i], items[j]] = [items[j], items[i]];
    }
  };
  return {
    next,
    random: () => ((next() >>> 5) * 67108864 + (next() >>> 6)) / 9007199254740992,
    below,
    sample,
    shuffle,
  };
}
