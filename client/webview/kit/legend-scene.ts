import type { Scene } from './export';
import type { Pen } from './pen';
import type { LegendItem } from './swatch';
import type { Theme } from './theme';

const LINE = 22;
const SAMPLE_WIDTH = 24;
const SAMPLE_HEIGHT = 12;
const SIZE = 11;
const MARGIN = 12;

/** A pen that draws at another place: samples draw themselves at the origin. */
function shifted(pen: Pen, dx: number, dy: number): Pen {
  return {
    ...pen,
    rect: (x, y, ...rest) => pen.rect(x + dx, y + dy, ...rest),
    texture: (x, y, ...rest) => pen.texture(x + dx, y + dy, ...rest),
    frame: (x, y, ...rest) => pen.frame(x + dx, y + dy, ...rest),
  };
}

/** The picture with its legend beneath: a saved file has no panel around it that says what colours mean. */
export function withLegend(scene: Scene, items: readonly LegendItem[], theme: Theme, note?: string): Scene {
  // Texts are measured only once there is a pen, so places come from an upper bound of a letter's width.
  const widthOf = (label: string): number => SAMPLE_WIDTH + 6 + label.length * 6.6 + 18;
  let x = MARGIN;
  let line = 0;
  const place = (width: number): { readonly x: number; readonly line: number } => {
    if (x > MARGIN && x + width > scene.width - MARGIN) {
      x = MARGIN;
      line += 1;
    }
    const at = { x, line };
    x += width;
    return at;
  };
  const placed = items.map((item) => ({ item, ...place(widthOf(item.label)) }));
  const said = note === undefined ? undefined : { note, ...place(note.length * 6.6) };
  const style = { fill: theme.muted, size: SIZE } as const;
  return {
    ...scene,
    height: scene.height + (line + 1) * LINE + 6,
    draw: (pen) => {
      scene.draw(pen);
      for (const { item, x: left, line: row } of placed) {
        const top = scene.height + row * LINE + 4;
        item.draw(shifted(pen, left, top), SAMPLE_WIDTH, SAMPLE_HEIGHT);
        pen.text(item.label, left + SAMPLE_WIDTH + 6, top + SAMPLE_HEIGHT / 2, style);
      }
      if (said !== undefined)
        pen.text(said.note, said.x, scene.height + said.line * LINE + 4 + SAMPLE_HEIGHT / 2, style);
    },
  };
}
