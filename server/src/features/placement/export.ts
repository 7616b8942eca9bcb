import { judge } from '../../engine/placement/judge';
import { balance, logicalToPhysical } from '../../engine/placement/place';
import { placementText, type PlacementTextFormat } from '../../protocol/placement-text';
import type { Loads, Placement } from '../../engine/placement/placement';

/** The `place` document of the command line (a stable interface). */
export interface PlacementJson {
  readonly policy: string;
  readonly layers: number;
  /** [layer][slot] -> expert. */
  readonly physicalToLogical: readonly (readonly number[])[];
  /** [layer][expert] -> slots, ascending. */
  readonly logicalToPhysical: readonly (readonly (readonly number[])[])[];
  readonly replicaCounts: readonly (readonly number[])[];
  /** [layer][gpu], in the unit of the loads. */
  readonly gpuLoads: readonly (readonly number[])[];
  readonly balance: { readonly meanOverMax: readonly number[]; readonly lowerBound: readonly number[] };
  /** On a second recording, where one was named. */
  readonly judged?: { readonly meanOverMax: readonly number[]; readonly static: number; readonly lp: number };
}

function judgedOn(placement: Placement, loads: Loads): NonNullable<PlacementJson['judged']> {
  const { fixed, lp } = judge(placement, loads);
  return { meanOverMax: balance(placement, loads).meanOverMax, static: fixed, lp };
}

export function placementJson(placement: Placement, loads: Loads, second?: Loads): PlacementJson {
  const { gpuLoads, meanOverMax, lowerBound } = balance(placement, loads);
  return {
    policy: placement.policy,
    layers: placement.physicalToLogical.length,
    physicalToLogical: placement.physicalToLogical.map((row) => [...row]),
    logicalToPhysical: logicalToPhysical(placement),
    replicaCounts: placement.replicaCounts.map((row) => [...row]),
    gpuLoads: gpuLoads.map((row) => [...row]),
    balance: { meanOverMax, lowerBound },
    ...(second === undefined ? {} : { judged: judgedOn(placement, second) }),
  };
}

/** Which rows of a model the placement covers; the rest are dense layers. */
export interface ModelRows {
  /** Model layer of the first placed row. */
  readonly firstLayer: number;
  /** All layers of the model; absent: the placed rows are all there are. */
  readonly layers?: number;
}

/** The text of a placement in a framework's format. */
export function placementFileText(format: PlacementTextFormat, placement: Placement, rows: ModelRows): string {
  const { physicalToLogical, shape } = placement;
  return placementText(format, { rows: physicalToLogical, experts: shape.experts, gpus: shape.gpus, ...rows });
}
