import { mapsOf, recognisePlacement } from '../../dialects/placement/recognise';
import type { PlacementEditAnswer, PlacementEditParams } from '../../protocol/placement';
import { parseConfig } from '../../syntax/parse';
import type { ConfigNode } from '../../syntax/tree';
import type { Analysis, FileLookup } from '../analysis';
import { indexLines } from '../lines';
import { languageOf } from '../uris';
import { placementSources } from './sources';

/**
 * The edits of a placement's text that put other experts into slots: one number each, so that undo and diff show what was done. `row` counts
 * the rows that are drawn; a file with a row for every model layer has the dense ones before them.
 */
export function placementEdits(
  analysis: Analysis,
  params: PlacementEditParams,
  files: FileLookup,
): PlacementEditAnswer {
  const { mapUri } = placementSources(analysis, files);
  const text = mapUri === undefined ? undefined : mapUri === analysis.uri ? analysis.text : files(mapUri);
  if (mapUri === undefined || typeof text !== 'string') return { edits: [] };
  const found = recognisePlacement(parseConfig(text, languageOf(mapUri)));
  const rows = found === undefined ? [] : (mapsOf(found)[0] ?? []);
  const sorted =
    found?.format === 'trtllm-map' || found?.format === 'csv-map' ? [...rows].sort((a, b) => a.layer - b.layer) : rows;
  const { model } = analysis.resolved ?? {};
  const flags = model?.moeLayers ?? [];
  const moe = flags.filter(Boolean).length;
  const before = sorted.length === model?.layers && moe > 0 && moe < sorted.length ? flags.indexOf(true) : 0;
  const lines = indexLines(text);
  const edits = params.changes.flatMap(({ row, slot, expert }) => {
    const { node, devices } = sorted[row + before] ?? {};
    const items = (devices ?? (node === undefined ? [] : [node])).flatMap((part): readonly ConfigNode[] =>
      part.kind === 'list' ? part.items : [],
    );
    const item = items[slot];
    return item?.kind === 'scalar' ? [{ range: lines.rangeOf(item.span), newText: String(expert) }] : [];
  });
  return edits.length < params.changes.length ? { edits: [] } : { uri: mapUri, edits };
}
