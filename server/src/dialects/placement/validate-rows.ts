import type { ConfigNode } from '../../syntax/tree';
import type { PlacedRow, RecognisedPlacement } from './recognise';
import type { PlacementContext, Sink } from './sink';

/** A row whose entries are all expert numbers. */
interface ReadRow {
  readonly row: PlacedRow;
  readonly ids: readonly number[];
}

/** So many experts of a list are named, and the rest counted. */
const NAMED = 5;

/** Why `value` names no expert; undefined where it does. */
function faultOf(value: number, experts: number | undefined): string | undefined {
  if (!Number.isInteger(value)) return 'is no whole number: a slot holds the number of one expert';
  if (value < 0) return 'is negative: every slot must hold an expert';
  return experts !== undefined && value >= experts ? `is not below the number of experts, ${experts}` : undefined;
}

/** The expert ids of a list, faults reported; undefined where an entry is no id. */
function idsOf(row: PlacedRow, node: ConfigNode, { experts }: PlacementContext, out: Sink): number[] | undefined {
  const where = `Layer ${row.layer}`;
  if (node.kind !== 'list') {
    out.add('placement-not-a-list', 'error', `${where} must be a list of expert numbers.`, node.span);
    return undefined;
  }
  let fine = true;
  const ids = node.items.map((item, slot) => {
    // An interpolation is filled in later: the slot is there, its expert is not known.
    const unknown = item.kind === 'scalar' && item.unresolved;
    const id = item.kind === 'scalar' && typeof item.value === 'number' ? item.value : Number.NaN;
    const fault = unknown ? undefined : faultOf(id, experts);
    if (fault !== undefined) {
      const shown = item.kind === 'scalar' ? item.raw : 'a list';
      const said = shown === '' ? ' holds no expert' : `: ${shown} ${fault}`;
      out.add('placement-expert-number', 'error', `${where}, slot ${slot}${said}.`, item.span);
    }
    if (fault !== undefined || unknown) fine = false;
    return id;
  });
  return fine ? ids : undefined;
}

/** Experts without a slot: how many there are, and the first few. A config may state any number of experts. */
function missingOf(ids: readonly number[], experts: number): { readonly count: number; readonly first: number[] } {
  const held = new Set(ids.filter((id) => id < experts));
  const count = experts - held.size;
  const first: number[] = [];
  for (let expert = 0; expert < experts && first.length < Math.min(count, NAMED); expert += 1)
    if (!held.has(expert)) first.push(expert);
  return { count, first };
}

function checkMissing({ row, ids }: ReadRow, experts: number, stated: boolean, out: Sink): void {
  const { count, first } = missingOf(ids, experts);
  if (count === 0) return;
  const named = `${first.join(', ')}${count > NAMED ? ` and ${count - NAMED} more` : ''}`;
  const verb = count === 1 ? `expert ${named} has` : `experts ${named} have`;
  // Without a config the highest number may be the wrong one as well.
  const highest = experts - 1;
  const other =
    !stated && count <= NAMED && first.at(-1) === highest - 1 && ids.includes(highest)
      ? ` If the model has ${highest} experts, ${highest} is out of range instead.`
      : '';
  out.add(
    'placement-expert-missing',
    'error',
    `Layer ${row.layer}: logical ${verb} no replica, so tokens for ${count === 1 ? 'it' : 'them'} have nowhere to go.${other}`,
    row.node.span,
  );
}

/** The items of a row by device: as the file splits them, else in equal parts over the GPUs that are known. */
function devicesOf({ row, ids }: ReadRow, gpus: number | undefined): ConfigNode[][] {
  if (row.devices !== undefined) return row.devices.map((node) => (node.kind === 'list' ? [...node.items] : []));
  if (gpus === undefined || gpus < 1 || ids.length % gpus !== 0 || row.node.kind !== 'list') return [];
  const { items } = row.node;
  const size = ids.length / gpus;
  return Array.from({ length: gpus }, (_, gpu) => items.slice(gpu * size, (gpu + 1) * size));
}

function checkDuplicates(read: ReadRow, context: PlacementContext, out: Sink): void {
  const ascend = read.row.devices === undefined ? '' : ', and vLLM Ascend maps only one of them';
  for (const [gpu, items] of devicesOf(read, context.gpus).entries()) {
    const copies = new Map<unknown, ConfigNode[]>();
    for (const item of items) {
      const expert = item.kind === 'scalar' ? item.value : undefined;
      const held = copies.get(expert);
      if (held === undefined) copies.set(expert, [item]);
      else held.push(item);
    }
    for (const [expert, [, second, ...more]] of copies)
      if (second !== undefined)
        out.add(
          'placement-duplicate-on-gpu',
          'warning',
          more.length === 0
            ? `Layer ${read.row.layer}: GPU ${gpu} holds expert ${String(expert)} more than once; the further slot takes memory and shares no load${ascend}.`
            : `Layer ${read.row.layer}: GPU ${gpu} holds expert ${String(expert)} ${more.length + 2} times; the further slots take memory and share no load${ascend}.`,
          second.span,
        );
  }
}

/** One row with the ids of its devices; a plain row is one device as long as nothing says how many GPUs there are. */
function readRow(row: PlacedRow, context: PlacementContext, out: Sink): ReadRow | undefined {
  const devices = (row.devices ?? [row.node]).map((node) => idsOf(row, node, context, out));
  const known = devices.filter((ids): ids is number[] => ids !== undefined);
  if (known.length < devices.length) return undefined;
  const sizes = [...new Set(known.map(({ length }) => length))].sort((a, b) => a - b);
  if (sizes.length > 1)
    out.add(
      'placement-uneven-devices',
      'error',
      `Layer ${row.layer}: devices hold ${sizes.join(' and ')} experts; all must hold the same number.`,
      row.node.span,
    );
  const read = { row, ids: known.flat() };
  checkDuplicates(read, context, out);
  return read;
}

