import { fixed, gib, percent, short } from '../kit/format';
import type { TooltipText } from '../kit/tooltip';
import { memoryLabel, memoryScale } from './draw-memory';
import { partsOf } from './links';
import { chunkOf, firstAbove, memoryAt, OP, rankOf, rankRange, shadeMeaning, shownMicrobatch } from './model';
import type { TimelineModel } from './model';

const OP_LETTERS = ['F', 'B', 'I', 'W', 'F&B'] as const;
const OP_WORDS = [
  'forward',
  'backward',
  'backward for input',
  'backward for weight',
  'overlapped forward and backward',
] as const;

export function opLetter(op: number): string {
  return OP_LETTERS[op] ?? '?';
}

export function opWord(op: number): string {
  return OP_WORDS[op] ?? 'block';
}

/** `12.5` or `12.5 ms`. */
export function timeText(model: TimelineModel, value: number): string {
  return model.view.unit === 'ms' ? `${fixed(value, value >= 1000 ? 1 : 2)} ms` : short(value);
}

/** The mark of a direction: `›` enters at rank 0, `‹` at the last rank; nothing when there is one direction only. */
function arrow(model: TimelineModel, direction: number): string {
  if (!model.view.bidirectional) return '';
  return direction === 0 ? '›' : '‹';
}

/** `F12`, `F12›`, `F&B F12› B3‹`. */
export function blockName(model: TimelineModel, index: number): string {
  const op = model.blocks.op[index] ?? 0;
  const parts = partsOf(model.blocks, index);
  const names = parts.map((part) => {
    const letter = op === 4 ? (part.role === 'forward' ? 'F' : 'B') : opLetter(op);
    const microbatch = shownMicrobatch(model.view, part.microbatch, part.direction);
    return `${letter}${microbatch}${arrow(model, part.direction)}`;
  });
  return op === 4 ? `F&B ${names.join(' ')}` : (names[0] ?? '');
}

/** `13`, or `13 (3 of its end)` where both ends count their own. */
function microbatchText({ view }: TimelineModel, part: ReturnType<typeof partsOf>[number]): string {
  const shown = shownMicrobatch(view, part.microbatch, part.direction);
  return shown === part.microbatch ? String(shown) : `${shown} (${part.microbatch} of its end)`;
}

function waitText(model: TimelineModel, index: number): string {
  const other = model.links.waitsFor(index);
  if (other === undefined) return 'nothing: starts as soon as its rank is free';
  const rank = rankOf(model.blocks, other);
  return `${blockName(model, other)} on rank ${rank}, done at ${timeText(model, model.blocks.end[other] ?? 0)}`;
}

/** Everything about one block, for the tooltip, the live region and the table. */
export function describeBlock(model: TimelineModel, index: number): TooltipText {
  const { blocks } = model;
  const parts = partsOf(blocks, index);
  const start = blocks.start[index] ?? 0;
  const end = blocks.end[index] ?? 0;
  const last = model.view.ranks - 1;
  const rows: [string, string][] = [
    ['Rank', String(rankOf(blocks, index))],
    ['Stage', parts.map((part) => String(part.stage)).join(' and ')],
    ['Microbatch', parts.map((part) => microbatchText(model, part)).join(' and ')],
  ];
  if (shadeMeaning(model.view) === 'chunk') {
    rows.push(['Chunk', parts.map((part) => String(chunkOf(model.view, part.stage))).join(' and ')]);
  }
  if (model.view.bidirectional) {
    rows.push(['Enters at', parts.map((part) => `rank ${part.direction === 0 ? 0 : last}`).join(' and ')]);
  }
  rows.push(
    ['Time', `${timeText(model, start)} – ${timeText(model, end)}`],
    ['Length', timeText(model, end - start)],
    ['Waits for', waitText(model, index)],
  );
  return { title: `${blockName(model, index)} · ${opWord(blocks.op[index] ?? 0)}`, rows };
}

/** The part of the step that the idle time before block `next` belongs to. */
function phaseOf({ blocks }: TimelineModel, rank: number, next: number): string {
  const [from, to] = rankRange(blocks, rank);
  let back = from;
  while (back < to && (blocks.op[back] === OP.F || blocks.op[back] === OP.W)) back += 1;
  if (next <= back) return 'warm-up: no backward has run yet';
  for (let at = next; at < to; at += 1)
    if (blocks.op[at] === OP.F || blocks.op[at] === OP.FB) return 'the steady phase';
  return 'cool-down: no forward is left';
}

/** What an idle stretch of a rank waits for. */
export function describeIdle(model: TimelineModel, rank: number, time: number): TooltipText {
  const { blocks, view } = model;
  const [from, to] = rankRange(blocks, rank);
  const next = firstAbove(blocks.start, from, to, time);
  const begin = next > from ? (blocks.end[next - 1] ?? 0) : 0;
  const end = next < to ? (blocks.start[next] ?? view.makespan) : view.makespan;
  const rows: [string, string][] = [
    ['Time', `${timeText(model, begin)} – ${timeText(model, end)}`],
    ['Length', `${timeText(model, end - begin)} (${percent((end - begin) / view.makespan)} of the step)`],
  ];
  if (next < to) {
    const cause = model.links.waitsFor(next);
    rows.push(['Before', blockName(model, next)]);
    if (cause !== undefined) {
      const made = blocks.end[cause] ?? 0;
      rows.push([
        'Waits for',
        `${blockName(model, cause)} on rank ${rankOf(blocks, cause)}, done at ${timeText(model, made)}`,
      ]);
      const travel = end - Math.max(begin, made);
      if (travel > 1e-9 * view.makespan) rows.push(['Of it transfer', timeText(model, travel)]);
    }
    rows.push(['Part of', phaseOf(model, rank, next)]);
  } else {
    rows.push(['After', 'its last block'], ['Waits for', 'the last rank to end the step']);
  }
  return { title: `Idle · rank ${rank}`, rows };
}

/** The block that an idle stretch of a rank waits for: what feeds its next block, or after its last one what ends the step. -1: none. */
export function awaitedBlock({ blocks, links }: TimelineModel, rank: number, time: number): number {
  const [from, to] = rankRange(blocks, rank);
  const next = firstAbove(blocks.start, from, to, time);
  if (next < to) return links.waitsFor(next) ?? next;
  let last = -1;
  for (let at = 0; at < blocks.end.length; at += 1)
    if (last < 0 || (blocks.end[at] ?? 0) > (blocks.end[last] ?? 0)) last = at;
  return last;
}

/** Memory of a rank at a moment, against the device where it is known. */
export function memoryRows(model: TimelineModel, rank: number, time: number): TooltipText['rows'] {
  const scale = memoryScale(model, rank);
  const chunks = memoryAt(model.memory, rank, time);
  const rows: [string, string][] = [
    ['At', timeText(model, time)],
    ['In flight', `${short(chunks)} chunks`],
  ];
  if (scale.unit === 'GiB') rows.push(['Memory', memoryLabel(scale, chunks)]);
  if (scale.capacity !== undefined) rows.push(['Device', `${gib(scale.capacity)} GiB`]);
  return rows;
}
