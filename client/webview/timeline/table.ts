import type { TableColumn } from '../kit/table';
import { opLetter, timeText } from './describe';
import { partsOf } from './links';
import { rankOf } from './model';
import type { TimelineModel } from './model';

/** The table twin of the lanes: one row a block, in the order in which the ranks run them. */
export function timelineColumns(model: TimelineModel): readonly TableColumn[] {
  const { blocks } = model;
  const pair = (row: number, value: (part: ReturnType<typeof partsOf>[number]) => number): string =>
    partsOf(blocks, row)
      .map((part) => String(value(part)))
      .join(' + ');
  const time = (title: string, value: (row: number) => number): TableColumn => ({
    title: model.view.unit === 'ms' ? `${title} (ms)` : title,
    numeric: true,
    text: (row) => timeText(model, value(row)).replace(' ms', ''),
    key: value,
  });
  const columns: TableColumn[] = [
    { title: 'Rank', numeric: true, text: (row) => String(rankOf(blocks, row)), key: (row) => rankOf(blocks, row) },
    {
      title: 'Kind',
      numeric: false,
      text: (row) => opLetter(blocks.op[row] ?? 0),
      key: (row) => opLetter(blocks.op[row] ?? 0),
    },
    {
      title: 'Stage',
      numeric: true,
      text: (row) => pair(row, (part) => part.stage),
      key: (row) => pair(row, (part) => part.stage),
    },
    {
      title: 'Microbatch',
      numeric: true,
      text: (row) => pair(row, (part) => part.microbatch),
      key: (row) => pair(row, (part) => part.microbatch),
    },
  ];
  if (model.view.bidirectional) {
    const enters = (row: number): string => pair(row, (part) => (part.direction === 0 ? 0 : model.view.ranks - 1));
    columns.push({ title: 'Enters at rank', numeric: true, text: enters, key: enters });
  }
  columns.push(
    time('Start', (row) => blocks.start[row] ?? 0),
    time('End', (row) => blocks.end[row] ?? 0),
    time('Length', (row) => (blocks.end[row] ?? 0) - (blocks.start[row] ?? 0)),
  );
  return columns;
}
