/** A stream of numbers that is the same in every run: answers must not change when nothing did. */
export type Random = () => number;

/** Uniform numbers in [0, 1) from a 32-bit seed. Source: Tommy Ettinger's mulberry32 (public domain). */
export function uniform(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Standard normal numbers (Box and Muller, 1958). */
export function normal(seed: number): Random {
  const next = uniform(seed);
  return () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
}

/** `count` numbers of a stream in FP32. */
export function draw(random: Random, count: number): Float32Array {
  return Float32Array.from({ length: Math.max(0, count) }, () => random());
}
