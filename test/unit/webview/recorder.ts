import type { Pen } from '../../../client/webview/kit/pen';

export interface Drawn {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly fill: string;
}

export interface Recorder {
  readonly pen: Pen;
  readonly rects: readonly Drawn[];
  readonly texts: readonly { readonly text: string; readonly x: number; readonly y: number }[];
  readonly lines: readonly (readonly number[])[];
  readonly textures: readonly string[];
}

/** A pen that draws nothing and remembers everything; six pixels a letter. */
export function recorder(): Recorder {
  const rects: Drawn[] = [];
  const texts: { text: string; x: number; y: number }[] = [];
  const lines: (readonly number[])[] = [];
  const textures: string[] = [];
  const pen: Pen = {
    rect: (x, y, width, height, fill) => void rects.push({ x, y, width, height, fill }),
    rects: (quads, count, fill) => {
      for (let at = 0; at < count * 4; at += 4) {
        const [x = 0, y = 0, width = 0, height = 0] = quads.subarray(at, at + 4);
        rects.push({ x, y, width, height, fill });
      }
    },
    texture: (_x, _y, _width, _height, name) => void textures.push(name),
    textures: (_quads, count, name) => void textures.push(...Array.from({ length: count }, () => name)),
    frame: () => undefined,
    line: (points) => void lines.push(points),
    area: () => undefined,
    text: (text, x, y) => void texts.push({ text, x, y }),
    textWidth: (text) => text.length * 6,
    clipped: (_x, _y, _width, _height, draw) => {
      draw();
    },
  };
  return { pen, rects, texts, lines, textures };
}
