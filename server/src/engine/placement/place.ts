import { bestEvenness } from './bound';
import { POLICIES, type PlacementPolicy } from './policies';
import type { Loads, Placement, PlacementBalance, PlacementOptions, PlacementShape } from './placement';
import { refuseAlive, refuseLoads, refuseShapeFor, type PlacementRefusal } from './refusals';

export type { PlacementPolicy } from './policies';
export type { PlacementRefusal } from './refusals';

/** Policies in the order they are offered. */
export const PLACEMENT_POLICIES = Object.keys(POLICIES) as readonly PlacementPolicy[];

export function isPolicy(name: string): name is PlacementPolicy {
  return Object.hasOwn(POLICIES, name);
}

/** Why `policy` would refuse this shape; undefined when it is legal. */
export function refuseShape(shape: PlacementShape, policy: PlacementPolicy): PlacementRefusal | undefined {
  return refuseShapeFor(shape, POLICIES[policy].demands);
}

/** True when a policy that puts groups on nodes cannot, because the nodes do not divide the groups, and goes on as if there were none. */
export function fallsBackToGlobal({ groups, nodes }: PlacementShape, policy: PlacementPolicy): boolean {
  return (
    POLICIES[policy].demands.hierarchy === 'where-groups-divide' && nodes > 1 && groups > 1 && groups % nodes !== 0
  );
}

/**
 * Places every layer, or says which of the policy's conditions does not hold. Loads in any unit, finite and not negative; one row a
 * layer of `shape.experts` numbers. Deterministic.
 */
export function place(
  loads: Loads,
  shape: PlacementShape,
  policy: PlacementPolicy,
  options: PlacementOptions = {},
): Placement | PlacementRefusal {
  const refusal =
    refuseShape(shape, policy) ??
    (policy === 'sglang-elasticity-aware' && options.alive !== undefined
      ? refuseAlive(shape, POLICIES[policy].demands, options.alive)
      : undefined) ??
    refuseLoads(loads, shape.experts) ??
    (options.profiles ?? []).map((profile) => refuseLoads(profile, shape.experts)).find((found) => found !== undefined);
  return refusal ?? POLICIES[policy].place(loads, shape, options);
}

export function isPlacementRefusal(value: Placement | PlacementRefusal): value is PlacementRefusal {
  return 'rule' in value;
}

/** True when the GPU of a slot serves. */
function serves({ alive, shape }: Placement, slot: number): boolean {
  return alive === undefined || alive[Math.floor(slot / (shape.slots / shape.gpus))] === true;
}

/** [layer][expert] -> slots that hold it, ascending; slots of dead GPUs are left out. */
export function logicalToPhysical(placement: Placement): number[][][] {
  return placement.physicalToLogical.map((row) => {
    const slots: number[][] = Array.from({ length: placement.shape.experts }, () => []);
    row.forEach((expert, slot) => {
      if (serves(placement, slot)) slots[expert]?.push(slot);
    });
    return slots;
  });
}

/** Slots, a layer, that hold a copy of an expert which their GPU already has: room without use. */
export function duplicates(placement: Placement): number[] {
  const perGpu = placement.shape.slots / placement.shape.gpus;
  return placement.physicalToLogical.map((row) => {
    let wasted = 0;
    for (let start = 0; start < row.length; start += perGpu)
      if (serves(placement, start)) wasted += perGpu - new Set(row.subarray(start, start + perGpu)).size;
    return wasted;
  });
}

function gpuLoadsOf(placement: Placement, layer: number, load: Float64Array | undefined): Float64Array {
  const { shape } = placement;
  const perGpu = shape.slots / shape.gpus;
  const counts = placement.replicaCounts[layer];
  const sums = new Float64Array(shape.gpus);
  placement.physicalToLogical[layer]?.forEach((expert, slot) => {
    const gpu = Math.floor(slot / perGpu);
    if (serves(placement, slot))
      sums[gpu] = (sums[gpu] ?? 0) + (load?.[expert] ?? 0) / Math.max(1, counts?.[expert] ?? 1);
  });
  return sums;
}

/** mean / max; a layer without load is perfectly even. */
export function evenness(sums: Float64Array): number {
  const most = sums.reduce((a, b) => Math.max(a, b), 0);
  return most <= 0 ? 1 : sums.reduce((a, b) => a + b, 0) / sums.length / most;
}

/** GPU loads when every replica takes an equal share, and how even they are over the GPUs that serve. */
export function balance(placement: Placement, loads: Loads): PlacementBalance {
  const { shape, alive } = placement;
  const gpuLoads = placement.physicalToLogical.map((_, layer) => gpuLoadsOf(placement, layer, loads[layer]));
  const living = alive?.filter(Boolean).length ?? shape.gpus;
  const bound = { ...shape, gpus: living, slots: (shape.slots / shape.gpus) * living };
  return {
    gpuLoads,
    meanOverMax: gpuLoads.map((sums) => evenness(alive === undefined ? sums : sums.filter((_, gpu) => alive[gpu]))),
    lowerBound: loads.map((load) => bestEvenness(load, bound)),
  };
}
