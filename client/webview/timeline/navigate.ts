import type { TimelineModel } from './model';
import { nearestBlock, rankOf, rankRange } from './model';

export type Move = 'next' | 'previous' | 'up' | 'down' | 'first' | 'last' | 'producer' | 'consumer';

function middleOf(model: TimelineModel, index: number): number {
  return ((model.blocks.start[index] ?? 0) + (model.blocks.end[index] ?? 0)) / 2;
}

/** The first rank from `rank` on, in direction `step`, that has a block near `time`; `otherwise` when there is none. */
function onRank(model: TimelineModel, rank: number, step: number, time: number, otherwise: number): number {
  for (let at = rank; at >= 0 && at < model.view.ranks; at += step) {
    const found = nearestBlock(model.blocks, at, time);
    if (found >= 0) return found;
  }
  return otherwise;
}

/** The block that a key leads to from `current`; -1 stands for no selection, from which every key leads to the first block seen. */
export function moveFrom(model: TimelineModel, current: number, move: Move, timeInView: number): number {
  if (model.blocks.count === 0) return -1;
  if (current < 0 || current >= model.blocks.count) return onRank(model, 0, 1, timeInView, 0);
  const rank = rankOf(model.blocks, current);
  const [from, to] = rankRange(model.blocks, rank);
  switch (move) {
    case 'next':
      return Math.min(to - 1, current + 1);
    case 'previous':
      return Math.max(from, current - 1);
    case 'first':
      return from;
    case 'last':
      return to - 1;
    case 'up':
      return onRank(model, rank - 1, -1, middleOf(model, current), current);
    case 'down':
      return onRank(model, rank + 1, 1, middleOf(model, current), current);
    case 'producer':
      return model.links.waitsFor(current) ?? model.links.producers(current)[0] ?? current;
    case 'consumer':
      return model.links.consumers(current)[0] ?? current;
  }
}
