import type { JSX, RefObject } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { Theme } from '../kit/theme';
import { Tooltip } from '../kit/tooltip';
import type { TooltipText } from '../kit/tooltip';
import { useSurface } from '../kit/surface';
import type { Size } from '../kit/surface';
import { axisFrom, fitAxis, panBy, resized, reveal, toPixel, toValue, zoomAt, zoomOf, zoomTo } from '../kit/viewport';
import type { Axis } from '../kit/viewport';
import { describeBlock, describeIdle, memoryRows } from './describe';
import { createLaneScratch } from './draw-lanes';
import { blockBox, drawOverlay } from './draw-overlay';
import { commandOf } from './keys';
import type { Command } from './keys';
import { useLaneInput } from './lane-input';
import type { Point } from './lane-input';
import { contentHeight, GUTTER, IDLE_COLUMN, layoutOf, rankAtY, scrollToRank } from './layout';
import type { LaneLayout } from './layout';
import { blockAt, nearestBlock, rankOf } from './model';
import type { TimelineModel } from './model';
import { drawTimeline } from './scene';

/** What the rest of the panel may ask of the picture. */
export interface LanesHandle {
  readonly run: (command: Command) => void;
  readonly axis: () => Axis;
  readonly show: (index: number) => void;
  readonly setAxis: (axis: Axis) => void;
}

export interface KeptView {
  readonly start: number;
  readonly zoom: number;
  readonly scroll: number;
}

export interface LanesProps {
  readonly model: TimelineModel;
  readonly theme: Theme;
  readonly memory: boolean;
  /** Row height; 0 fits the rows to the window. */
  readonly row: number;
  /** Rank of the memory curve. */
  readonly rank: number;
  readonly selected: number;
  readonly label: string;
  /** The view to begin with, from before a reload. */
  readonly kept: KeptView | undefined;
  readonly handle: RefObject<LanesHandle | null>;
  readonly onSelect: (index: number) => void;
  readonly onRank: (rank: number) => void;
  readonly onMove: (command: Command) => void;
  readonly onView: (view: KeptView) => void;
  readonly onAxis: (axis: Axis) => void;
}

interface LaneView {
  axis: Axis;
  scroll: number;
  size: Size;
  hovered: number;
  time: number | undefined;
}

/** Window and scroll live outside the component's state: they change every frame, and only canvases follow them. */
function useLaneView(props: LanesProps): { readonly view: LaneView; readonly layout: () => LaneLayout } {
  const ref = useRef<LaneView | undefined>(undefined);
  const extent = props.model.view.makespan;
  const view = (ref.current ??= {
    axis: fitAxis(extent, 1),
    scroll: 0,
    size: { width: 1, height: 1 },
    hovered: -1,
    time: undefined,
  });
  if (view.axis.extent !== extent && extent > 0) {
    // An edited config gives another makespan: the same share of the step stays in view.
    view.axis = axisFrom(extent, view.axis.width, (view.axis.start / view.axis.extent) * extent, zoomOf(view.axis));
    view.hovered = -1;
  }
  const layout = (): LaneLayout =>
    layoutOf(view.size, props.model.view.ranks, {
      row: props.row,
      scroll: view.scroll,
      memory: props.memory,
      snap: 1 / (window.devicePixelRatio || 1),
    });
  return { view, layout };
}

interface Tip extends Point {
  readonly text: TooltipText;
}

function hoverTip(model: TimelineModel, layout: LaneLayout, axis: Axis, rank: number, point: Point): { hovered: number; tip: Tip | undefined } {
  const lane = rankAtY(layout, point.y);
  const time = toValue(axis, point.x - layout.left);
  const inside = point.x >= layout.left && point.x <= layout.left + layout.width && time >= 0 && time <= model.view.makespan;
  if (!inside) return { hovered: -1, tip: undefined };
  if (lane >= 0) {
    const hovered = blockAt(model.blocks, lane, time);
    return { hovered, tip: { ...point, text: hovered >= 0 ? describeBlock(model, hovered) : describeIdle(model, lane, time) } };
  }
  if (layout.memoryHeight > 0 && point.y >= layout.memoryTop) {
    return { hovered: -1, tip: { ...point, text: { title: `Memory · rank ${rank}`, rows: memoryRows(model, rank, time) } } };
  }
  return { hovered: -1, tip: undefined };
}

