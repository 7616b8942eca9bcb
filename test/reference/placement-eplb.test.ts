import { expect, it } from 'vitest';
import { balance, isPlacementRefusal, logicalToPhysical, place } from '../../server/src/engine/placement/place';
import type { Placement } from '../../server/src/engine/placement/placement';
import { describeShared, sharedJson } from '../shared';

interface Index {
  readonly id: string;
  readonly algo: string;
}

interface Case {
  readonly id: string;
  readonly params: {
    readonly num_replicas: number;
    readonly num_groups: number;
    readonly num_nodes: number;
    readonly num_gpus: number;
  };
  readonly weights?: readonly number[][];
  readonly weights_ref?: {
    readonly file: string;
    readonly key?: string;
    readonly layers?: string;
    readonly scale?: number;
  };
  readonly expected: {
    readonly phy2log: readonly number[][];
    readonly logcnt: readonly number[][];
    readonly log2phy: readonly number[][][];
  };
  readonly metrics: { readonly bal_mean: number; readonly bal_per_layer: readonly number[] };
  readonly flags: { readonly tie_sensitive: boolean };
}

function weightsOf(entry: Case): Float64Array[] {
  if (entry.weights !== undefined) return entry.weights.map((row) => Float64Array.from(row));
  const reference = entry.weights_ref;
  if (reference === undefined) throw new Error(`${entry.id} has no weights`);
  const rows =
    sharedJson<Record<string, number[][]>>('oracles/placement/loads', reference.file.split('/').at(-1) ?? '')[
      reference.key ?? 'logical_count'
    ] ?? [];
  const [from = 0, to = rows.length - 1] = reference.layers?.split('..').map(Number) ?? [];
  return rows.slice(from, to + 1).map((row) => Float64Array.from(row, (load) => load * (reference.scale ?? 1)));
}

function run(entry: Case): { readonly placement: Placement; readonly loads: Float64Array[] } {
  const loads = weightsOf(entry);
  const { num_replicas: slots, num_groups: groups, num_nodes: nodes, num_gpus: gpus } = entry.params;
  const placement = place(
    loads,
    { layers: loads.length, experts: loads[0]?.length ?? 0, slots, gpus, nodes, groups },
    'eplb',
  );
  if (isPlacementRefusal(placement)) throw new Error(placement.message);
  return { placement, loads };
}

describeShared('EPLB of deepseek-ai/EPLB, recorded', ['oracles/placement/index.json'], () => {
  const present = sharedJson<Index[]>('oracles/placement/index.json').filter(({ algo }) => algo === 'eplb');
  const cases = present.flatMap(({ id }) => {
    try {
      return [sharedJson<Case>('oracles/placement', `${id}.json`)];
    } catch {
      return [];
    }
  });

  it('has cases to compare', () => {
    expect(cases.length).toBeGreaterThan(10);
  });

  it.each(cases)('$id', (entry) => {
    const { placement, loads } = run(entry);
    expect(placement.replicaCounts.map((row) => [...row])).toEqual(entry.expected.logcnt);
    // The recorded run used stable sorts, which is our rule too: the map must be the same to the slot, ties included.
    expect(placement.physicalToLogical.map((row) => [...row])).toEqual(entry.expected.phy2log);
    const sets = logicalToPhysical(placement);
    expect(sets).toEqual(entry.expected.log2phy.map((layer) => layer.map((slots) => [...slots].sort((a, b) => a - b))));
    const { meanOverMax } = balance(placement, loads);
    meanOverMax.forEach((value, layer) => {
      expect(value).toBeCloseTo(entry.metrics.bal_per_layer[layer] ?? Number.NaN, 4);
    });
  });
});
