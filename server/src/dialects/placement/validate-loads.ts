import type { ConfigNode, ListNode } from '../../syntax/tree';
import { mapsOf, type RecognisedPlacement } from './recognise';
import type { Sink } from './sink';

/** Load of a node, or undefined where it is none. */
function loadOf(node: ConfigNode): number | undefined {
  const value = node.kind === 'scalar' ? node.value : undefined;
  const load = typeof value === 'bigint' ? Number(value) : value;
  return typeof load === 'number' && load >= 0 && load < Infinity ? load : undefined;
}

function checkRow(row: ListNode, layer: number, out: Sink): number {
  let sum = 0;
  row.items.forEach((item, expert) => {
    const load = loadOf(item);
    if (item.kind === 'scalar' && item.unresolved) sum += 1;
    else if (load === undefined)
      out.add(
        'placement-load',
        'error',
        `Layer ${layer}, expert ${expert}: ${item.kind === 'scalar' ? item.raw : 'a list'} is no load; the balancer would give this expert every further copy.`,
        item.span,
      );
    else sum += load;
  });
  return sum;
}

/** Layers of a [layers][experts] list; a [steps][layers][experts] list is taken apart. */
function stepsOf(found: RecognisedPlacement): readonly (readonly ConfigNode[])[] {
  const { value } = found.main;
  if (found.format === 'csv-loads') return mapsOf(found).map((rows) => rows.map(({ node }) => node));
  if (value.kind !== 'list') return [];
  const [first] = value.items;
  const nested = first?.kind === 'list' && first.items[0]?.kind === 'list';
  return nested ? value.items.map((step) => (step.kind === 'list' ? step.items : [])) : [value.items];
}

/**
 * Checks the counts of an SGLang recording and answers with its number of layers. Rows of zeros are what dense layers leave; a file of
 * nothing else was recorded on a rank that saw no token.
 */
export function checkLoads(found: RecognisedPlacement, experts: number | undefined, out: Sink): number {
  const steps = stepsOf(found);
  if (steps.length === 0)
    out.add('placement-not-a-list', 'error', `${found.main.key} must be a list of layers.`, found.main.value.span);
  let total = 0;
  const idle: { readonly layer: number; readonly row: ListNode }[] = [];
  let width = experts;
  for (const rows of steps) {
    rows.forEach((row, layer) => {
      if (row.kind !== 'list') {
        out.add('placement-not-a-list', 'error', `Layer ${layer} must be a list of loads.`, row.span);
        return;
      }
      width ??= row.items.length;
      if (row.items.length !== width)
        out.add(
          'placement-ragged',
          'error',
          `Layer ${layer} has loads of ${row.items.length} experts, not of ${width}.`,
          row.span,
        );
      const sum = checkRow(row, layer, out);
      if (sum === 0 && total > 0 && steps.length === 1) idle.push({ layer, row });
      total += sum;
    });
  }
  if (total === 0 && steps.length > 0)
    out.add(
      'placement-no-load',
      'warning',
      'All counts are zero: EPLB then gives every redundant slot of a node to its first expert. Was the recording taken from a rank that saw no tokens?',
      found.main.keySpan,
    );
  // Dense layers come first, or in every so-manieth place; a layer or two without tokens among many is a hole in the recording.
  if (idle.length * 10 <= (steps[0]?.length ?? 0))
    for (const { layer, row } of idle)
      out.add(
        'placement-no-load',
        'information',
        `Layer ${layer} received no tokens: EPLB gives every redundant slot of a node to its first expert there.`,
        row.span,
      );
  return steps[0]?.length ?? 0;
}
