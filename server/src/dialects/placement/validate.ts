import type { Finding, Fix } from '../../plan/finding';
import type { ConfigTree } from '../../syntax/tree';
import { tableFaults } from './csv';
import { mapsOf, numberAt, recognisePlacement, type RecognisedPlacement } from './recognise';
import { newSink, SOURCES, type PlacementContext, type Sink } from './sink';
import { checkAscend, checkKeys, checkLayers, checkRanks, checkTrtllm } from './validate-formats';
import { checkLoads } from './validate-loads';
import { checkRows } from './validate-rows';

export type { PlacementContext } from './sink';

/** Other tools write the number of ranks beside the map; where nothing else says it, it is taken. */
function withOwnRanks({ root }: RecognisedPlacement, context: PlacementContext): PlacementContext {
  const ranks = numberAt(root, 'ep_size') ?? numberAt(root, '_ep_size');
  return context.gpus === undefined && ranks !== undefined && Number.isInteger(ranks) && ranks > 0
    ? { ...context, gpus: ranks }
    : context;
}

function checkMaps(found: RecognisedPlacement, context: PlacementContext, out: Sink): void {
  const maps = mapsOf(found);
  const { value, keySpan } = found.main;
  const wanted = found.format === 'trtllm-map' ? 'map' : found.main.key === 'model_maps' ? 'map' : 'list';
  const empty = value.kind === 'scalar' && value.value === null && found.format === 'trtllm-map';
  if (
    value.kind !== wanted &&
    !empty &&
    found.main.key !== 'num_slots' &&
    found.main.key !== 'layer_updates_per_iter' &&
    found.format !== 'csv-map'
  )
    out.add('placement-not-a-list', 'error', `${found.main.key} must be a ${wanted} of rows.`, value.span);
  else if (value.kind === 'list' && value.items.length === 0)
    out.add('placement-not-a-list', 'error', `${found.main.key} has no rows.`, keySpan);
  for (const rows of maps) {
    checkRows(rows, found, context, out);
    if (found.format === 'trtllm-map') checkTrtllm(found, rows, context, out);
    checkLayers(found, rows.length, context, out);
  }
  if (found.format === 'vllm-ascend-map') checkAscend(found, out);
}

/** The key that was meant: what is like a map holds experts, what is like counts holds counts. */
function renamed({ main }: RecognisedPlacement): Fix[] {
  const meant = /map|phys|log.*2|to_log/i.test(main.key) ? 'physical_to_logical_map' : 'logical_count';
  return [
    { title: `Rename to ${meant}`, edits: [{ at: { span: main.keySpan }, newText: `"${meant}"` }], preferred: true },
  ];
}

/**
 * Findings of a file of expert loads or of a placement, each at its place; empty for files of other kinds. Conditions that need what the
 * naming config knows stay silent without it.
 */
export function checkPlacementFile(tree: ConfigTree, known: PlacementContext = {}): readonly Finding[] {
  const found = recognisePlacement(tree);
  if (found === undefined) return [];
  const out = newSink(SOURCES[found.format]);
  const context = withOwnRanks(found, known);
  checkKeys(found, tree, out);
  if (found.format.startsWith('csv'))
    for (const { rule, message, span } of tableFaults(tree.text)) out.add(rule, 'error', message, span);
  const at = found.main.keySpan;
  switch (found.format) {
    case 'sglang-dump':
      out.add(
        'placement-not-usable',
        'error',
        'A per-pass or per-token recording is no initial expert location: SGLang stops with NotImplementedError. Record with the mode "stat".',
        at,
      );
      break;
    case 'sglang-unknown':
      out.add(
        'placement-not-usable',
        'error',
        `SGLang knows physical_to_logical_map and logical_count, not ${found.main.key}, and stops with NotImplementedError.`,
        at,
        renamed(found),
      );
      break;
    case 'vllm-ranks':
      checkRanks(found, context, out);
      break;
    case 'sglang-loads':
    case 'csv-loads':
      checkLayers(found, checkLoads(found, context.experts, out), context, out);
      break;
    default:
      checkMaps(found, context, out);
  }
  return out.list;
}
