import { inkOn } from '../kit/color';
import { OP_NAMES } from '../kit/palette';
import type { DataPalette } from '../kit/palette';
import type { TextureName } from '../kit/texture';

/** How one kind of work in one direction looks. */
export interface BlockStyle {
  readonly fill: string;
  readonly ink: string;
  readonly texture: TextureName;
  readonly hatch: string;
}

/** Hatch by kind and direction: the second direction always carries the denser one of a pair. */
const HATCHES: readonly (readonly [TextureName, TextureName])[] = [
  ['none', 'backslash'],
  ['slash', 'cross'],
  ['dots', 'rings'],
  ['rows', 'grid'],
];

/** Styles by `kind * 2 + direction` for F, B, I and W. */
export function blockStyles(palette: DataPalette): readonly BlockStyle[] {
  return OP_NAMES.flatMap((name, op) =>
    [0, 1].map((direction) => {
      const fill = palette.ops[name][direction === 0 ? 0 : 1];
      const ink = inkOn(fill);
      return {
        fill,
        ink,
        texture: HATCHES[op]?.[direction === 0 ? 0 : 1] ?? 'none',
        hatch: ink === '#000000' ? palette.hatchOnLight : palette.hatchOnDark,
      };
    }),
  );
}
