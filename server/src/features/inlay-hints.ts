import type { InlayHint, Range } from 'vscode-languageserver-types';
import type { Analysis } from './analysis';
import { changedFields, isSameQuantity } from './effective';

/** Behind each written value that the framework changes: what it becomes, with the reason in the tooltip. */
export function inlayHints(analysis: Analysis, range: Range): InlayHint[] {
  const from = analysis.lines.offsetAt(range.start);
  const to = analysis.lines.offsetAt(range.end);
  const seen = new Set<string>();
  return changedFields(analysis).flatMap(({ field, value, at, written }) => {
    const now = String(value.value);
    // One key can fill several fields of the plan: what it becomes is said once.
    const key = `${String(at.span.end)} ${now}`;
    if (at.span.end < from || at.span.end > to || seen.has(key)) return [];
    seen.add(key);
    const name = value.label ?? field;
    const direct = isSameQuantity(field, name);
    const quantity = field.split('.').at(-1) ?? field;
    const reason = value.note ?? 'the framework changes it';
    return [
      {
        position: analysis.lines.positionAt(at.span.end),
        label: direct ? `→ ${now}` : `→ ${quantity} ${now}`,
        paddingLeft: true,
        tooltip: direct
          ? `${name} will be ${now}, not ${written}: ${reason}.`
          : `${name} ${written} gives ${quantity} ${now}: ${reason}.`,
      },
    ];
  });
}
