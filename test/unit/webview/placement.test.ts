import { describe, expect, it } from 'vitest';
import { describeSlot, firstDuplicate } from '../../../client/webview/placement/describe';
import { heatCellAt, heatLayout, heatRowTop } from '../../../client/webview/placement/draw-heatmap';
import { placementRole } from '../../../client/webview/placement/head';
import { layerForKey } from '../../../client/webview/placement/heatmap';
import { layerHeight, layerLayout, slotAt, slotCorner } from '../../../client/webview/placement/layer-layout';
import {
  decodePlacement,
  EVEN_PLACE,
  expertAt,
  gpuOf,
  moveSlot,
  placeOn,
  replicasOf,
  valueAt,
} from '../../../client/webview/placement/model';
import { allColumns } from '../../../client/webview/placement/table';
import { link, placementData } from '../../webview/data';

const model = decodePlacement(placementData({ layers: 6, experts: 32, slots: 48, gpus: 16, nodes: 2, duplicateIn: 3 }));

describe('the placement model', () => {
  it('counts the copies of every expert', () => {
    for (let layer = 0; layer < 6; layer += 1) {
      let slots = 0;
      for (let expert = 0; expert < 32; expert += 1) {
        const places = replicasOf(model, layer, expert);
        expect(places.length).toBe(model.copies[layer * 32 + expert]);
        slots += places.length;
      }
      expect(slots).toBe(48);
    }
  });

  it('gives loads as shares of the mean', () => {
    const row = model.gpuRatio.subarray(0, 16);
    expect(row.reduce((sum, value) => sum + value, 0)).toBeCloseTo(16, 9);
    expect(1 / Math.max(...row)).toBeCloseTo(model.view.meanOverMax[0] ?? 0, 9);
  });

  it('finds an expert that sits twice on one GPU', () => {
    expect(model.duplicates.length).toBeGreaterThan(0);
    for (const at of model.duplicates) {
      const layer = Math.floor(at / 48);
      const gpu = gpuOf(model, at % 48);
      const twins = replicasOf(model, layer, expertAt(model, layer, at % 48)).filter(
        (slot) => gpuOf(model, slot) === gpu,
      );
      expect(twins.length).toBeGreaterThan(1);
      expect(describeSlot(model, layer, at % 48).note).toContain('twice');
    }
    expect(firstDuplicate(model)).toMatchObject({ layer: 3, text: expect.stringContaining('layer 6') as string });
    expect(decodePlacement(placementData({ layers: 2, experts: 8, slots: 8, gpus: 4, nodes: 1 })).duplicates).toEqual(
      [],
    );
  });

  it('keeps even load in the calm part of the scale', () => {
    const scale = { low: 0.5, high: 3 };
    expect([0.5, 1, 3, 9, 0].map((value) => placeOn(scale, value))).toEqual([0, EVEN_PLACE, 1, 1, 0]);
    for (const value of [0.6, 0.9, 1, 1.5, 2.9]) expect(valueAt(scale, placeOn(scale, value))).toBeCloseTo(value, 9);
  });

  it('goes to the worst layer and on to the next worse', () => {
    const [worst = -1, second = -1] = model.worstFirst;
    expect(layerForKey(model, second, 'w')).toBe(worst);
    expect(layerForKey(model, worst, 'n')).toBe(second);
    expect(layerForKey(model, 5, 'ArrowDown')).toBe(5);
    expect(layerForKey(model, 3, 'PageUp')).toBe(0);
    expect(layerForKey(model, 3, 'x')).toBeUndefined();
  });
});

describe('the maps', () => {
  it.each([
    [288, 32, 4, 700],
    [320, 320, 40, 900],
    [64, 8, 1, 300],
    [72, 72, 1, 500],
    [256, 8, 1, 640],
  ])('find every slot again under its own middle: %i slots, %i GPUs, %i nodes, %i px', (slots, gpus, nodes, width) => {
    const own = decodePlacement(placementData({ layers: 1, experts: Math.min(slots, 64), slots, gpus, nodes }));
    const layout = layerLayout(own, width, 500, 30);
    let lowest = 0;
    for (let slot = 0; slot < slots; slot += 1) {
      const { x, y } = slotCorner(own, layout, slot);
      expect(slotAt(own, layout, x + layout.cellWidth / 2, y + layout.cellHeight / 2)).toBe(slot);
      expect(x + layout.cellWidth).toBeLessThanOrEqual(width + layout.cellWidth);
      lowest = Math.max(lowest, y + layout.scroll + layout.cellHeight);
    }
    expect(lowest).toBeLessThanOrEqual(layerHeight(own, layout));
    expect(slotAt(own, layout, -5, 100)).toBe(-1);
  });

  it('put more nodes side by side where not all of them fit', () => {
    const many = decodePlacement(placementData({ layers: 2, experts: 256, slots: 320, gpus: 320, nodes: 40 }));
    const few = decodePlacement(placementData({ layers: 2, experts: 8, slots: 8, gpus: 8, nodes: 1 }));
    expect(layerLayout(many, 660, 600, 0).nodesPerLine).toBe(2);
    expect(layerLayout(few, 660, 600, 0).cellWidth).toBe(40);
  });

  it('find layer and GPU of a heatmap cell', () => {
    const layout = heatLayout({ width: 500, height: 300 }, 6, 0);
    expect(heatCellAt(model, layout, layout.left + (layout.width * 5.5) / 16, heatRowTop(layout, 4) + 1)).toEqual({
      layer: 4,
      gpu: 5,
    });
    expect(heatCellAt(model, layout, 3, heatRowTop(layout, 4) + 1)).toEqual({ layer: 4, gpu: -1 });
    expect(heatCellAt(model, layout, 3, 2)).toEqual({ layer: -1, gpu: -1 });
  });

  it('move by keys and visit all replicas in a circle', () => {
    expect(moveSlot(model, 0, -1, 'right')).toBe(0);
    expect(moveSlot(model, 0, 0, 'right')).toBe(3);
    expect(moveSlot(model, 0, 0, 'left')).toBe(0);
    expect(moveSlot(model, 0, 2, 'down')).toBe(2);
    const start = replicasOf(model, 0, expertAt(model, 0, 0))[0] ?? 0;
    let at = start;
    const seen = new Set<number>();
    do {
      seen.add(at);
      at = moveSlot(model, 0, at, 'replica');
    } while (at !== start);
    expect([...seen].sort((a, b) => a - b)).toEqual(replicasOf(model, 0, expertAt(model, 0, 0)));
  });
});

describe('words and rows', () => {
  it('write every slot of every layer', () => {
    const columns = allColumns(model);
    const titles = columns.map(({ title }) => title);
    const last = columns.map(({ key }) => key(6 * 48 - 1));
    expect(last[titles.indexOf('Layer')]).toBe(8);
    expect(last[titles.indexOf('GPU')]).toBe(15);
    expect(last[titles.indexOf('Slot')]).toBe(47);
  });

  it.each([
    ['ep_num_redundant_experts', 'slots'],
    ['expert_parallel_size', 'gpus'],
    ['ep_size', 'gpus'],
    ['init_expert_location', 'policy'],
    ['n_routed_experts', 'experts'],
    ['gpu-memory', undefined],
  ])('take %s for the line behind %s', (label, role) => {
    expect(placementRole(link(label, 0))).toBe(role);
  });
});
