/** One line of a change: kept, taken out or put in. */
export interface DiffLine {
  readonly sign: ' ' | '-' | '+';
  readonly text: string;
}

/** Larger tables of common lines are not filled; what lies between the equal ends is then shown as replaced whole. */
const MOST_CELLS = 4_000_000;

function replaced(before: readonly string[], after: readonly string[]): DiffLine[] {
  return [
    ...before.map((text): DiffLine => ({ sign: '-', text })),
    ...after.map((text): DiffLine => ({ sign: '+', text })),
  ];
}

/** Lengths of common subsequences of every two tails (Wagner and Fischer 1974), then walked from the front. */
function middle(before: readonly string[], after: readonly string[]): DiffLine[] {
  const width = after.length + 1;
  if ((before.length + 1) * width > MOST_CELLS) return replaced(before, after);
  const common = new Uint32Array((before.length + 1) * width);
  for (let i = before.length - 1; i >= 0; i -= 1)
    for (let j = after.length - 1; j >= 0; j -= 1)
      common[i * width + j] =
        before[i] === after[j]
          ? (common[(i + 1) * width + j + 1] ?? 0) + 1
          : Math.max(common[(i + 1) * width + j] ?? 0, common[i * width + j + 1] ?? 0);
  const out: DiffLine[] = [];
  let [i, j] = [0, 0];
  while (i < before.length && j < after.length) {
    if (before[i] === after[j]) {
      out.push({ sign: ' ', text: before[i] ?? '' });
      i += 1;
      j += 1;
    } else if ((common[(i + 1) * width + j] ?? 0) >= (common[i * width + j + 1] ?? 0)) {
      out.push({ sign: '-', text: before[i] ?? '' });
      i += 1;
    } else {
      out.push({ sign: '+', text: after[j] ?? '' });
      j += 1;
    }
  }
  return [...out, ...replaced(before.slice(i), after.slice(j))];
}

/** The changed lines between two texts, without context. */
export function changedLines(before: string, after: string): DiffLine[] {
  const [a, b] = [before.split(/\r?\n/), after.split(/\r?\n/)];
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head += 1;
  let tail = 0;
  while (tail < a.length - head && tail < b.length - head && a[a.length - 1 - tail] === b[b.length - 1 - tail])
    tail += 1;
  return middle(a.slice(head, a.length - tail), b.slice(head, b.length - tail)).filter(({ sign }) => sign !== ' ');
}
