import type { JSX } from 'preact';
import { useMemo, useState } from 'preact/hooks';
import { integer } from './format';

/** One column of a table whose rows are numbers `0 .. rows - 1`: nothing is made for a row until it is shown. */
export interface TableColumn {
  readonly title: string;
  /** Title in a saved file, where the unit of the keys has to be told. */
  readonly fileTitle?: string;
  readonly numeric: boolean;
  /** What the cell shows. */
  readonly text: (row: number) => string;
  /** What it sorts by. */
  readonly key: (row: number) => number | string;
}

export interface DataTableProps {
  readonly caption: string;
  readonly rows: number;
  readonly columns: readonly TableColumn[];
  readonly selected?: number | undefined;
  readonly onSelect?: (row: number) => void;
}

const PAGE = 100;

function compare(a: number | string, b: number | string): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  return String(a).localeCompare(String(b), 'en', { numeric: true });
}

/** The order of rows under one column; ties keep the picture's order. */
export function sortedRows(rows: number, column: TableColumn | undefined, descending: boolean): readonly number[] {
  const order = Array.from({ length: rows }, (_, row) => row);
  if (column === undefined) return order;
  const keys = order.map((row) => column.key(row));
  return order.sort((a, b) => (descending ? -1 : 1) * compare(keys[a] ?? 0, keys[b] ?? 0) || a - b);
}

/** The table twin of a picture: the same data as real, sortable rows, a page at a time. */
export function DataTable({ caption, rows, columns, selected, onSelect }: DataTableProps): JSX.Element {
  const [sort, setSort] = useState({ column: -1, descending: false });
  const [page, setPage] = useState(0);
  const order = useMemo(() => sortedRows(rows, columns[sort.column], sort.descending), [rows, columns, sort]);
  const pages = Math.max(1, Math.ceil(rows / PAGE));
  const shown = Math.min(page, pages - 1);
  const sortBy = (column: number): void => {
    setPage(0);
    setSort({ column, descending: sort.column === column && !sort.descending });
  };
  return (
    <div class="data-table">
      <div class="scroll" tabIndex={0} role="region" aria-label={caption}>
        <table aria-rowcount={rows + 1}>
          <caption>{caption}</caption>
          <thead>
            <tr>
              {columns.map((column, index) => (
                <HeadCell key={column.title} column={column} index={index} sort={sort} onSort={sortBy} />
              ))}
            </tr>
          </thead>
          <tbody>
            {order.slice(shown * PAGE, (shown + 1) * PAGE).map((row, index) => (
              <tr
                key={row}
                aria-rowindex={shown * PAGE + index + 2}
                class={row === selected ? 'selected' : ''}
                onClick={() => onSelect?.(row)}
              >
                {columns.map((column) => (
                  <td key={column.title} class={column.numeric ? 'num' : ''}>
                    {column.text(row)}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {pages > 1 ? <Pager page={shown} pages={pages} rows={rows} onPage={setPage} /> : null}
    </div>
  );
}

interface HeadCellProps {
  readonly column: TableColumn;
  readonly index: number;
  readonly sort: { readonly column: number; readonly descending: boolean };
  readonly onSort: (column: number) => void;
}

function HeadCell({ column, index, sort, onSort }: HeadCellProps): JSX.Element {
  const active = sort.column === index;
  const state = active ? (sort.descending ? 'descending' : 'ascending') : 'none';
  return (
    <th scope="col" class={column.numeric ? 'num' : ''} aria-sort={state}>
      <button type="button" onClick={() => onSort(index)}>
        {column.title}
        <span class="sort" aria-hidden="true">
          {active ? (sort.descending ? '▾' : '▴') : ''}
        </span>
      </button>
    </th>
  );
}

interface PagerProps {
  readonly page: number;
  readonly pages: number;
  readonly rows: number;
  readonly onPage: (page: number) => void;
}

function Pager({ page, pages, rows, onPage }: PagerProps): JSX.Element {
  return (
    <div class="pager">
      <button type="button" disabled={page === 0} onClick={() => onPage(page - 1)}>
        Previous
      </button>
      <span>
        {integer(page * PAGE + 1)}–{integer(Math.min(rows, (page + 1) * PAGE))} of {integer(rows)}
      </span>
      <button type="button" disabled={page >= pages - 1} onClick={() => onPage(page + 1)}>
        Next
      </button>
    </div>
  );
}

function csvCell(text: string): string {
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Fifteen digits hold every time and size; more are what binary fractions leave behind. */
function plain(value: number | string): string {
  return String(typeof value === 'number' ? Number(value.toPrecision(15)) : value);
}

/** The same table as comma-separated text (RFC 4180), unrounded: cells hold the sort keys. */
export function toCsv(rows: number, columns: readonly TableColumn[]): string {
  const lines = [columns.map((column) => csvCell(column.fileTitle ?? column.title)).join(',')];
  for (let row = 0; row < rows; row += 1)
    lines.push(columns.map((column) => csvCell(plain(column.key(row)))).join(','));
  return `${lines.join('\r\n')}\r\n`;
}
