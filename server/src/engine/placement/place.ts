import { eplb, eplbGlobal } from './eplb';
import type { Loads, Placement, PlacementBalance, PlacementShape } from './placement';

/** Why a placement cannot be made: which framework rule, the value and the nearest legal ones. */
export interface PlacementRefusal {
  readonly rule: string;
  readonly message: string;
  readonly field: 'experts' | 'slots' | 'gpus' | 'nodes' | 'groups' | 'loads';
  readonly value: number;
  readonly nearest: readonly number[];
}

/** SGLang's start: slot i holds expert i modulo the experts, so that the redundant slots copy the first experts. */
function trivial(loads: Loads, shape: PlacementShape): Placement {
  const row = Int32Array.from({ length: shape.slots }, (_, slot) => slot % shape.experts);
  const counts = new Int32Array(shape.experts);
  for (const expert of row) counts[expert] = (counts[expert] ?? 0) + 1;
  return { policy: 'trivial', shape, physicalToLogical: loads.map(() => row), replicaCounts: loads.map(() => counts) };
}

const POLICIES = { eplb, 'eplb-global': eplbGlobal, trivial } as const;

export type PlacementPolicy = keyof typeof POLICIES;

/** Policies in the order they are offered. */
export const PLACEMENT_POLICIES = Object.keys(POLICIES) as readonly PlacementPolicy[];

export function isPolicy(name: string): name is PlacementPolicy {
  return Object.hasOwn(POLICIES, name);
}

function around(value: number, step: number): number[] {
  const below = Math.floor(value / step) * step;
  return [below, below + step].filter((candidate) => candidate > 0 && candidate !== value);
}

function refuse(
  rule: string,
  field: PlacementRefusal['field'],
  value: number,
  nearest: readonly number[],
  message: string,
): PlacementRefusal {
  return { rule, field, value, nearest, message };
}

/**
 * Conditions that EPLB asserts without a message (deepseek-ai/EPLB, eplb.py, rebalance_experts_hierarchical).
 * Undefined when the shape is legal.
 */
export function refuseShape(shape: PlacementShape, policy: PlacementPolicy): PlacementRefusal | undefined {
  const { experts, slots, gpus, nodes, groups } = shape;
  const sizes = { experts, slots, gpus, nodes, groups };
  for (const [field, value] of Object.entries(sizes) as [keyof typeof sizes, number][]) {
    if (!Number.isSafeInteger(value) || value <= 0)
      return refuse(
        'not-a-size',
        field,
        Number.isFinite(value) ? value : 0,
        [1],
        `${field} must be a positive whole number.`,
      );
  }
  if (slots < experts)
    return refuse(
      'too-few-slots',
      'slots',
      slots,
      around(experts, gpus).slice(-1),
      `${slots} slots cannot hold ${experts} experts: every expert needs at least one slot.`,
    );
  if (slots % gpus !== 0)
    return refuse(
      'slots-not-divisible',
      'slots',
      slots,
      around(slots, gpus),
      `${slots} slots cannot be split over ${gpus} GPUs; the nearest legal numbers are ${around(slots, gpus).join(' and ')}.`,
    );
  const hierarchical = policy === 'eplb' && groups % nodes === 0;
  if (hierarchical && experts % groups !== 0)
    return refuse(
      'experts-not-in-groups',
      'groups',
      groups,
      [],
      `${experts} experts cannot be split into ${groups} groups of equal size.`,
    );
  if (hierarchical && gpus % nodes !== 0)
    return refuse(
      'gpus-not-divisible',
      'gpus',
      gpus,
      around(gpus, nodes),
      `${gpus} GPUs cannot be split over ${nodes} nodes; the nearest legal numbers are ${around(gpus, nodes).join(' and ')}.`,
    );
  return undefined;
}

/** Places every layer. Loads must be finite and not negative: the original gives such an expert all redundancy without a word. */
export function place(loads: Loads, shape: PlacementShape, policy: PlacementPolicy): Placement | PlacementRefusal {
  const refusal = refuseShape(shape, policy);
  if (refusal !== undefined) return refusal;
  for (const [layer, row] of loads.entries()) {
    if (row.length !== shape.experts)
      return refuse(
        'wrong-expert-count',
        'loads',
        row.length,
        [shape.experts],
        `Layer ${layer} has loads of ${row.length} experts, not of ${shape.experts}.`,
      );
    const bad = row.findIndex((load) => !(load >= 0 && load < Infinity));
    if (bad >= 0)
      return refuse(
        'load-not-a-number',
        'loads',
        0,
        [0],
        `The load of expert ${bad} in layer ${layer} is negative or not a number.`,
      );
  }
  return POLICIES[policy](loads, shape);
}

export function isPlacementRefusal(value: Placement | PlacementRefusal): value is PlacementRefusal {
  return 'rule' in value;
}

/** [layer][expert] -> slots that hold it, ascending. */
export function logicalToPhysical(placement: Placement): number[][][] {
  return placement.physicalToLogical.map((row) => {
    const slots: number[][] = Array.from({ length: placement.shape.experts }, () => []);
    row.forEach((expert, slot) => slots[expert]?.push(slot));
    return slots;
  });
}

function gpuLoadsOf(row: Int32Array, counts: Int32Array, load: Float64Array, gpus: number): Float64Array {
  const perGpu = row.length / gpus;
  const sums = new Float64Array(gpus);
  row.forEach((expert, slot) => {
    const gpu = Math.floor(slot / perGpu);
    sums[gpu] = (sums[gpu] ?? 0) + (load[expert] ?? 0) / Math.max(1, counts[expert] ?? 1);
  });
  return sums;
}

/** mean / max; a layer without load is perfectly even. */
function evenness(sums: Float64Array): number {
  const most = sums.reduce((a, b) => Math.max(a, b), 0);
  return most <= 0 ? 1 : sums.reduce((a, b) => a + b, 0) / sums.length / most;
}

/**
 * mean / max that no placement with equal shares can exceed: the largest share under the best replication must sit somewhere,
 * beside at least the smallest shares that fill its GPU.
 */
function bestEvenness(load: Float64Array, shape: PlacementShape): number {
  const total = load.reduce((a, b) => a + b, 0);
  if (total <= 0) return 1;
  // Greedy replication minimises the largest share (each further copy goes where the share is largest).
  const counts = new Int32Array(load.length).fill(1);
  for (let extra = shape.slots - shape.experts; extra > 0; extra -= 1) {
    let best = 0;
    for (let expert = 1; expert < load.length; expert += 1) {
      if ((load[expert] ?? 0) / (counts[expert] ?? 1) > (load[best] ?? 0) / (counts[best] ?? 1)) best = expert;
    }
    counts[best] = (counts[best] ?? 0) + 1;
  }
  const largest = load.reduce((most, value, expert) => Math.max(most, value / (counts[expert] ?? 1)), 0);
  const mean = total / shape.gpus;
  return Math.min(1, mean / Math.max(mean, largest));
}

/** GPU loads when every replica takes an equal share, and how even they are. */
export function balance(placement: Placement, loads: Loads): PlacementBalance {
  const { shape } = placement;
  const gpuLoads = placement.physicalToLogical.map((row, layer) =>
    gpuLoadsOf(
      row,
      placement.replicaCounts[layer] ?? new Int32Array(0),
      loads[layer] ?? new Float64Array(shape.experts),
      shape.gpus,
    ),
  );
  return { gpuLoads, meanOverMax: gpuLoads.map(evenness), lowerBound: loads.map((load) => bestEvenness(load, shape)) };
}
