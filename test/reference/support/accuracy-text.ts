import { quantile } from './memory-input';

/** `1.23`, `-0.04`, `0`: percent with two digits behind the point. */
export function percentText(value: number): string {
  const text = value.toFixed(2);
  return /^-?0\.00$/.test(text) ? '0' : text.replace('-', '−');
}

export function gibText(bytes: number): string {
  return (bytes / 2 ** 30).toFixed(2);
}

/** A Markdown table; `align` has one of `l`, `r` a column. */
export function table(head: readonly string[], align: string, rows: readonly (readonly string[])[]): string {
  const rule = [...align].map((side) => (side === 'r' ? '---:' : '---'));
  return [head, rule, ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

/** Rows that a reader opens only when looking for one. */
export function folded(title: string, text: string): string {
  return `<details><summary>${title}</summary>\n\n${text}\n\n</details>`;
}

/** Number, median, 90th percentile and worst of the sizes of errors, and the mean with its sign. */
export function summary(errors: readonly number[], text: (value: number) => string = percentText): string[] {
  const sizes = errors.map(Math.abs);
  const mean = errors.reduce((sum, value) => sum + value, 0) / Math.max(1, errors.length);
  return [
    String(errors.length),
    text(quantile(sizes, 0.5)),
    text(quantile(sizes, 0.9)),
    text(Math.max(0, ...sizes)),
    text(mean),
  ];
}

export const SUMMARY_HEAD = ['readings', 'median %', 'p90 %', 'worst %', 'mean %'] as const;
