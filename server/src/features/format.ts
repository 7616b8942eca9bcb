/** The only place that turns numbers into text for people. */

const GIB = 2 ** 30;

function grouped(value: number, digits: number): string {
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** `71.2 GiB`; small sizes in MiB, KiB or B. One decimal below 1,000. */
export function bytes(value: number): string {
  const size = Math.abs(value);
  if (size >= GIB) return `${gib(value)} GiB`;
  if (size >= 2 ** 20) return `${grouped(value / 2 ** 20, 1)} MiB`;
  if (size >= 2 ** 10) return `${grouped(value / 2 ** 10, 1)} KiB`;
  return `${grouped(value, 0)} B`;
}

/** GiB without the unit: `71.2`. */
export function gib(value: number): string {
  const size = value / GIB;
  return grouped(size, Math.abs(size) >= 1000 ? 0 : 1);
}

/** `684,531,386,000`. */
export function count(value: number): string {
  return grouped(value, 0);
}

/** `671.0B`, `37.6B`, `8.0M`: parameter counts as the field writes them. */
export function parameters(value: number): string {
  if (value >= 1e12) return `${grouped(value / 1e12, 2)}T`;
  if (value >= 1e9) return `${grouped(value / 1e9, 1)}B`;
  if (value >= 1e6) return `${grouped(value / 1e6, 1)}M`;
  return grouped(value, 0);
}

/** `12.3 %`. */
export function percent(value: number, digits = 1): string {
  return `${grouped(100 * value, digits)} %`;
}

/** A time in seconds as s, ms or µs. */
export function seconds(value: number): string {
  if (value >= 1) return `${grouped(value, 2)} s`;
  if (value >= 1e-3) return `${grouped(value * 1e3, 2)} ms`;
  return `${grouped(value * 1e6, 1)} µs`;
}

/** `1 rank`, `3 ranks`. */
export function plural(value: number, noun: string): string {
  return `${count(value)} ${noun}${value === 1 ? '' : 's'}`;
}

/** `stage 3`, `stages 1 and 14`, `stages 0, 4, 8 … 28`: what a rank holds, short enough for a line. */
export function stageList(stages: readonly number[]): string {
  if (stages.length === 1) return `stage ${String(stages[0])}`;
  if (stages.length === 2) return `stages ${stages.join(' and ')}`;
  if (stages.length <= 4) return `stages ${stages.join(', ')}`;
  return `stages ${stages.slice(0, 3).join(', ')} … ${String(stages.at(-1))}`;
}
