import { readFileSync } from 'node:fs';
import type { Loads, PlacementShape } from '../../server/src/engine/placement/placement';
import { sharedJson, sharedPath } from '../shared';

/** One recorded run of an original implementation. */
export interface PlacementCase {
  readonly id: string;
  readonly algo: string;
  readonly params: {
    readonly num_replicas: number;
    readonly num_groups: number | null;
    readonly num_nodes: number | null;
    readonly num_gpus: number;
    readonly enable_hierarchical?: boolean;
    readonly old_phy2log?: readonly number[][];
    readonly active_ranks?: readonly (boolean | number)[];
  };
  readonly weights?: readonly number[][] | readonly number[][][];
  readonly weights_ref?: WeightsReference | readonly WeightsReference[];
  readonly expected: {
    readonly phy2log: readonly number[][];
    readonly logcnt: readonly number[][];
    readonly log2phy?: readonly number[][][];
  };
  readonly metrics: { readonly bal_mean: number; readonly bal_per_layer: readonly number[] };
  readonly flags: { readonly tie_sensitive: boolean };
}

interface WeightsReference {
  readonly file: string;
  readonly key?: string;
  readonly layers?: string;
  readonly scale?: number;
}

/** Rows of a recorded dump, scaled and cut as a case says. */
export function recordedLoads(reference: WeightsReference): Float64Array[] {
  const name = reference.file.split('/').at(-1) ?? '';
  const rows = sharedJson<Record<string, number[][]>>('oracles/placement/loads', name)[
    reference.key ?? 'logical_count'
  ];
  const [from = 0, to = (rows?.length ?? 0) - 1] = reference.layers?.split('..').map(Number) ?? [];
  return (rows ?? []).slice(from, to + 1).map((row) => Float64Array.from(row, (load) => load * (reference.scale ?? 1)));
}

/** Loads of a case, one entry a time step. */
export function stepsOf(entry: PlacementCase): Loads[] {
  const { weights, weights_ref: reference } = entry;
  if (weights !== undefined) {
    const nested = Array.isArray(weights[0]?.[0]);
    const steps = (nested ? weights : [weights]) as readonly number[][][];
    return steps.map((rows) => rows.map((row) => Float64Array.from(row)));
  }
  if (reference === undefined) throw new Error(`${entry.id} has no weights`);
  return (Array.isArray(reference) ? (reference as readonly WeightsReference[]) : [reference as WeightsReference]).map(
    recordedLoads,
  );
}

export function shapeOf({ params }: PlacementCase, loads: Loads): PlacementShape {
  return {
    layers: loads.length,
    experts: loads[0]?.length ?? 0,
    slots: params.num_replicas,
    gpus: params.num_gpus,
    nodes: params.num_nodes ?? 1,
    groups: params.num_groups ?? 1,
  };
}

/** Every recorded case whose file and loads are there, of the named algorithms. */
export function recordedCases(algo: string): PlacementCase[] {
  return sharedJson<{ readonly id: string; readonly algo: string }[]>('oracles/placement/index.json')
    .filter((entry) => entry.algo === algo)
    .flatMap(({ id }) => {
      const path = sharedPath('oracles/placement', `${id}.json`);
      return path === undefined ? [] : [JSON.parse(readFileSync(path, 'utf8')) as PlacementCase];
    });
}
