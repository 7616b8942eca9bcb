/**
 * Edits (insert, delete, replace, swap of neighbours) between two words, or `limit + 1` as soon as it is clear that there are more.
 * Optimal string alignment distance; O(length²) on short keys only.
 */
export function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) > limit) return limit + 1;
  let before: number[] = [];
  let above = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    let least = i;
    for (let j = 1; j <= b.length; j += 1) {
      const same = a[i - 1] === b[j - 1];
      let cost = Math.min((above[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (above[j - 1] ?? 0) + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        cost = Math.min(cost, (before[j - 2] ?? 0) + 1);
      row.push(cost);
      least = Math.min(least, cost);
    }
    if (least > limit) return limit + 1;
    before = above;
    above = row;
  }
  return Math.min(above[b.length] ?? limit + 1, limit + 1);
}

/** The same letters whatever the case and whatever joins the words. */
function joined(word: string): string {
  return word.replace(/[-_\s]/g, '').toLowerCase();
}

/**
 * The known word nearest to `word`: the same one in another case (`tensorParallelSize`, `cutlass`), else the nearest within two edits (one
 * for words under five letters), or undefined.
 */
export function closest(word: string, words: Iterable<string>): string | undefined {
  const known = [...words];
  const same = known.find((candidate) => joined(candidate) === joined(word));
  if (same !== undefined) return same;
  const limit = word.length < 5 ? 1 : 2;
  let best: string | undefined;
  let distance = limit + 1;
  for (const candidate of known) {
    const edits = editDistance(word, candidate, distance - 1);
    if (edits < distance) {
      best = candidate;
      distance = edits;
    }
  }
  return best;
}
