import { describe, expect, it } from 'vitest';
import { describeBar } from '../../../client/webview/memory/describe';
import { barAt, barLayout, barTop } from '../../../client/webview/memory/draw';
import { share } from '../../../client/webview/memory/numerics';
import { moveSelection, partsPresent, scaleOf, segmentsOf } from '../../../client/webview/memory/model';
import { memoryData, servingMemoryData } from '../../webview/data';

const view = memoryData();
const pen = { textWidth: (text: string) => text.length * 6 };

describe('memory bars', () => {
  it('end their parts at allocated and the rest at reserved and total', () => {
    for (const entry of view.classes) {
      const segments = segmentsOf(entry);
      const at = (part: string): number => segments.find((segment) => segment.part === part)?.to ?? NaN;
      expect(segments[0]?.from).toBe(0);
      segments.slice(1).forEach((segment, index) => expect(segment.from).toBe(segments[index]?.to));
      expect(at('slack')).toBeCloseTo(entry.reserved, 0);
      expect(at('outside')).toBeCloseTo(entry.total, 0);
    }
  });

  it('leave out parts that nobody has', () => {
    expect(partsPresent(view)).not.toContain('kvCache');
    expect(partsPresent(servingMemoryData())).toEqual(['weights', 'kvCache', 'activations', 'buffers', 'workspace']);
  });

  it('hold the fullest rank and the device', () => {
    expect(scaleOf(view)).toBeGreaterThan(view.peak.bytes);
    expect(scaleOf(servingMemoryData())).toBeGreaterThan(80 * 2 ** 30);
  });

  it('find the bar and the part under a point', () => {
    const layout = barLayout(pen, view, { width: 900, height: 300 }, 0);
    const y = barTop(layout, 2) + 4;
    expect(barAt(view, layout, layout.left + 3, y)).toEqual({ index: 2, part: 'weights' });
    expect(barAt(view, layout, 5, y)).toEqual({ index: 2 });
    expect(barAt(view, layout, layout.left + 3, 2)).toEqual({ index: -1 });
    const scrolled = barLayout(pen, view, { width: 900, height: 300 }, 54);
    expect(barAt(view, scrolled, 5, y)).toEqual({ index: 4 });
  });
});

describe('memory keys and words', () => {
  it('walk classes and parts', () => {
    expect(moveSelection(view, { index: -1 }, 'down')).toEqual({ index: 0 });
    expect(moveSelection(view, { index: 0 }, 'up')).toEqual({ index: 0, part: undefined });
    const first = moveSelection(view, { index: 0 }, 'right');
    expect(first).toEqual({ index: 0, part: 'weights' });
    expect(moveSelection(view, first, 'left').part).toBeUndefined();
    expect(moveSelection(view, first, 'last')).toEqual({ index: 15, part: 'weights' });
    expect(moveSelection({ ...view, classes: [] }, { index: 0 }, 'down')).toEqual({ index: -1 });
  });

  it('say how much is over or left', () => {
    expect(new Map(describeBar(view, { index: 0 })?.rows).get('Device')).toBe('6.7 GiB over');
    expect(new Map(describeBar(view, { index: 5 })?.rows).get('Device')).toBe('9.7 GiB left');
    expect(describeBar(view, { index: 5, part: 'weights' })?.title).toBe('Weights · 12.1 GiB');
    expect(describeBar(view, { index: 99 })).toBeUndefined();
  });
});

describe('precision figures', () => {
  it('keep the digits that count', () => {
    expect([0, 0.0253, 0.131, 0.000031].map(share)).toEqual(['0 %', '2.53 %', '13.10 %', '0.0031 %']);
  });
});
