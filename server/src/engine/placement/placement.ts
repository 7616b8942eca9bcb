import type { RoutedTokens } from './router';

/** Loads: one row a layer, one column a logical expert; any non-negative unit. */
export type Loads = readonly Float64Array[];

export interface PlacementShape {
  readonly layers: number;
  readonly experts: number;
  /** Physical slots over all GPUs. Slot s is on GPU floor(s / (slots / gpus)), node floor(s / (slots / nodes)). */
  readonly slots: number;
  readonly gpus: number;
  readonly nodes: number;
  /** Expert groups of group-limited routing. */
  readonly groups: number;
}

/** Where every replica of every expert sits. */
export interface Placement {
  readonly policy: string;
  readonly shape: PlacementShape;
  /** [layer][slot] -> logical expert. */
  readonly physicalToLogical: readonly Int32Array[];
  /** [layer][expert] -> replica count. */
  readonly replicaCounts: readonly Int32Array[];
  /** One entry a GPU when some are dead: their slots hold expert 0 for form's sake, serve nobody and are not counted. */
  readonly alive?: readonly boolean[];
}

/** Load of every GPU when each replica takes an equal share, and how even that is. */
export interface PlacementBalance {
  /** [layer][gpu]. */
  readonly gpuLoads: readonly Float64Array[];
  /** mean / max GPU load, a layer; 1 is perfect. */
  readonly meanOverMax: readonly number[];
  /** Best mean / max any placement could reach with these slots, a layer. */
  readonly lowerBound: readonly number[];
}

/** What some policies can use beside the loads. */
export interface PlacementOptions {
  /** The map in force: vLLM's policy keeps experts that stay on their GPU in their slot. */
  readonly previous?: readonly Int32Array[];
  /** One entry a GPU, false for a dead one; SGLang's elasticity-aware policy. Absent: all alive. */
  readonly alive?: readonly boolean[];
  /** Loads of several time steps or workloads, each [layer][expert]; absent: only the loads given. */
  readonly profiles?: readonly Loads[];
  /** Tokens with their experts, one entry a layer, for placements that keep together what tokens use together. */
  readonly traces?: readonly RoutedTokens[];
  /** mean / max GPU load that such a placement keeps, 0 to 1; absent: 0.95. */
  readonly keptBalance?: number;
}
