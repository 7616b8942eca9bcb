import { describe, expect, it } from 'vitest';
import { copyOf, effectOf, inverseOf, swapOf } from '../../../client/webview/placement/draft';
import { decodePlacement, expertAt, withSlots } from '../../../client/webview/placement/model';
import { encodeColumn } from '../../../server/src/protocol/columns';
import type { PlacementView } from '../../../server/src/protocol/placement';

/** Two layers of four experts, six slots on two GPUs; the first layer is uneven. */
const view: PlacementView = {
  uri: 'file:///a.yaml',
  version: 1,
  title: 'Experts',
  assumptions: [],
  policy: 'eplb',
  policies: ['eplb'],
  layers: 2,
  firstLayer: 3,
  experts: 4,
  slots: 6,
  gpus: 2,
  nodes: 1,
  groups: 1,
  uniformLoads: false,
  columns: {
    physicalToLogical: encodeColumn(Int32Array.of(0, 1, 0, 2, 3, 2, 0, 1, 2, 3, 0, 1)),
    loads: encodeColumn(Float64Array.of(8, 4, 2, 2, 1, 1, 1, 1)),
    gpuLoads: encodeColumn(Float64Array.of(12, 4, 2, 2)),
  },
  meanOverMax: [8 / 12, 1],
  lowerBound: [1, 1],
  links: [],
};
const model = decodePlacement(view);

describe('changes of slots in the panel', () => {
  it('swap two experts and give the balance anew', () => {
    const changes = swapOf(model, 0, 0, 3);
    expect(changes).toEqual([
      { row: 0, slot: 0, expert: 2 },
      { row: 0, slot: 3, expert: 0 },
    ]);
    const after = withSlots(model, changes);
    // GPU 0: 1 + 4 + 4; GPU 1: 4 + 2 + 1.
    expect(after.view.meanOverMax[0]).toBeCloseTo(8 / 9, 12);
    expect(after.view.meanOverMax[1]).toBe(1);
    expect(effectOf(model, changes)).toBe('Balance of the layer 0.667 → 0.889');
    expect(withSlots(after, inverseOf(model, changes)).map).toEqual(model.map);
  });

  it('count duplicates and copies anew', () => {
    const after = withSlots(model, copyOf(model, 0, 1, 2));
    expect(expertAt(after, 0, 2)).toBe(1);
    expect([...after.copies.subarray(0, 4)]).toEqual([1, 2, 2, 1]);
    expect(after.duplicates).toContain(2);
  });

  it('never take the last copy of an expert, and never do nothing', () => {
    expect(copyOf(model, 0, 0, 4)).toEqual([]);
    expect(copyOf(model, 0, 0, 2)).toEqual([]);
    expect(swapOf(model, 0, 0, 2)).toEqual([]);
    expect(swapOf(model, 0, 1, 1)).toEqual([]);
    expect(swapOf(model, 0, -1, 1)).toEqual([]);
    expect(withSlots(model, [])).toBe(model);
  });
});
