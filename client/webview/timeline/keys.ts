import type { KeyRow } from '../kit/key-help';
import type { Move } from './navigate';

export type Command =
  | { readonly type: 'move'; readonly move: Move }
  | { readonly type: 'zoom'; readonly factor: number }
  | { readonly type: 'pan'; readonly share: number }
  | { readonly type: 'rows'; readonly factor: number }
  | { readonly type: 'fit' | 'zoom-selection' | 'clear' | 'reveal' | 'table' | 'memory' | 'help' }
  | { readonly type: 'why' | 'sweep' | 'chain' | 'play' };

const MOVES: Readonly<Record<string, Move>> = {
  ArrowRight: 'next',
  ArrowLeft: 'previous',
  ArrowUp: 'up',
  ArrowDown: 'down',
  Home: 'first',
  End: 'last',
  p: 'producer',
  c: 'consumer',
};

const OTHERS: Readonly<Record<string, Command>> = {
  '+': { type: 'zoom', factor: 1.5 },
  '=': { type: 'zoom', factor: 1.5 },
  '-': { type: 'zoom', factor: 1 / 1.5 },
  _: { type: 'zoom', factor: 1 / 1.5 },
  '0': { type: 'fit' },
  f: { type: 'fit' },
  z: { type: 'zoom-selection' },
  a: { type: 'pan', share: -0.25 },
  d: { type: 'pan', share: 0.25 },
  ']': { type: 'rows', factor: 1.25 },
  '[': { type: 'rows', factor: 0.8 },
  Enter: { type: 'reveal' },
  Escape: { type: 'clear' },
  t: { type: 'table' },
  m: { type: 'memory' },
  w: { type: 'why' },
  s: { type: 'sweep' },
  k: { type: 'chain' },
  ' ': { type: 'play' },
  '?': { type: 'help' },
};

/** What a key on the picture means; undefined for keys that are not ours, which the editor must get. */
export function commandOf(event: Pick<KeyboardEvent, 'key' | 'ctrlKey' | 'metaKey' | 'altKey'>): Command | undefined {
  if (event.ctrlKey || event.metaKey || event.altKey) return undefined;
  const move = MOVES[event.key];
  return move === undefined ? OTHERS[event.key] : { type: 'move', move };
}

export const KEY_ROWS: readonly KeyRow[] = [
  ['← →', 'previous, next block of the rank'],
  ['↑ ↓', 'block of the neighbouring rank at the same time'],
  ['Home End', 'first, last block of the rank'],
  ['p', 'to the block that feeds this one'],
  ['c', 'to the block that this one feeds'],
  ['click', 'select a block; on idle time, the block that it waits for'],
  ['Enter', 'show the config line of the schedule'],
  ['Esc', 'clear the selection'],
  ['+ −', 'zoom in, out (also the wheel, with Ctrl where ranks scroll)'],
  ['f 0', 'fit the whole schedule'],
  ['z', 'zoom to the selected block'],
  ['a d', 'move the window left, right (also dragging, Shift + wheel)'],
  ['[ ]', 'lower, higher rows'],
  ['m', 'memory curve on, off'],
  ['t', 'table on, off'],
  ['w', 'why the step takes as long as it does'],
  ['k', 'mark the chain that decides the end'],
  ['s', 'schedules compared: chart and table'],
  ['Space', 'play the step, stop'],
  ['?', 'this list'],
];
