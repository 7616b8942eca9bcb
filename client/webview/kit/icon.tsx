import type { JSX } from 'preact';

/** Outlines on a 16 x 16 grid, stroked in the text's colour. */
const PATHS = {
  plus: 'M8 3v10M3 8h10',
  minus: 'M3 8h10',
  fit: 'M2.5 6V2.5H6M10 2.5h3.5V6M13.5 10v3.5H10M6 13.5H2.5V10',
  table: 'M2.5 3.5h11v9h-11zM2.5 6.5h11M2.5 9.5h11M6.5 3.5v9',
  save: 'M8 2.5v7M5 7l3 3 3-3M2.5 11v2.5h11V11',
  keys: 'M6 6.2A2 2 0 1 1 8.6 8.1c-.5.2-.6.5-.6 1.2M8 11.6v.6',
  pin: 'M5.5 2.5h5M6.5 2.5v5L4.5 10h7l-2-2.5v-5M8 10v3.8',
  picture: 'M2.5 3.5h6M2.5 6.8h9M5.5 10.1h8M2.5 13.2h5',
  why: 'M2.5 12.5h3v-4h3v-3h5M8.5 12.5h5M5.5 5V3.5M3.5 5.5h-1',
  path: 'M2.5 4.5h4v4h4v4h3M11.5 10.5l2 2-2 2',
  compare: 'M2.5 3.5h7v3h-7zM2.5 9.5h11v3h-11z',
  chart: 'M2.5 2.5v11h11M5.2 4.2v.1M7.5 8v.1M10.2 9.6v.1M12.8 10.6v.1M9.8 5.4v.1',
  play: 'M5 3l8 5-8 5z',
  stop: 'M4 4h8v8H4z',
  close: 'M4 4l8 8M12 4l-8 8',
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { readonly name: IconName }): JSX.Element {
  return (
    <svg class="icon" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} fill="none" stroke="currentColor" stroke-width="1.2" />
    </svg>
  );
}
