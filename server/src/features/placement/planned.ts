import {
  isPlacementRefusal,
  isPolicy,
  place,
  type PlacementPolicy,
  type PlacementRefusal,
} from '../../engine/placement/place';
import type { Loads, Placement, PlacementShape } from '../../engine/placement/placement';
import type { ResolvedPlan } from '../../plan/plan';
import type { PlacementFile } from './loads';

/** A placement of a plan with the loads it was judged on. */
export interface PlannedPlacement {
  readonly placement: Placement;
  readonly loads: Loads;
  readonly uniformLoads: boolean;
  /** Model layer of the first row. */
  readonly firstLayer: number;
}

function moeRows({ model }: ResolvedPlan): { readonly first: number; readonly count: number } {
  const pattern = model?.moeLayers ?? [];
  const first = pattern.indexOf(true);
  return { first: Math.max(0, first), count: pattern.filter(Boolean).length };
}

/** Sizes that the caller sets over those of the plan. */
export type PlacementSizes = Partial<Pick<PlacementShape, 'slots' | 'gpus' | 'nodes' | 'groups'>>;

/** Slots, GPUs, nodes and groups of a plan; undefined without routed experts over more than one rank. */
export function placementShape(resolved: ResolvedPlan, sizes: PlacementSizes = {}): PlacementShape | undefined {
  const { model, layout, experts, cluster } = resolved;
  const gpus = sizes.gpus ?? layout?.expert ?? 1;
  if (model?.experts === undefined || model.experts <= 0 || gpus <= 1) return undefined;
  const perNode = cluster?.gpusPerNode ?? gpus;
  const nodes = Math.max(1, gpus % perNode === 0 ? gpus / perNode : 1);
  return {
    layers: moeRows(resolved).count,
    experts: model.experts,
    slots: model.experts + experts.redundant,
    gpus,
    nodes,
    groups: model.expertGroups ?? 1,
    ...sizes,
  };
}

/** Rows of a dump that belong to MoE layers: SGLang's dumps have a row of zeros for every dense layer. */
function rowsFor(rows: Loads, resolved: ResolvedPlan): Loads {
  const { first, count } = moeRows(resolved);
  return rows.length === resolved.model?.layers && count < rows.length ? rows.slice(first, first + count) : rows;
}

function fromMap(map: readonly Int32Array[], shape: PlacementShape): Placement | undefined {
  const legal = map.every(
    (row) => row.length === shape.slots && row.every((expert) => expert >= 0 && expert < shape.experts),
  );
  if (!legal) return undefined;
  const replicaCounts = map.map((row) => {
    const counts = new Int32Array(shape.experts);
    for (const expert of row) counts[expert] = (counts[expert] ?? 0) + 1;
    return counts;
  });
  return { policy: 'file', shape: { ...shape, layers: map.length }, physicalToLogical: map, replicaCounts };
}

/** The policy that the plan names; a placement read from a file has none. */
export function policyOf(resolved: ResolvedPlan): PlacementPolicy {
  const { algorithm } = resolved.experts;
  return isPolicy(algorithm) ? algorithm : 'eplb';
}

/** Places the experts of a plan under its own or the asked policy, on loads from `file` or, without one, on equal loads. */
export function plannedPlacement(
  resolved: ResolvedPlan,
  file: PlacementFile | undefined,
  asked?: string,
  sizes: PlacementSizes = {},
): PlannedPlacement | PlacementRefusal | undefined {
  const shape = placementShape(resolved, sizes);
  if (shape === undefined) return undefined;
  const stated = file?.kind === 'loads' ? rowsFor(file.loads, resolved) : undefined;
  const profiles = file?.kind === 'loads' ? file.steps?.map((step) => rowsFor(step, resolved)) : undefined;
  const loads = stated ?? Array.from({ length: shape.layers }, () => new Float64Array(shape.experts).fill(1));
  const firstLayer = moeRows(resolved).first;
  const fixed =
    file?.kind === 'map' && (asked === undefined || asked === 'file')
      ? fromMap(file.physicalToLogical, shape)
      : undefined;
  const placement =
    fixed ??
    place(
      loads,
      { ...shape, layers: loads.length },
      asked !== undefined && isPolicy(asked) ? asked : policyOf(resolved),
      profiles === undefined ? {} : { profiles },
    );
  if (isPlacementRefusal(placement)) return placement;
  return {
    placement,
    loads:
      loads.length === placement.physicalToLogical.length
        ? loads
        : placement.physicalToLogical.map(() => loads[0] ?? new Float64Array(shape.experts)),
    uniformLoads: stated === undefined,
    firstLayer,
  };
}
