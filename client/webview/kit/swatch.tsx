import type { JSX } from 'preact';
import { useSurface } from './surface';
import type { Pen } from './pen';
import type { Theme } from './theme';

export interface SwatchProps {
  readonly theme: Theme;
  readonly draw: (pen: Pen, width: number, height: number) => void;
  readonly wide?: boolean;
}

/** A sample of a mark, drawn by the same code as the picture, so that a legend cannot lie. */
export function Swatch({ theme, draw, wide }: SwatchProps): JSX.Element {
  const surface = useSurface(theme.font, (pen, size) => draw(pen, size.width, size.height), [theme, draw]);
  return <canvas ref={surface.ref} class={wide === true ? 'swatch wide' : 'swatch'} aria-hidden="true" />;
}

export interface LegendItem extends Omit<SwatchProps, 'theme'> {
  readonly label: string;
}

export interface LegendProps {
  readonly theme: Theme;
  readonly items: readonly LegendItem[];
  /** What the samples have in common. */
  readonly note?: string | undefined;
}

export function Legend({ theme, items, note }: LegendProps): JSX.Element {
  return (
    <ul class="legend" aria-label="Legend">
      {items.map((item) => (
        <li key={item.label}>
          <Swatch theme={theme} draw={item.draw} /> {item.label}
        </li>
      ))}
      {note === undefined ? null : <li>{note}</li>}
    </ul>
  );
}
