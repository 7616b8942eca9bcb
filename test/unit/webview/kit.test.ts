import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { exportName } from '../../../client/webview/kit/export';
import { bytesText, count, decimalsOf, gib, percent, short } from '../../../client/webview/kit/format';
import { memoryHost } from '../../../client/webview/kit/host';
import { createQuads } from '../../../client/webview/kit/pen';
import { svgSheet } from '../../../client/webview/kit/svg-pen';
import { sortedRows, toCsv } from '../../../client/webview/kit/table';
import type { TableColumn } from '../../../client/webview/kit/table';
import { isReadable, themeKindOf } from '../../../client/webview/kit/theme';
import { ticksOf } from '../../../client/webview/kit/ticks';
import {
  axisFrom,
  endOf,
  fitAxis,
  panBy,
  resized,
  reveal,
  toPixel,
  toValue,
  zoomAt,
  zoomOf,
  zoomTo,
} from '../../../client/webview/kit/viewport';

describe('the axis', () => {
  const axis = fitAxis(200, 1000);

  it('fits, and turns values into pixels and back', () => {
    expect(zoomOf(axis)).toBe(1);
    expect(toPixel(axis, 200)).toBe(1000);
    expect(toValue(axis, 500)).toBe(100);
  });

  it('keeps the value under the pointer while zooming', () => {
    const zoomed = zoomAt(axis, 4, 250);
    expect(toValue(zoomed, 250)).toBeCloseTo(50, 9);
    expect(zoomOf(zoomed)).toBeCloseTo(4, 9);
  });

  it('never leaves the extent', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.double({ min: -3, max: 3, noNaN: true }), fc.integer({ min: -5000, max: 5000 })), {
          maxLength: 30,
        }),
        (steps) => {
          let now = fitAxis(200, 1000);
          for (const [power, pixels] of steps) now = panBy(zoomAt(now, 10 ** power, 300), pixels);
          expect(now.start).toBeGreaterThanOrEqual(0);
          expect(endOf(now)).toBeLessThanOrEqual(200 * (1 + 1e-9));
          expect(zoomOf(now)).toBeGreaterThanOrEqual(1 - 1e-9);
        },
      ),
    );
  });

  it('shows the same left edge and zoom under another width and after a reload', () => {
    const zoomed = zoomAt(axis, 5, 500);
    const wide = resized(zoomed, 400);
    expect(wide.start).toBeCloseTo(zoomed.start, 9);
    expect(zoomOf(wide)).toBeCloseTo(5, 9);
    const back = resized(axisFrom(200, 1, zoomed.start, 5), 1000);
    expect(back.start).toBeCloseTo(zoomed.start, 9);
    expect(back.scale).toBeCloseTo(zoomed.scale, 9);
  });

  it('brings a span into view and changes nothing when it is seen', () => {
    const zoomed = zoomAt(axis, 10, 0);
    expect(reveal(zoomed, 5, 6)).toBe(zoomed);
    const moved = reveal(zoomed, 150, 152);
    expect(toPixel(moved, 150)).toBeGreaterThanOrEqual(0);
    expect(toPixel(moved, 152)).toBeLessThanOrEqual(1000);
    expect(zoomOf(zoomTo(axis, 100, 110))).toBeCloseTo(200 / 12, 6);
  });

  it('survives sizes that are none', () => {
    for (const broken of [fitAxis(0, 0), fitAxis(NaN, NaN), axisFrom(10, 100, NaN, Infinity)]) {
      expect(Number.isFinite(broken.scale)).toBe(true);
      expect(broken.scale).toBeGreaterThan(0);
    }
  });
});

describe('ticks and figures', () => {
  it('chooses round steps and never a negative zero', () => {
    expect(ticksOf(0, 66, 7)).toEqual({ step: 10, values: [0, 10, 20, 30, 40, 50, 60] });
    expect(Object.is(ticksOf(0, 1, 4).values[0], 0)).toBe(true);
    expect(ticksOf(3, 3, 5).values).toEqual([]);
    expect(decimalsOf(0.05)).toBe(2);
    expect(decimalsOf(20)).toBe(0);
  });

  it('writes bytes in the unit that suits them', () => {
    expect(gib(71.24 * 2 ** 30)).toBe('71.2');
    expect(bytesText(656)).toBe('656 B');
    expect(bytesText(688_574_839_360)).toBe('641 GiB');
    expect(count(671_026_404_352)).toBe('671.0B');
    expect(percent(0.0909)).toBe('9.1 %');
    expect(short(66)).toBe('66');
  });
});

