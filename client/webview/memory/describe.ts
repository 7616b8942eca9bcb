import type { MemoryClassView, MemoryView } from '../../../server/src/protocol/memory';
import { bytesText, gib, percent } from '../kit/format';
import type { TooltipText } from '../kit/tooltip';
import { PART_TITLES, segmentsOf } from './model';
import type { Selection } from './model';

/** `3.2 GiB over`, `8.8 GiB left`, or nothing where the device is not known. */
export function roomText(view: MemoryView, entry: MemoryClassView): string | undefined {
  const capacity = view.gpu?.capacityBytes;
  if (capacity === undefined) return undefined;
  const left = capacity - entry.total;
  return left < 0 ? `${gib(-left)} GiB over` : `${gib(left)} GiB left`;
}

/** A bar, or one part of it, for the tooltip and the live region. */
export function describeBar(view: MemoryView, selection: Selection): TooltipText | undefined {
  const entry = view.classes[selection.index];
  if (entry === undefined) return undefined;
  const segment = segmentsOf(entry).find(({ part }) => part === selection.part);
  if (segment !== undefined) {
    const bytes = segment.to - segment.from;
    return {
      title: `${PART_TITLES[segment.part]} · ${bytesText(bytes)}`,
      rows: [
        ['Of', entry.label],
        ['Share', percent(bytes / entry.total)],
      ],
    };
  }
  const room = roomText(view, entry);
  return {
    title: entry.label,
    rows: [
      ['Allocated', bytesText(entry.allocated)],
      ['Reserved', bytesText(entry.reserved)],
      ['Total', bytesText(entry.total)],
      ...(room === undefined ? [] : [['Device', room] as const]),
      ['GPUs', String(entry.count)],
    ],
  };
}
