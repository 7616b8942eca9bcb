import type { Pen, Stroke, TextStyle } from './pen';
import { TEXTURES } from './texture';
import type { TextureName } from './texture';

export interface SvgSheet {
  readonly pen: Pen;
  /** The finished file. */
  readonly text: () => string;
}

export interface SvgOptions {
  readonly width: number;
  readonly height: number;
  readonly background: string;
  readonly font: string;
  readonly title: string;
  readonly textWidth: Pen['textWidth'];
}

/** Makes any text safe inside XML text and attributes. */
export function escapeXml(text: string): string {
  const names: Readonly<Record<string, string>> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
    "'": '&apos;',
  };
  // XML 1.0 forbids control characters even when they are escaped.
  const allowed = [...text].filter((char) => char >= ' ' || char === '\t' || char === '\n' || char === '\r');
  return allowed.join('').replace(/[&<>"']/g, (char) => names[char] ?? char);
}

/** Two decimals: a hundredth of a pixel is below anything a printer shows, and files stay small. */
function round(value: number): string {
  return String(Math.round(value * 100) / 100);
}

function paint(color: string): string {
  const parts = /^rgba\((\d+),\s*(\d+),\s*(\d+),\s*([\d.]+)\)$/.exec(color);
  // Programs that open SVG files read rgb() and an opacity, not all of them rgba().
  if (parts === null) return `"${escapeXml(color)}"`;
  return `"rgb(${parts[1]},${parts[2]},${parts[3]})" fill-opacity="${parts[4]}"`;
}

function strokeText(stroke: Stroke): string {
  const dash = stroke.dash === undefined ? '' : ` stroke-dasharray="${stroke.dash.join(' ')}"`;
  return `stroke="${escapeXml(stroke.color)}" stroke-width="${round(stroke.width)}"${dash}`;
}

function path(points: readonly number[]): string {
  const parts: string[] = [];
  for (let at = 0; at + 1 < points.length; at += 2) {
    parts.push(`${at === 0 ? 'M' : 'L'}${round(points[at] ?? 0)} ${round(points[at + 1] ?? 0)}`);
  }
  return parts.join('');
}

function patternText(id: string, name: Exclude<TextureName, 'none'>, color: string): string {
  const texture = TEXTURES[name];
  const opacity = /^rgba\(([^)]*),\s*([\d.]+)\)$/.exec(color);
  const solid = opacity === null ? color : `rgb(${opacity[1]})`;
  const strength = opacity === null ? '1' : (opacity[2] ?? '1');
  const lines = texture.segments
    .map(
      ([x1, y1, x2, y2]) => `<path d="M${x1} ${y1}L${x2} ${y2}" stroke="${solid}" stroke-width="${texture.stroke}"/>`,
    )
    .join('');
  const dots = texture.dots.map(([x, y, r]) => `<circle cx="${x}" cy="${y}" r="${r}" fill="${solid}"/>`).join('');
  return `<pattern id="${id}" width="${texture.tile}" height="${texture.tile}" patternUnits="userSpaceOnUse"><g opacity="${strength}">${lines}${dots}</g></pattern>`;
}

function textElement(text: string, x: number, y: number, style: TextStyle): string {
  const anchor = style.align === 'center' ? 'middle' : style.align === 'right' ? 'end' : 'start';
  const weight = style.bold === true ? ' font-weight="600"' : '';
  return `<text x="${round(x)}" y="${round(y + style.size * 0.36)}" font-size="${style.size}" text-anchor="${anchor}"${weight} fill=${paint(style.fill)}>${escapeXml(text)}</text>`;
}

function quadsPath(quads: Float64Array, count: number): string {
  const parts: string[] = [];
  for (let at = 0; at < count * 4; at += 4) {
    const width = quads[at + 2] ?? 0;
    parts.push(
      `M${round(quads[at] ?? 0)} ${round(quads[at + 1] ?? 0)}h${round(width)}v${round(quads[at + 3] ?? 0)}h${round(-width)}z`,
    );
  }
  return parts.join('');
}

/** A sheet that writes an SVG file with the same calls that paint a canvas. */
export function svgSheet(options: SvgOptions): SvgSheet {
  const body: string[] = [];
  const definitions: string[] = [];
  const patterns = new Map<string, string>();
  let clips = 0;
  const patternId = (name: Exclude<TextureName, 'none'>, color: string): string => {
    const key = `${name}|${color}`;
    const known = patterns.get(key);
    if (known !== undefined) return known;
    const id = `h${patterns.size}`;
    patterns.set(key, id);
    definitions.push(patternText(id, name, color));
    return id;
  };
  const box = (x: number, y: number, width: number, height: number): string =>
    `x="${round(x)}" y="${round(y)}" width="${round(Math.max(0, width))}" height="${round(Math.max(0, height))}"`;
  const pen: Pen = {
    rect: (x, y, width, height, fill) => void body.push(`<rect ${box(x, y, width, height)} fill=${paint(fill)}/>`),
    rects: (quads, count, fill) => {
      if (count > 0) body.push(`<path d="${quadsPath(quads, count)}" fill=${paint(fill)}/>`);
    },
    texture: (x, y, width, height, name, color) => {
      if (name !== 'none') body.push(`<rect ${box(x, y, width, height)} fill="url(#${patternId(name, color)})"/>`);
    },
    textures: (quads, count, name, color) => {
      if (name !== 'none' && count > 0)
        body.push(`<path d="${quadsPath(quads, count)}" fill="url(#${patternId(name, color)})"/>`);
    },
    frame: (x, y, width, height, stroke) =>
      void body.push(`<rect ${box(x, y, width, height)} fill="none" ${strokeText(stroke)}/>`),
    line: (points, stroke) => void body.push(`<path d="${path(points)}" fill="none" ${strokeText(stroke)}/>`),
    area: (points, fill) => void body.push(`<path d="${path(points)}z" fill=${paint(fill)}/>`),
    text: (text, x, y, style) => void body.push(textElement(text, x, y, style)),
    textWidth: options.textWidth,
    clipped: (x, y, width, height, draw) => {
      const id = `c${(clips += 1)}`;
      definitions.push(`<clipPath id="${id}"><rect ${box(x, y, width, height)}/></clipPath>`);
      body.push(`<g clip-path="url(#${id})">`);
      draw();
      body.push('</g>');
    },
  };
  const head = `<svg xmlns="http://www.w3.org/2000/svg" width="${round(options.width)}" height="${round(options.height)}" viewBox="0 0 ${round(options.width)} ${round(options.height)}" font-family="${escapeXml(options.font)}">`;
  return {
    pen,
    text: () =>
      `${head}<title>${escapeXml(options.title)}</title><defs>${definitions.join('')}</defs><rect width="100%" height="100%" fill=${paint(options.background)}/>${body.join('')}</svg>\n`,
  };
}