/** The lanes: a canvas for the blocks, one over it for what follows the pointer, and a native vertical scrollbar. */
export function Lanes(props: LanesProps): JSX.Element {
  const { model, theme, selected } = props;
  const { view, layout } = useLaneView(props);
  const scroller = useRef<HTMLDivElement>(null);
  const scratch = useRef(createLaneScratch()).current;
  const [tip, setTip] = useState<Tip | undefined>(undefined);
  const [focused, setFocused] = useState(false);
  const base = useSurface(
    theme.font,
    (pen, size) => {
      fitTo(view, size);
      drawTimeline(pen, model, view.axis, layout(), theme, props.rank, scratch);
    },
    [model, theme, props.memory, props.row, props.rank],
  );
  const overlay = useSurface(
    theme.font,
    (pen, size) => {
      fitTo(view, size);
      drawOverlay(pen, model, view.axis, layout(), theme, { ...view, selected, focused });
    },
    [model, theme, selected, focused, props.memory, props.row],
  );
  const refresh = (): void => {
    base.invalidate();
    overlay.invalidate();
    props.onAxis(view.axis);
    props.onView({ start: view.axis.start, zoom: zoomOf(view.axis), scroll: view.scroll });
  };
  const setAxis = (axis: Axis): void => {
    view.axis = axis;
    setTip(undefined);
    refresh();
  };
  const scrollTo = (top: number): void => {
    if (scroller.current !== null) scroller.current.scrollTop = top;
  };
  const show = (index: number): void => {
    if (index < 0) return;
    setAxis(reveal(view.axis, model.blocks.start[index] ?? 0, model.blocks.end[index] ?? 0));
    scrollTo(scrollToRank(layout(), rankOf(model.blocks, index)));
    const box = blockBox(model, view.axis, layout(), index);
    setTip({ x: box.x + box.width / 2, y: box.y + box.height, text: describeBlock(model, index) });
  };
  const hover = (point: Point | undefined): void => {
    const found = point === undefined ? { hovered: -1, tip: undefined } : hoverTip(model, layout(), view.axis, props.rank, point);
    view.hovered = found.hovered;
    view.time = point === undefined || found.tip === undefined ? undefined : toValue(view.axis, point.x - layout().left);
    setTip(found.tip);
    overlay.invalidate();
  };
  const click = (point: Point): void => {
    const lane = rankAtY(layout(), point.y);
    if (lane >= 0) props.onRank(lane);
    props.onSelect(blockUnder(model, view.axis, layout(), point));
  };
  const input = useLaneInput({
    axis: () => view.axis,
    setAxis,
    left: GUTTER,
    scrolls: () => contentHeight(layout()) > layout().bottom - layout().top + 0.5,
    scrollBy: (pixels) => scroller.current?.scrollBy(0, pixels),
    hover,
    click,
    open: (point) => {
      const index = blockUnder(model, view.axis, layout(), point);
      if (index >= 0) setAxis(zoomTo(view.axis, model.blocks.start[index] ?? 0, model.blocks.end[index] ?? 0));
    },
  });
  const run = (command: Command): void => {
    const { axis } = view;
    if (command.type === 'zoom') setAxis(zoomAt(axis, command.factor, anchorOf(model, axis, selected)));
    else if (command.type === 'pan') setAxis(panBy(axis, command.share * axis.width));
    else if (command.type === 'fit') setAxis(fitAxis(axis.extent, axis.width));
    else if (command.type === 'zoom-selection' && selected >= 0) {
      setAxis(zoomTo(axis, model.blocks.start[selected] ?? 0, model.blocks.end[selected] ?? 0));
    } else props.onMove(command);
  };
  props.handle.current = { run, axis: () => view.axis, show, setAxis };
  useLayoutEffect(() => restore(view, props.kept, scrollTo, refresh), []);
  useEffect(() => setTip(undefined), [model]);
  const spacer = useSpacer(layout, view, scroller, () => {
    view.scroll = scroller.current?.scrollTop ?? 0;
    setTip(undefined);
    refresh();
  });
  return (
    <div class="lanes">
      <div class="lane-scroll" ref={scroller} onScroll={spacer.onScroll}>
        <div class="lane-sticky">
          <canvas ref={base.ref} aria-hidden="true" />
          <canvas
            ref={overlay.ref}
            class="over"
            tabIndex={0}
            role="application"
            aria-label={props.label}
            data-surface="timeline"
            {...input}
            onFocus={() => setFocused(true)}
            onBlur={() => setFocused(false)}
            onKeyDown={(event) => {
              const command = commandOf(event);
              if (command === undefined) return;
              event.preventDefault();
              run(command);
            }}
          />
        </div>
        <div ref={spacer.ref} />
      </div>
      <Tooltip x={tip?.x ?? 0} y={tip?.y ?? 0} text={tip?.text} />
    </div>
  );
}

