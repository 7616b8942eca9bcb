import type { Loads, Placement } from './placement';
import { logicalToPhysical } from './place';

const ROUNDS = 60;

/** Experts with copies on several GPUs, the only ones whose load can be split, and what the others put on each GPU. */
interface Split {
  readonly fixed: Float64Array;
  readonly movable: readonly { readonly load: number; readonly gpus: readonly number[] }[];
}

function splitOf(
  slots: readonly (readonly number[])[],
  load: Float64Array | undefined,
  gpus: number,
  perGpu: number,
): Split {
  const fixed = new Float64Array(gpus);
  const movable: { load: number; gpus: number[] }[] = [];
  slots.forEach((own, expert) => {
    const amount = load?.[expert] ?? 0;
    const places = [...new Set(own.map((slot) => Math.floor(slot / perGpu)))];
    const [only] = places;
    if (places.length > 1) movable.push({ load: amount, gpus: places });
    else if (only !== undefined) fixed[only] = (fixed[only] ?? 0) + amount;
  });
  return { fixed, movable };
}

/** Loads over GPUs as flows that are pushed along augmenting paths until everything is placed or nothing more fits. */
function fits({ fixed, movable }: Split, most: number): boolean {
  const room = Float64Array.from(fixed, (load) => most - load);
  const slack = most * 1e-12;
  if (room.some((free) => free < -slack)) return false;
  const flow = movable.map(({ gpus }) => new Float64Array(gpus.length));
  return movable.every(({ load }, expert) => {
    let left = load;
    while (left > slack) {
      const pushed = push(movable, flow, room, expert, left, slack);
      if (pushed <= 0) return false;
      left -= pushed;
    }
    return true;
  });
}

/** One step of a path: the GPU, the expert whose load goes there, and the step before. */
interface Step {
  readonly gpu: number;
  readonly expert: number;
  readonly edge: number;
  readonly before: Step | undefined;
}

/** Pushes load of one expert along the shortest path to a GPU with room, other experts' shares giving way on it. */
function push(
  movable: Split['movable'],
  flow: readonly Float64Array[],
  room: Float64Array,
  from: number,
  amount: number,
  slack: number,
): number {
  const seen = new Uint8Array(room.length);
  let steps: Step[] = (movable[from]?.gpus ?? []).map((gpu, edge) => ({ gpu, expert: from, edge, before: undefined }));
  while (steps.length > 0) {
    const next: Step[] = [];
    for (const step of steps) {
      if (seen[step.gpu] === 1) continue;
      seen[step.gpu] = 1;
      if ((room[step.gpu] ?? 0) > slack) return along(movable, flow, room, step, amount);
      movable.forEach(({ gpus }, expert) => {
        const here = gpus.indexOf(step.gpu);
        if (here < 0 || (flow[expert]?.[here] ?? 0) <= slack) return;
        gpus.forEach((gpu, edge) => {
          if (seen[gpu] !== 1) next.push({ gpu, expert, edge, before: step });
        });
      });
    }
    steps = next;
  }
  return 0;
}

function along(
  movable: Split['movable'],
  flow: readonly Float64Array[],
  room: Float64Array,
  last: Step,
  amount: number,
): number {
  let most = Math.min(amount, room[last.gpu] ?? 0);
  const given = (step: Step): number => movable[step.expert]?.gpus.indexOf(step.before?.gpu ?? -1) ?? -1;
  for (let step: Step | undefined = last; step?.before !== undefined; step = step.before)
    most = Math.min(most, flow[step.expert]?.[given(step)] ?? 0);
  for (let step: Step | undefined = last; step !== undefined; step = step.before) {
    const row = flow[step.expert];
    if (row === undefined) break;
    row[step.edge] = (row[step.edge] ?? 0) + most;
    if (step.before !== undefined) row[given(step)] = (row[given(step)] ?? 0) - most;
  }
  room[last.gpu] = (room[last.gpu] ?? 0) - most;
  return most;
}

/**
 * mean / max GPU load of each layer when the load of every expert is split over its copies in the best way: min M so that flows of the
 * copies add up to the experts' loads and no GPU gets more than M. What a per-batch dispatch (SGLang's `lp`, DeepSeek's LPLB) could reach
 * at most. Solved by bisection over M with augmenting paths. Source of the problem: deepseek-ai/LPLB, README.
 */
export function lpEvenness(placement: Placement, loads: Loads): number[] {
  const { gpus, slots } = placement.shape;
  return logicalToPhysical(placement).map((own, layer) => {
    const load = loads[layer];
    const split = splitOf(own, load, gpus, slots / gpus);
    const total = load?.reduce((a, b) => a + b, 0) ?? 0;
    if (total <= 0) return 1;
    const average = total / gpus;
    let low = Math.max(
      average,
      split.fixed.reduce((a, b) => Math.max(a, b), 0),
    );
    if (fits(split, low * (1 + 1e-9))) return average / low;
    let high = total;
    for (let round = 0; round < ROUNDS && high - low > low * 1e-7; round += 1) {
      const middle = (low + Math.min(high, low * 2)) / 2;
      if (fits(split, middle)) high = middle;
      else low = middle;
    }
    return average / high;
  });
}
