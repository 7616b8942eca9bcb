import type { JSX } from 'preact';
import { useSurface } from './surface';
import type { Pen } from './pen';
import type { Theme } from './theme';

export interface SwatchProps {
  readonly theme: Theme;
  readonly draw: (pen: Pen, width: number, height: number) => void;
}

/** A sample of a mark, drawn by the same code as the picture, so that a legend cannot lie. */
export function Swatch({ theme, draw }: SwatchProps): JSX.Element {
  const surface = useSurface(theme.font, (pen, size) => draw(pen, size.width, size.height), [theme, draw]);
  return <canvas ref={surface.ref} class="swatch" aria-hidden="true" />;
}

export interface LegendItem extends Omit<SwatchProps, 'theme'> {
  readonly label: string;
}

export function Legend({ theme, items }: { readonly theme: Theme; readonly items: readonly LegendItem[] }): JSX.Element {
  return (
    <ul class="legend" aria-label="Legend">
      {items.map((item) => (
        <li key={item.label}>
          <Swatch theme={theme} draw={item.draw} /> {item.label}
        </li>
      ))}
    </ul>
  );
}
