import type { JSX, RefObject } from 'preact';
import { useRef } from 'preact/hooks';
import type { Theme } from '../kit/theme';
import { useSurface } from '../kit/surface';
import type { Size } from '../kit/surface';
import { axisFrom, endOf, fitAxis, panBy, zoomOf } from '../kit/viewport';
import type { Axis } from '../kit/viewport';
import { createLaneScratch, drawBlocks } from './draw-lanes';
import type { LaneLayout } from './layout';
import type { TimelineModel } from './model';
import { blockStyles } from './style';

export interface MinimapProps {
  readonly model: TimelineModel;
  readonly theme: Theme;
  readonly onAxis: (axis: Axis) => void;
  /** Filled by the minimap: moves the window's frame without rendering anything. */
  readonly follow: RefObject<((axis: Axis) => void) | null>;
}

/** The whole schedule without margins; ranks thinner than a pixel are left out evenly. */
function overviewLayout(size: Size, ranks: number): { readonly layout: LaneLayout; readonly step: number } {
  const step = Math.max(1, Math.ceil(ranks / Math.max(1, size.height)));
  const row = size.height / Math.max(1, ranks);
  return {
    step,
    layout: {
      left: 0,
      width: size.width,
      right: 0,
      top: 0,
      bottom: size.height,
      rowHeight: row,
      barHeight: Math.max(1, row * step >= 3 ? Math.floor(row * step) - 1 : row * step),
      ranks,
      scroll: 0,
      memoryTop: size.height,
      memoryHeight: 0,
      snap: 1 / (window.devicePixelRatio || 1),
    },
  };
}

/** The whole schedule in a strip; the frame is what the lanes show, and can be dragged. Keys on the lanes do the same, so it is hidden from screen readers. */
export function Minimap({ model, theme, onAxis, follow }: MinimapProps): JSX.Element {
  const scratch = useRef(createLaneScratch()).current;
  const frame = useRef<HTMLDivElement>(null);
  const current = useRef<Axis | undefined>(undefined);
  const width = useRef(1);
  const surface = useSurface(
    theme.font,
    (pen, size) => {
      const { layout, step } = overviewLayout(size, model.view.ranks);
      width.current = size.width;
      pen.rect(0, 0, size.width, size.height, theme.data.lane);
      const axis = fitAxis(model.view.makespan, size.width);
      drawBlocks(pen, { model, axis, layout, step, styles: blockStyles(theme.data), frame: theme.foreground }, scratch);
    },
    [model, theme],
  );
  follow.current = (axis) => {
    current.current = axis;
    if (frame.current === null) return;
    const { style } = frame.current;
    style.left = `${(axis.start / axis.extent) * 100}%`;
    style.width = `${((endOf(axis) - axis.start) / axis.extent) * 100}%`;
    frame.current.hidden = zoomOf(axis) <= 1.001;
  };
  const centre = (event: PointerEvent): void => {
    const axis = current.current;
    if (axis === undefined || event.buttons === 0) return;
    const box = event.currentTarget instanceof Element ? event.currentTarget.getBoundingClientRect() : undefined;
    if (box === undefined) return;
    const middle = ((event.clientX - box.left) / Math.max(1, box.width)) * axis.extent;
    const span = endOf(axis) - axis.start;
    onAxis(panBy(axisFrom(axis.extent, axis.width, middle - span / 2, zoomOf(axis)), 0));
  };
  return (
    <div
      class="minimap"
      aria-hidden="true"
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId);
        centre(event);
      }}
      onPointerMove={centre}
    >
      <canvas ref={surface.ref} />
      <div class="minimap-frame" ref={frame} hidden />
    </div>
  );
}
