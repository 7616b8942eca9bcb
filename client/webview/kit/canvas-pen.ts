import type { Pen, Stroke, TextStyle } from './pen';
import { TEXTURES } from './texture';
import type { Texture, TextureName } from './texture';

type Context = CanvasRenderingContext2D;

/** One tile of a hatch as a repeating fill; drawn at the screen's own resolution so that it stays sharp. */
function makePattern(context: Context, texture: Texture, color: string, ratio: number): CanvasPattern | null {
  const tile = document.createElement('canvas');
  const edge = Math.max(1, Math.round(texture.tile * ratio));
  tile.width = edge;
  tile.height = edge;
  const pen = tile.getContext('2d');
  if (pen === null) return null;
  pen.scale(edge / texture.tile, edge / texture.tile);
  pen.strokeStyle = color;
  pen.fillStyle = color;
  pen.lineWidth = texture.stroke;
  pen.beginPath();
  for (const [x1, y1, x2, y2] of texture.segments) {
    pen.moveTo(x1, y1);
    pen.lineTo(x2, y2);
  }
  if (texture.segments.length > 0) pen.stroke();
  for (const [x, y, radius] of texture.dots) {
    pen.beginPath();
    pen.arc(x, y, radius, 0, 2 * Math.PI);
    pen.fill();
  }
  const pattern = context.createPattern(tile, 'repeat');
  pattern?.setTransform(new DOMMatrix().scale(texture.tile / edge));
  return pattern;
}

function setStroke(context: Context, stroke: Stroke): void {
  context.strokeStyle = stroke.color;
  context.lineWidth = stroke.width;
  context.setLineDash(stroke.dash === undefined ? [] : [...stroke.dash]);
}

function trace(context: Context, points: readonly number[]): void {
  context.beginPath();
  for (let at = 0; at + 1 < points.length; at += 2) context.lineTo(points[at] ?? 0, points[at + 1] ?? 0);
}

/** The hatches of one canvas, made when first needed and kept: making one costs more than a thousand fills. */
export interface PatternCache {
  readonly get: (name: Exclude<TextureName, 'none'>, color: string, ratio: number) => CanvasPattern | null;
}

export function createPatternCache(context: Context): PatternCache {
  const made = new Map<string, CanvasPattern | null>();
  return {
    get: (name, color, ratio) => {
      const key = `${name}|${color}|${ratio}`;
      let pattern = made.get(key);
      if (pattern === undefined) {
        pattern = makePattern(context, TEXTURES[name], color, ratio);
        made.set(key, pattern);
      }
      return pattern;
    },
  };
}

function fontOf(family: string, size: number, bold: boolean | undefined): string {
  return `${bold === true ? '600 ' : ''}${size}px ${family}`;
}

function fillQuads(context: Context, quads: Float64Array, count: number): void {
  for (let at = 0; at < count * 4; at += 4) {
    context.fillRect(quads[at] ?? 0, quads[at + 1] ?? 0, quads[at + 2] ?? 0, quads[at + 3] ?? 0);
  }
}

/** A pen on a canvas whose context is already scaled to CSS pixels. */
export function canvasPen(context: Context, family: string, ratio: number, patterns: PatternCache): Pen {
  return {
    rect: (x, y, width, height, fill) => {
      context.fillStyle = fill;
      context.fillRect(x, y, width, height);
    },
    rects: (quads, count, fill) => {
      context.fillStyle = fill;
      fillQuads(context, quads, count);
    },
    textures: (quads, count, name, color) => {
      const pattern = name === 'none' || count === 0 ? null : patterns.get(name, color, ratio);
      if (pattern === null) return;
      context.fillStyle = pattern;
      fillQuads(context, quads, count);
    },
    texture: (x, y, width, height, name, color) => {
      if (name === 'none') return;
      const pattern = patterns.get(name, color, ratio);
      if (pattern === null) return;
      context.fillStyle = pattern;
      context.fillRect(x, y, width, height);
    },
    frame: (x, y, width, height, stroke) => {
      setStroke(context, stroke);
      context.strokeRect(x, y, width, height);
    },
    line: (points, stroke) => {
      setStroke(context, stroke);
      trace(context, points);
      context.stroke();
    },
    area: (points, fill) => {
      context.fillStyle = fill;
      trace(context, points);
      context.fill();
    },
    text: (text, x, y, style) => drawText(context, family, text, x, y, style),
    textWidth: (text, size, bold) => {
      context.font = fontOf(family, size, bold);
      return context.measureText(text).width;
    },
    clipped: (x, y, width, height, draw) => {
      context.save();
      context.beginPath();
      context.rect(x, y, width, height);
      context.clip();
      draw();
      context.restore();
    },
  };
}

function drawText(context: Context, family: string, text: string, x: number, y: number, style: TextStyle): void {
  const font = fontOf(family, style.size, style.bold);
  // Setting a font parses it, also when it is the same one.
  if (context.font !== font) context.font = font;
  context.fillStyle = style.fill;
  context.textAlign = style.align ?? 'left';
  // The middle of capitals and digits, the same in every renderer, which `textBaseline = middle` is not.
  context.fillText(text, x, y + style.size * 0.36);
}