function fitTo(view: LaneView, size: Size): void {
  view.size = size;
  const width = size.width - GUTTER - IDLE_COLUMN;
  if (Math.abs(view.axis.width - width) > 0.5) view.axis = resized(view.axis, width);
}

function blockUnder(model: TimelineModel, axis: Axis, layout: LaneLayout, point: Point): number {
  const lane = rankAtY(layout, point.y);
  if (lane < 0 || point.x < layout.left || point.x > layout.left + layout.width) return -1;
  const time = toValue(axis, point.x - layout.left);
  const hit = blockAt(model.blocks, lane, time);
  if (hit >= 0) return hit;
  // Blocks thinner than a pixel can only be met nearly.
  const near = nearestBlock(model.blocks, lane, time);
  const middle = ((model.blocks.start[near] ?? NaN) + (model.blocks.end[near] ?? NaN)) / 2;
  return Math.abs(toPixel(axis, middle) - (point.x - layout.left)) <= 2 ? near : -1;
}

/** Keys zoom around the selected block when it is seen, else around the middle. */
function anchorOf(model: TimelineModel, axis: Axis, selected: number): number {
  const middle = ((model.blocks.start[selected] ?? NaN) + (model.blocks.end[selected] ?? NaN)) / 2;
  const pixel = toPixel(axis, middle);
  return pixel >= 0 && pixel <= axis.width ? pixel : axis.width / 2;
}

function restore(view: LaneView, kept: KeptView | undefined, scrollTo: (top: number) => void, refresh: () => void): void {
  if (kept === undefined) return;
  view.axis = axisFrom(view.axis.extent, view.axis.width, kept.start, kept.zoom);
  requestAnimationFrame(() => scrollTo(kept.scroll));
  refresh();
}

/** The element that makes the scroller as high as the ranks need, without being as high as a canvas may not be. */
function useSpacer(
  layout: () => LaneLayout,
  view: LaneView,
  scroller: RefObject<HTMLDivElement | null>,
  onScroll: () => void,
): { readonly ref: RefObject<HTMLDivElement | null>; readonly onScroll: () => void } {
  const ref = useRef<HTMLDivElement>(null);
  const measure = (): void => {
    if (scroller.current === null || ref.current === null) return;
    view.size = { width: scroller.current.clientWidth, height: scroller.current.clientHeight };
    const now = layout();
    ref.current.style.height = `${Math.max(0, contentHeight(now) - (now.bottom - now.top))}px`;
  };
  const latest = useRef(measure);
  latest.current = measure;
  useLayoutEffect(measure);
  useEffect(() => {
    if (scroller.current === null) return undefined;
    const observer = new ResizeObserver(() => latest.current());
    observer.observe(scroller.current);
    return () => observer.disconnect();
  }, []);
  return { ref, onScroll };
}
