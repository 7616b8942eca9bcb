import type { ConfigNode, Entry, ListNode, MapNode, ScalarNode, Span } from '../../syntax/tree';

/** One field of a line, trimmed, with its place. */
interface Field {
  readonly text: string;
  readonly span: Span;
}

interface Line {
  readonly fields: readonly Field[];
  readonly span: Span;
}

/** What a table says in each column. Names as balancers and this tool's own export write them. */
const COLUMNS: Readonly<Record<'layer' | 'slot' | 'gpu' | 'expert' | 'load', RegExp>> = {
  layer: /^(?:layer|layer[_ ]?(?:id|idx|index))$/i,
  slot: /^(?:slot|slot[_ ]?id|physical[_ ]?(?:expert|id|slot)(?:[_ ]?id)?|phy(?:[_ ]?id)?)$/i,
  gpu: /^(?:gpu|device|rank|ep[_ ]?rank)(?:[_ ]?(?:id|idx|index))?$/i,
  expert: /^(?:expert|expert[_ ]?(?:id|idx|index)|logical[_ ]?(?:expert|id)(?:[_ ]?id)?)$/i,
  load: /^(?:load|count|tokens?|token[_ ]?count|expert[_ ]?load|logical[_ ]?count|num[_ ]?tokens)$/i,
};

/** More lines than any placement has; the rest is left unread. */
const MOST_LINES = 2_000_000;

function linesOf(text: string, most = MOST_LINES): Line[] {
  const lines: Line[] = [];
  let start = 0;
  while (start < text.length && lines.length < most) {
    const found = text.indexOf('\n', start);
    const end = found < 0 ? text.length : found;
    const raw = text.slice(start, end);
    if (raw.trim() !== '' && !raw.trimStart().startsWith('#'))
      lines.push({ fields: fieldsOf(raw, start), span: { start, end: start + raw.trimEnd().length } });
    start = end + 1;
  }
  return lines;
}

function fieldsOf(raw: string, offset: number): Field[] {
  const fields: Field[] = [];
  let at = 0;
  for (const part of raw.split(/[,;\t]/)) {
    const text = part.trim();
    const start = offset + at + part.indexOf(text);
    fields.push({ text: text.replace(/^"(.*)"$/, '$1'), span: { start, end: start + text.length } });
    at += part.length + 1;
  }
  return fields;
}

function scalar({ text, span }: Field): ScalarNode {
  const number = text === '' ? Number.NaN : Number(text);
  return { kind: 'scalar', span, raw: text, value: Number.isNaN(number) ? text : number, unresolved: false };
}

/** Which column says what; `gpu` is -1 where no column does. */
interface Header {
  readonly layer: number;
  readonly gpu: number;
  readonly key: number;
  readonly value: number;
  readonly isMap: boolean;
}

/** Column numbers of a header line, or undefined where it is no table of placements or loads. */
function headerOf(line: Line | undefined): Header | undefined {
  const column = (name: keyof typeof COLUMNS): number =>
    line?.fields.findIndex(({ text }) => COLUMNS[name].test(text)) ?? -1;
  const [layer, slot, gpu, expert, load] = [
    column('layer'),
    column('slot'),
    column('gpu'),
    column('expert'),
    column('load'),
  ];
  if (layer < 0 || expert < 0) return undefined;
  if (slot >= 0) return { layer, gpu, key: slot, value: expert, isMap: true };
  return load >= 0 ? { layer, gpu: -1, key: expert, value: load, isMap: false } : undefined;
}

/** True for a text whose first line is the header of a table of slots or of loads. */
export function isPlacementTable(text: string): boolean {
  return headerOf(linesOf(text.slice(0, 4096), 1)[0]) !== undefined;
}

interface Cell {
  readonly gpu: number;
  readonly key: number;
  readonly node: ConfigNode;
}

interface Rows {
  readonly entries: readonly Entry[];
  /** GPUs that the table names, where it has a column of them. */
  readonly gpus: number;
}

