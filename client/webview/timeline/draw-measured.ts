import { createQuads } from '../kit/pen';
import type { Pen } from '../kit/pen';
import type { Theme } from '../kit/theme';
import { endOf } from '../kit/viewport';
import type { Axis } from '../kit/viewport';
import { rowTop, visibleRanks } from './layout';
import type { LaneLayout } from './layout';
import type { MeasuredModel } from './measured';
import { firstAbove } from './model';
import { blockStyles } from './style';

/** Share of a row that the measured run takes, from below; the plan stays visible above it. */
const SHARE = 0.45;

/** A measured run over the plan: the lower part of every row, in the same colours, so that what moved is seen at once. */
export function drawMeasured(pen: Pen, measured: MeasuredModel, axis: Axis, layout: LaneLayout, theme: Theme): void {
  const styles = blockStyles(theme.data);
  const height = Math.max(2, Math.round(layout.barHeight * SHARE));
  const stop = endOf(axis) / measured.scale;
  const quads = styles.map(() => createQuads());
  const [first, last] = visibleRanks(layout);
  pen.clipped(layout.left, layout.top, layout.width, layout.bottom - layout.top, () => {
    for (let rank = first; rank <= Math.min(last, measured.view.ranks - 1); rank += 1) {
      const y = rowTop(layout, rank) + layout.barHeight - height;
      pen.rect(layout.left, y - 1, layout.width, height + 1, theme.background);
      const to = measured.rankStart[rank + 1] ?? 0;
      for (
        let at = firstAbove(measured.end, measured.rankStart[rank] ?? 0, to, axis.start / measured.scale);
        at < to;
        at += 1
      ) {
        const begin = measured.start[at] ?? 0;
        if (begin > stop) break;
        const x = layout.left + (begin * measured.scale - axis.start) * axis.scale;
        const width = ((measured.end[at] ?? 0) - begin) * measured.scale * axis.scale;
        quads[(measured.op[at] ?? 0) * 2]?.push(x, y, Math.max(0.7, width - (width > 3 ? 0.7 : 0)), height);
      }
    }
    quads.forEach((list, style) => {
      if (list.count() > 0) pen.rects(list.data(), list.count(), styles[style]?.fill ?? theme.foreground);
    });
  });
}