describe('the table twin', () => {
  const columns: readonly TableColumn[] = [
    { title: 'n', numeric: true, text: (row) => `#${row}`, key: (row) => [3, 1, 2, 1][row] ?? 0 },
    { title: 'name, "quoted"', numeric: false, text: () => '', key: (row) => ['b', 'a10', 'a9', 'x,"y"'][row] ?? '' },
  ];

  it('sorts by the key, both ways, ties in the order of the picture', () => {
    expect(sortedRows(4, columns[0], false)).toEqual([1, 3, 2, 0]);
    expect(sortedRows(4, columns[0], true)).toEqual([0, 2, 1, 3]);
    expect(sortedRows(4, columns[1], false)).toEqual([2, 1, 0, 3]);
    expect(sortedRows(3, undefined, false)).toEqual([0, 1, 2]);
  });

  it('writes comma-separated text that a spreadsheet reads', () => {
    expect(toCsv(4, columns).split('\r\n')).toEqual([
      'n,"name, ""quoted"""',
      '3,b',
      '1,a10',
      '2,a9',
      '1,"x,""y"""',
      '',
    ]);
  });
});

describe('the SVG pen', () => {
  const options = {
    width: 100,
    height: 50,
    background: '#fff',
    font: 'sans-serif',
    title: 'a < b & "c"',
    textWidth: (text: string) => text.length * 6,
  };

  it('escapes every text', () => {
    const sheet = svgSheet(options);
    sheet.pen.text('<script>"&\u0001', 1, 2, { fill: '#000', size: 10 });
    expect(sheet.text()).toContain('<title>a &lt; b &amp; &quot;c&quot;</title>');
    expect(sheet.text()).toContain('&lt;script&gt;&quot;&amp;</text>');
  });

  it('writes many rectangles as one path, and one pattern for a hatch used twice', () => {
    const sheet = svgSheet(options);
    const quads = createQuads();
    for (let at = 0; at < 100; at += 1) quads.push(at, 0, 1, 2);
    sheet.pen.rects(quads.data(), quads.count(), '#123456');
    sheet.pen.textures(quads.data(), 2, 'slash', 'rgba(0,0,0,0.3)');
    sheet.pen.texture(0, 0, 5, 5, 'slash', 'rgba(0,0,0,0.3)');
    const text = sheet.text();
    expect(text.match(/<path d="M0 0h1v2h-1z/g)).toHaveLength(2);
    expect(text.match(/<pattern /g)).toHaveLength(1);
    expect(text.match(/h1v2h-1z/g)).toHaveLength(102);
  });
});

describe('host and names', () => {
  it('plays both sides in memory', () => {
    const lab = memoryHost({ uri: 'file:///a', pinned: true });
    const heard: string[] = [];
    const stop = lab.host.listen((message) => heard.push(message.type));
    lab.send({ type: 'memory', answer: { empty: true, uri: 'file:///a', reason: 'none' } });
    stop();
    lab.send({ type: 'memory', answer: { empty: true, uri: 'file:///a', reason: 'none' } });
    lab.host.post({ type: 'ready' });
    lab.host.setState({ uri: 'file:///b', pinned: false });
    expect(heard).toEqual(['memory']);
    expect(lab.posted).toEqual([{ type: 'ready' }]);
    expect(lab.host.getState()).toEqual({ uri: 'file:///b', pinned: false });
  });

  it('makes file names that any file system takes', () => {
    expect(exportName('file:///ws/deepseek%20v3.yaml', 'memory', 'svg')).toBe('deepseek-v3-memory.svg');
    expect(exportName('file:///ws/%E0%A4%A', 'memory', 'svg')).toBe('E0-A4-A-memory.svg');
    expect(exportName('untitled:', 'memory', 'csv')).toBe('untitled-memory.csv');
  });

  it('tells the four themes apart by the classes that VS Code sets', () => {
    const kind = (...classes: string[]): string => themeKindOf({ contains: (name) => classes.includes(name) });
    expect(kind('vscode-light')).toBe('light');
    expect(kind('vscode-dark')).toBe('dark');
    expect(kind('vscode-high-contrast')).toBe('hc-dark');
    expect(kind('vscode-high-contrast-light', 'vscode-high-contrast')).toBe('hc-light');
    expect(isReadable('rgba(255,255,255,0.3)', '#1f1f1f')).toBe(false);
    expect(isReadable('#9d9d9d', '#1f1f1f')).toBe(true);
  });
});
