const GIB = 2 ** 30;
const UNITS: readonly (readonly [number, string])[] = [
  [2 ** 40, 'TiB'],
  [GIB, 'GiB'],
  [2 ** 20, 'MiB'],
  [2 ** 10, 'KiB'],
];

/** `1234.5` -> `1,234.5`. By hand: hundreds of figures are drawn a frame, and the locale's formatter costs a hundred times as much. */
function grouped(value: number, digits: number): string {
  // Beyond this `toFixed` gives an exponent, and nobody reads digits.
  if (!Number.isFinite(value) || Math.abs(value) >= 1e21) return String(value);
  const text = Math.abs(value).toFixed(digits);
  const point = text.indexOf('.');
  const whole = point < 0 ? text : text.slice(0, point);
  const sign = value < 0 && Number(text) !== 0 ? '-' : '';
  return `${sign}${whole.replace(/\B(?=(\d{3})+$)/g, ',')}${point < 0 ? '' : text.slice(point)}`;
}

/** Bytes in GiB with one decimal, so that a column of figures lines up: `71.2`. */
export function gib(bytes: number): string {
  return grouped(bytes / GIB, 1);
}

/** Bytes in the unit that suits them: `71.2 GiB`, `656 B`. */
export function bytesText(bytes: number): string {
  for (const [size, name] of UNITS) {
    if (Math.abs(bytes) >= size)
      return `${grouped(bytes / size, bytes / size >= 100 ? 0 : bytes / size >= 10 ? 1 : 2)} ${name}`;
  }
  return `${grouped(bytes, 0)} B`;
}

export function integer(value: number): string {
  return grouped(value, 0);
}

/** Up to `digits` decimals, without trailing zeros: `61`, `1.5`. */
export function short(value: number, digits = 2): string {
  const text = grouped(value, digits);
  return text.includes('.') ? text.replace(/\.?0+$/, '') : text;
}

export function percent(share: number, digits = 1): string {
  return `${grouped(share * 100, digits)} %`;
}

/** 671026404352 -> `671.0B`, as model cards write parameter counts. */
export function count(value: number): string {
  for (const [size, letter] of [
    [1e12, 'T'],
    [1e9, 'B'],
    [1e6, 'M'],
    [1e3, 'K'],
  ] as const) {
    if (Math.abs(value) >= size) return `${grouped(value / size, 1)}${letter}`;
  }
  return grouped(value, 0);
}

/** Decimals that tell neighbouring ticks of this step apart. */
export function decimalsOf(step: number): number {
  return step > 0 ? Math.max(0, Math.min(6, -Math.floor(Math.log10(step) + 1e-9))) : 0;
}

export function fixed(value: number, digits: number): string {
  return grouped(value, digits);
}