function divisorsOf(value: number): number[] {
  return Array.from({ length: value }, (_, index) => index + 1).filter((divisor) => value % divisor === 0);
}

/** The multiples of the ranks around a number of slots that hold every expert, in words. */
export function nearestSlots(slots: number, gpus: number, experts = 1): string {
  const least = Math.ceil(Math.max(1, experts) / gpus) * gpus;
  const below = Math.floor(slots / gpus) * gpus;
  return below < least
    ? `the nearest legal number is ${Math.max(least, below + gpus)}`
    : `the nearest legal numbers are ${below} and ${below + gpus}`;
}

function checkWidth(width: number, found: RecognisedPlacement, context: PlacementContext, out: Sink): void {
  const { gpus, slots, experts } = context;
  const at = found.main.keySpan;
  if (found.format === 'vllm-ascend-map') return;
  if (gpus !== undefined && gpus > 0 && width % gpus !== 0) {
    out.add(
      'placement-slots-not-divisible',
      'error',
      `${width} slots cannot be split over ${gpus} expert-parallel ranks; ${nearestSlots(width, gpus, experts)}.`,
      at,
    );
  } else if (slots !== undefined && width !== slots)
    out.add(
      'placement-wrong-slots',
      'error',
      `Rows have ${width} slots, but the config has ${slots} (experts and redundant experts together).`,
      at,
    );
  else if (gpus === undefined && width > 1 && width % 2 === 1)
    out.add(
      'placement-slots-not-divisible',
      'warning',
      `${width} slots split evenly over ${divisorsOf(width).join(', ')} expert-parallel ranks only, not over 2, 4 or 8; SGLang and TensorRT-LLM refuse ranks that do not divide them.`,
      at,
    );
}

/**
 * Few numbers far above all others are slips rather than experts, and so is every number that the slots of a row cannot
 * reach, as each row holds all experts: they are told, and the experts are those below.
 */
function withoutStrays(rows: readonly ReadRow[], highest: number, out: Sink): number {
  const held = new Set<number>();
  let whole = 0;
  let slots = 0;
  for (const { ids } of rows) {
    const own = new Set(ids);
    let next = 0;
    while (own.has(next)) next += 1;
    whole = Math.max(whole, next);
    slots = Math.max(slots, ids.length);
    for (const id of own) held.add(id);
  }
  const strays = [...held].filter((id) => id >= whole).length;
  const few = strays > 0 && strays * 4 <= whole && strays * 4 <= highest + 1 - whole;
  if (!few && highest < slots) return highest + 1;
  const bound = few ? whole : slots;
  const range = few
    ? `the other experts are 0 to ${whole - 1}`
    : `${slots} slots hold experts 0 to ${slots - 1} at most`;
  for (const { row, ids } of rows) {
    const items = (row.devices ?? [row.node]).flatMap((node) => (node.kind === 'list' ? node.items : []));
    for (const [slot, id] of ids.entries())
      if (id >= bound)
        out.add(
          'placement-expert-number',
          'error',
          `Layer ${row.layer}, slot ${slot}: ${id} is out of range; ${range}.`,
          items[slot]?.span ?? row.node.span,
        );
  }
  return few ? whole : Math.max(0, ...[...held].filter((id) => id < slots)) + 1;
}

/** Without a config the numbers in the file tell how many experts there are at least. */
function expertsOf(rows: readonly ReadRow[], context: PlacementContext, out: Sink): number {
  if (context.experts !== undefined) return context.experts;
  let highest = 0;
  for (const { ids } of rows) for (const id of ids) if (id > highest) highest = id;
  const experts = withoutStrays(rows, highest, out);
  highest = experts - 1;
  const first = rows[0];
  if (
    experts > 1 &&
    experts % 2 === 1 &&
    first !== undefined &&
    rows.every(({ ids }) => missingOf(ids, experts).count === 0)
  )
    out.add(
      'placement-expert-missing',
      'warning',
      `Layer ${first.row.layer}: the highest expert is ${highest}, which makes an odd number of experts; if the model has more, expert ${experts} has no replica.`,
      first.row.node.span,
    );
  return experts;
}

/** The rows of one map: numbers, widths, experts without a slot, experts twice on a GPU. */
export function checkRows(
  rows: readonly PlacedRow[],
  found: RecognisedPlacement,
  context: PlacementContext,
  out: Sink,
): void {
  // A row whose key is no layer is told by its key.
  const layers = rows.filter(({ layer }) => Number.isInteger(layer));
  const read = layers.flatMap((row) => readRow(row, context, out) ?? []);
  const width = read[0]?.ids.length;
  if (width === undefined) return;
  if (width === 0) {
    const first = read[0]?.row;
    if (first !== undefined)
      out.add(
        'placement-not-a-list',
        'error',
        `Layer ${first.layer} is empty: a row names the expert of every slot.`,
        first.node.span,
      );
    return;
  }
  checkWidth(width, found, context, out);
  const even = read.filter(({ ids }) => ids.length === width);
  const experts = expertsOf(even, context, out);
  for (const one of read) {
    if (one.ids.length === width) checkMissing(one, experts, context.experts !== undefined, out);
    else
      out.add(
        'placement-ragged',
        'error',
        `Layer ${one.row.layer} has ${one.ids.length} slots where the first row has ${width}: rows must be of one length.`,
        one.row.node.span,
      );
  }
}
