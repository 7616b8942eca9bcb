import { mapsOf, recognisePlacement } from '../../dialects/placement/recognise';
import type { Analysis } from '../analysis';
import { count, plural } from '../format';

/** `58 layers × 288 slots` of a placement file, `counts of 61 layers` of a recording; undefined for other files. */
export function placementTitle(analysis: Analysis): string | undefined {
  if (analysis.dialect?.id !== 'placement') return undefined;
  const found = recognisePlacement(analysis.tree);
  if (found === undefined) return undefined;
  const { format } = found;
  if (format === 'sglang-dump' || format === 'sglang-unknown') return 'No placement that an engine could start from';
  const rows = mapsOf(found)[0] ?? [];
  if (format === 'sglang-loads' || format === 'csv-loads') return 'Expert loads: place experts by them';
  if (format === 'vllm-ranks') return 'Expert placement: one rank an expert';
  const [first] = rows;
  const width = (first?.devices ?? (first === undefined ? [] : [first.node])).reduce(
    (sum, node) => sum + (node.kind === 'list' ? node.items.length : 0),
    0,
  );
  return rows.length === 0
    ? 'Expert placement: an even start'
    : `Expert placement: ${plural(rows.length, 'layer')} × ${count(width)} slots`;
}
