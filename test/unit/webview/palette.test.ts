import { describe, expect, it } from 'vitest';
import { contrast, inkOn, mix, over, parseColor, rampOf } from '../../../client/webview/kit/color';
import type { Rgba } from '../../../client/webview/kit/color';
import { OP_NAMES, PALETTES } from '../../../client/webview/kit/palette';
import type { ThemeKind } from '../../../client/webview/kit/palette';
import { HOST_THEMES, THEME_KINDS } from '../../webview/themes';

function color(text: string): Rgba {
  const parsed = parseColor(text);
  if (parsed === undefined) throw new Error(`not a colour: ${text}`);
  return parsed;
}

function backgroundOf(kind: ThemeKind): Rgba {
  return color(HOST_THEMES[kind].variables['--vscode-editor-background'] ?? '');
}

// Machado, Oliveira, Fernandes 2009, severity 1.0, on linear light.
const VISION: Readonly<Record<string, readonly (readonly number[])[]>> = {
  normal: [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ],
  protanopia: [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998],
  ],
  deuteranopia: [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.01182, 0.04294, 0.968881],
  ],
};

function linear(channel: number): number {
  return channel <= 0.04045 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4;
}

/** OKLab of a colour as somebody with that vision sees it. */
function seen(text: string, matrix: readonly (readonly number[])[]): readonly number[] {
  const source = color(text);
  const light = [source.r, source.g, source.b].map(linear);
  const [r = 0, g = 0, b = 0] = matrix.map((row) =>
    Math.max(
      0,
      Math.min(
        1,
        row.reduce((sum, weight, at) => sum + weight * (light[at] ?? 0), 0),
      ),
    ),
  );
  const l = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
  const m = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
  const s = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
  return [
    0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s,
    1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s,
    0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s,
  ];
}

function distance(one: string, other: string, matrix: readonly (readonly number[])[]): number {
  const a = seen(one, matrix);
  const b = seen(other, matrix);
  return 100 * Math.hypot(...a.map((value, at) => value - (b[at] ?? 0)));
}

describe.each(THEME_KINDS)('the %s palette', (kind) => {
  const palette = PALETTES[kind];
  const background = backgroundOf(kind);
  const marks: readonly (readonly [string, string])[] = [
    ...OP_NAMES.flatMap((name) => palette.ops[name].map((fill, at) => [`${name}${at}`, fill] as const)),
    ...Object.entries(palette.parts),
    ...rampOf(palette.ramp, 16).map((fill, at) => [`ramp ${at}`, fill] as const),
    ['producer', palette.producer],
    ['consumer', palette.consumer],
    ['limit', palette.limit],
    ['curve', palette.curve],
  ];

  it('keeps every mark at 3 : 1 or more against the editor', () => {
    const weak = marks.filter(([, fill]) => contrast(color(fill), background) < 3);
    expect(weak).toEqual([]);
  });

  it('keeps the device line and its figure readable as text', () => {
    expect(contrast(color(palette.limit), background)).toBeGreaterThanOrEqual(4.5);
  });

  it('keeps block numbers at 4.5 : 1 or more, on plain ground and on the hatch', () => {
    for (const name of OP_NAMES) {
      for (const fill of palette.ops[name]) {
        const ink = color(inkOn(fill));
        const hatch = over(color(inkOn(fill) === '#000000' ? palette.hatchOnLight : palette.hatchOnDark), color(fill));
        expect(contrast(ink, color(fill)), `${name} ${fill}`).toBeGreaterThanOrEqual(4.5);
        expect(contrast(ink, hatch), `${name} ${fill} hatch`).toBeGreaterThanOrEqual(4.5);
      }
    }
  });

  it('keeps figures readable on every part and every load', () => {
    for (const fill of [...Object.values(palette.parts), ...rampOf(palette.ramp, 64)]) {
      expect(contrast(color(inkOn(fill)), color(fill)), fill).toBeGreaterThanOrEqual(4.5);
    }
  });

  it.each(Object.keys(VISION))('tells the kinds of one direction apart under %s', (vision) => {
    const matrix = VISION[vision] ?? [];
    for (const direction of [0, 1] as const) {
      OP_NAMES.forEach((one, at) => {
        for (const other of OP_NAMES.slice(at + 1)) {
          const apart = distance(palette.ops[one][direction], palette.ops[other][direction], matrix);
          expect(apart, `${one} and ${other}, direction ${direction}`).toBeGreaterThan(6.5);
        }
      });
    }
  });

  it('orders loads by luminance alone', () => {
    const background255 = backgroundOf(kind);
    const steps = rampOf(palette.ramp, 24).map((fill) => contrast(color(fill), background255));
    expect(steps).toEqual([...steps].sort((a, b) => a - b));
  });
});

describe('colours', () => {
  it('reads the forms that editors write', () => {
    expect(parseColor('#fff')).toEqual({ r: 1, g: 1, b: 1, a: 1 });
    expect(parseColor('#00000080')?.a).toBeCloseTo(0.502, 3);
    expect(parseColor('rgba(255, 0, 0, 0.5)')).toEqual({ r: 1, g: 0, b: 0, a: 0.5 });
    expect(parseColor('rgb(0 0 255 / 25%)')).toEqual({ r: 0, g: 0, b: 1, a: 0.25 });
    expect(parseColor('red')).toBeUndefined();
    expect(parseColor('')).toBeUndefined();
  });

  it('measures contrast as WCAG does', () => {
    expect(contrast(color('#000'), color('#fff'))).toBeCloseTo(21, 6);
    expect(contrast(color('#777777'), color('#ffffff'))).toBeCloseTo(4.48, 2);
  });

  it('mixes from end to end', () => {
    expect(mix(color('#000'), color('#fff'), 0.5).r).toBeCloseTo(0.5, 9);
    expect(rampOf(['#000000', '#ffffff'], 3)).toEqual(['#000000', '#808080', '#ffffff']);
  });
});