/** The values in order; a number between others that no line has becomes a value that is none, so that it is told. */
function inOrder(cells: readonly Cell[]): ConfigNode[] {
  const sorted = [...cells].sort((a, b) => a.gpu - b.gpu || a.key - b.key);
  const last = sorted.at(-1)?.key ?? 0;
  const counted =
    sorted.every(({ key }, index) => Number.isInteger(key) && key >= 0 && key > (sorted[index - 1]?.key ?? -1)) &&
    last < 2 * sorted.length;
  if (!counted) return sorted.map(({ node }) => node);
  const items: ConfigNode[] = [];
  for (const { key, node } of sorted) {
    while (items.length < key) items.push({ kind: 'scalar', span: node.span, raw: '', value: null, unresolved: false });
    items.push(node);
  }
  return items;
}

function rowsOf(lines: readonly Line[], header: Header): Rows {
  const layers = new Map<string, Cell[]>();
  const gpus = new Set<number>();
  for (const { fields } of lines) {
    const [layer, key, value] = [header.layer, header.key, header.value].map((column) => fields[column]);
    if (layer === undefined || key === undefined || value === undefined || !/^\d+$/.test(layer.text)) continue;
    const gpu = header.gpu < 0 ? 0 : Number(fields[header.gpu]?.text);
    if (header.gpu >= 0) gpus.add(gpu);
    const cells = layers.get(layer.text) ?? [];
    cells.push({ gpu, key: Number(key.text), node: scalar(value) });
    layers.set(layer.text, cells);
  }
  const entries = [...layers].map(([key, cells]) => {
    const items = inOrder(cells);
    const span = { start: Math.min(...spansOf(items, 'start')), end: Math.max(...spansOf(items, 'end')) };
    return { key, keySpan: span, value: { kind: 'list', items, span } satisfies ListNode };
  });
  return { entries, gpus: gpus.size };
}

/** What is wrong with a line of a table. */
export interface TableFault {
  readonly rule: 'placement-ragged' | 'placement-wrong-layers' | 'placement-wrong-slots';
  readonly message: string;
  readonly span: Span;
}

/** Lines without a field that is needed, layers that are no number, and slots or experts that stand twice. */
export function tableFaults(text: string): readonly TableFault[] {
  const [first, ...lines] = linesOf(text);
  const header = headerOf(first);
  if (header === undefined) return [];
  const seen = new Set<string>();
  const needed = [header.layer, header.gpu, header.key, header.value].filter((column) => column >= 0);
  return lines.flatMap(({ fields, span }): TableFault[] => {
    const layer = fields[header.layer];
    if (layer === undefined || needed.some((column) => fields[column] === undefined))
      return [{ rule: 'placement-ragged', message: 'The line has fewer fields than the header.', span }];
    if (!/^\d+$/.test(layer.text))
      return [
        {
          rule: 'placement-wrong-layers',
          message: `${layer.text} is no layer: a whole number from 0.`,
          span: layer.span,
        },
      ];
    const name = [header.layer, header.gpu, header.key].map((column) => fields[column]?.text ?? '').join(' ');
    const what = `${header.isMap ? 'slot' : 'expert'} ${fields[header.key]?.text ?? ''}`;
    const message = `Layer ${layer.text} has a second line for ${what}.`;
    if (seen.has(name)) return [{ rule: 'placement-wrong-slots', message, span }];
    seen.add(name);
    return [];
  });
}

function spansOf(items: readonly ConfigNode[], side: 'start' | 'end'): number[] {
  return items.map(({ span }) => span[side]);
}

/**
 * A table with a line a slot (`layer,slot,expert`) or a line an expert (`layer,expert,load`) as the tree of the JSON that says the same:
 * layers by their number, values at their places in the table. Undefined for other texts.
 */
export function placementTable(text: string): MapNode | undefined {
  const lines = linesOf(text);
  const header = headerOf(lines[0]);
  const first = lines[0];
  if (header === undefined || first === undefined) return undefined;
  const { entries, gpus } = rowsOf(lines.slice(1), header);
  const span = { start: 0, end: text.length };
  const value: MapNode = { kind: 'map', span, entries };
  const key = header.isMap ? 'csv_physical_to_logical' : 'csv_logical_count';
  const main: Entry = { key, keySpan: first.span, value };
  const ranks = scalar({ text: String(gpus), span: first.span });
  return {
    kind: 'map',
    span,
    entries: gpus > 0 ? [main, { key: 'ep_size', keySpan: first.span, value: ranks }] : [main],
  };
}
