import type { LayerPlacement } from './eplb';
import type { PlacementShape } from './placement';

/**
 * One layer while copies are dealt out and swapped. Loads are shares: what one copy of an expert carries when its copies share
 * equally. Slot s is on GPU floor(s / perGpu); a slot without an expert holds -1.
 */
export interface Board {
  readonly perGpu: number;
  readonly gpus: number;
  readonly gpusPerNode: number;
  readonly nodes: number;
  readonly experts: number;
  readonly expertAt: Int32Array;
  /** Copies of each expert on each GPU, [gpu * experts + expert]. */
  readonly onGpu: Uint16Array;
  /** Node whose group an expert belongs to; absent: copies may go anywhere. */
  readonly home: Int32Array | undefined;
  /** Copies of each expert on each node, [node * experts + expert]; kept only with homes. */
  readonly onNode: Uint16Array;
  readonly filled: Int32Array;
}

export function newBoard(shape: PlacementShape, home?: Int32Array): Board {
  const { slots, gpus, experts } = shape;
  const nodes = home === undefined ? 1 : shape.nodes;
  return {
    perGpu: slots / gpus,
    gpus,
    nodes,
    gpusPerNode: gpus / nodes,
    experts,
    expertAt: new Int32Array(slots).fill(-1),
    onGpu: new Uint16Array(gpus * experts),
    onNode: new Uint16Array(nodes * experts),
    filled: new Int32Array(gpus),
    home,
  };
}

function count(b: Board, gpu: number, expert: number, by: number): void {
  const at = gpu * b.experts + expert;
  b.onGpu[at] = (b.onGpu[at] ?? 0) + by;
  const node = Math.floor(gpu / b.gpusPerNode) * b.experts + expert;
  b.onNode[node] = (b.onNode[node] ?? 0) + by;
}

/** Puts a copy in the next free slot of a GPU. */
export function putOn(b: Board, gpu: number, expert: number): void {
  const place = b.filled[gpu] ?? 0;
  b.expertAt[gpu * b.perGpu + place] = expert;
  b.filled[gpu] = place + 1;
  count(b, gpu, expert, 1);
}

/** Exchanges what two slots of different GPUs hold. */
export function swapSlots(b: Board, i: number, j: number): void {
  const x = b.expertAt[i] ?? 0;
  const y = b.expertAt[j] ?? 0;
  const a = Math.floor(i / b.perGpu);
  const c = Math.floor(j / b.perGpu);
  count(b, a, x, -1);
  count(b, c, y, -1);
  count(b, a, y, 1);
  count(b, c, x, 1);
  b.expertAt[i] = y;
  b.expertAt[j] = x;
}

/** True when `expert` may leave `from` for `to`: no second copy there, and its last copy at home stays at home. */
export function mayMove(b: Board, expert: number, from: number, to: number): boolean {
  if ((b.onGpu[to * b.experts + expert] ?? 0) > 0) return false;
  if (b.home === undefined) return true;
  const node = Math.floor(from / b.gpusPerNode);
  if (node === Math.floor(to / b.gpusPerNode) || b.home[expert] !== node) return true;
  return (b.onNode[node * b.experts + expert] ?? 0) > 1;
}

/**
 * Deals copies out to GPUs `first .. first + many`: heaviest first to the lightest GPU that has room and no copy of the expert yet; where
 * every GPU with room has one, to the lightest of them, which `parted` mends later. `items` are experts, heaviest share first.
 */
export function dealOut(b: Board, items: ArrayLike<number>, share: Float64Array, first: number, many: number): void {
  const loads = new Float64Array(many);
  for (let at = 0; at < items.length; at += 1) {
    const expert = items[at] ?? 0;
    let best = -1;
    let bestHas = true;
    for (let gpu = 0; gpu < many; gpu += 1) {
      if ((b.filled[first + gpu] ?? 0) >= b.perGpu) continue;
      const has = (b.onGpu[(first + gpu) * b.experts + expert] ?? 0) > 0;
      if (best >= 0 && (has !== bestHas ? has : (loads[gpu] ?? 0) >= (loads[best] ?? 0))) continue;
      best = gpu;
      bestHas = has;
    }
    if (best < 0) return;
    putOn(b, first + best, expert);
    loads[best] = (loads[best] ?? 0) + (share[expert] ?? 0);
  }
}

/** Experts as often as they have copies, heaviest share first, lower expert first on ties. */
export function copiesByShare(counts: Int32Array, share: Float64Array): number[] {
  const experts = Array.from(counts, (_, expert) => expert).filter((expert) => (counts[expert] ?? 0) > 0);
  experts.sort((x, y) => (share[y] ?? 0) - (share[x] ?? 0) || x - y);
  return experts.flatMap((expert) => new Array<number>(counts[expert] ?? 0).fill(expert));
}

/** Swaps the second copy in slot `i` off its GPU for the expert nearest in share that may take the place; false where none may. */
function partBySwap(b: Board, i: number, share: Float64Array): boolean {
  const x = b.expertAt[i] ?? 0;
  const a = Math.floor(i / b.perGpu);
  let best = -1;
  let least = Infinity;
  for (let j = 0; j < b.expertAt.length; j += 1) {
    const c = Math.floor(j / b.perGpu);
    const y = b.expertAt[j] ?? 0;
    const gap = Math.abs((share[x] ?? 0) - (share[y] ?? 0));
    if (c === a || gap >= least || !mayMove(b, x, a, c) || !mayMove(b, y, c, a)) continue;
    best = j;
    least = gap;
  }
  if (best >= 0) swapSlots(b, i, best);
  return best >= 0;
}

/**
 * Gives the slot of a second copy to the expert of greatest share that its GPU does not hold: one copy less of the one and one more of the
 * other, which `counts` and `share` follow. Nothing happens where the GPU holds every expert.
 */
function partByAnother(b: Board, i: number, load: Float64Array, counts: Int32Array, share: Float64Array): void {
  const x = b.expertAt[i] ?? 0;
  const gpu = Math.floor(i / b.perGpu);
  let best = -1;
  for (let y = 0; y < b.experts; y += 1) {
    if ((b.onGpu[gpu * b.experts + y] ?? 0) > 0) continue;
    if (best < 0 || (share[y] ?? 0) > (share[best] ?? 0)) best = y;
  }
  if (best < 0) return;
  b.expertAt[i] = best;
  for (const [expert, by] of [[x, -1] as const, [best, 1] as const]) {
    count(b, gpu, expert, by);
    counts[expert] = (counts[expert] ?? 0) + by;
    share[expert] = (load[expert] ?? 0) / (counts[expert] ?? 1);
  }
}

/**
 * Leaves no GPU with two copies of an expert, which carry no more than one: by swaps, and where none is open (an expert with more copies
 * than there are GPUs, or last copies that may not leave their node) by a copy of another expert in its place.
 */
export function partDuplicates(b: Board, load: Float64Array, counts: Int32Array, share: Float64Array): void {
  for (let i = 0; i < b.expertAt.length; i += 1) {
    const second = (): boolean => (b.onGpu[Math.floor(i / b.perGpu) * b.experts + (b.expertAt[i] ?? 0)] ?? 0) > 1;
    if (second() && !partBySwap(b, i, share)) partByAnother(b, i, load, counts, share);
  }
}

/** Rows as the rest of the engine has them. */
export function layerOf(b: Board, counts: Int32Array): LayerPlacement {
  return { physicalToLogical: b.expertAt, counts };
}
