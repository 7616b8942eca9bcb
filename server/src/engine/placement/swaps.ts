import { mayMove, swapSlots, type Board } from './board';

/** Enough for every recorded case; a bound so that the search ends whatever the loads are. */
const MOST_SWAPS = 2000;

function gpuSums(b: Board, share: Float64Array): Float64Array {
  const sums = new Float64Array(b.gpus);
  for (let slot = 0; slot < b.expertAt.length; slot += 1) {
    const gpu = Math.floor(slot / b.perGpu);
    sums[gpu] = (sums[gpu] ?? 0) + (share[b.expertAt[slot] ?? 0] ?? 0);
  }
  return sums;
}

function fullest(sums: Float64Array): number {
  let at = 0;
  for (let gpu = 1; gpu < sums.length; gpu += 1) if ((sums[gpu] ?? 0) > (sums[at] ?? 0)) at = gpu;
  return at;
}

/**
 * Takes load off the fullest GPU as long as one swap with some other GPU lowers the larger of the two; always the swap that leaves the
 * larger one smallest. Never makes a duplicate and never takes an expert's last copy from its home. Loads are single numbers a copy.
 */
export function levelBySwaps(b: Board, share: Float64Array): void {
  const sums = gpuSums(b, share);
  for (let swap = 0; swap < MOST_SWAPS; swap += 1) {
    const a = fullest(sums);
    const most = sums[a] ?? 0;
    let bestI = -1;
    let bestJ = -1;
    // A gain below rounding would let the search run in circles.
    let least = most * (1 - 1e-9);
    for (let i = a * b.perGpu; i < (a + 1) * b.perGpu; i += 1) {
      const x = b.expertAt[i] ?? 0;
      const from = share[x] ?? 0;
      for (let c = 0; c < b.gpus; c += 1) {
        const other = sums[c] ?? 0;
        // No swap leaves less than half of both on either; the margin keeps what rounding might make equal.
        if (c === a || (most + other) / 2 > least * (1 + 1e-12)) continue;
        for (let j = c * b.perGpu; j < (c + 1) * b.perGpu; j += 1) {
          const y = b.expertAt[j] ?? 0;
          const moved = from - (share[y] ?? 0);
          if (moved <= 0) continue;
          const larger = Math.max(most - moved, other + moved);
          if (larger >= least || !mayMove(b, x, a, c) || !mayMove(b, y, c, a)) continue;
          bestI = i;
          bestJ = j;
          least = larger;
        }
      }
    }
    if (bestI < 0) return;
    const c = Math.floor(bestJ / b.perGpu);
    const moved = (share[b.expertAt[bestI] ?? 0] ?? 0) - (share[b.expertAt[bestJ] ?? 0] ?? 0);
    swapSlots(b, bestI, bestJ);
    sums[a] = most - moved;
    sums[c] = (sums[c] ?? 0) + moved;
  }
}
