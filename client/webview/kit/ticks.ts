/** Round values between `from` and `to`, at most about `count`, with steps of 1, 2 or 5 times a power of ten. */
export function ticksOf(
  from: number,
  to: number,
  count: number,
): { readonly step: number; readonly values: readonly number[] } {
  const span = to - from;
  if (!(span > 0) || !Number.isFinite(span) || count < 1) return { step: 1, values: [] };
  const rough = span / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((multiple) => multiple * power).find((candidate) => candidate >= rough) ?? 10 * power;
  const first = Math.ceil(from / step - 1e-9);
  const values: number[] = [];
  // Adding zero turns a negative zero into a plain one, which a label would otherwise show.
  for (let index = first; index * step <= to + step * 1e-9; index += 1) values.push(index * step + 0);
  return { step, values };
}
