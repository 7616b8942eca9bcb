import type { JSX, RefObject } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { Stage } from '../kit/stage';
import type { StageHandle } from '../kit/stage';
import type { Theme } from '../kit/theme';
import { Tooltip } from '../kit/tooltip';
import type { TooltipText } from '../kit/tooltip';
import type { Size } from '../kit/surface';
import { fitAxis, panBy, reveal, toValue, zoomAt, zoomOf, zoomTo } from '../kit/viewport';
import type { Axis } from '../kit/viewport';
import { describeBlock } from './describe';
import { createLaneScratch } from './draw-lanes';
import { drawChain } from './draw-chain';
import { drawMeasured } from './draw-measured';
import { blockBox, drawOverlay } from './draw-overlay';
import { commandOf } from './keys';
import type { Command } from './keys';
import { useLaneInput } from './lane-input';
import type { Point } from './lane-input';
import { awaitedAt, clickedBlock, fitView, layoutNow, pointedAt, useLaneView, zoomAnchor } from './lane-view';
import type { KeptView, LaneView } from './lane-view';
import { contentHeight, GUTTER, leastHeight, rankAtY, scrollToRank } from './layout';
import type { LaneLayout } from './layout';
import type { MeasuredModel } from './measured';
import { rankOf } from './model';
import type { TimelineModel } from './model';
import { usePlayback } from './playback';
import { drawTimeline } from './scene';

/** What the rest of the panel may ask of the picture. */
export interface LanesHandle {
  readonly run: (command: Command) => void;
  readonly axis: () => Axis;
  /** Brings a block into view and says what it is. */
  readonly show: (index: number) => void;
  readonly setAxis: (axis: Axis) => void;
  readonly playing: () => boolean;
  readonly play: (on: boolean) => void;
}

export interface LanesProps {
  readonly model: TimelineModel;
  /** Time that the axis spans, where another schedule on it lasts longer. */
  readonly extent?: number | undefined;
  /** Blocks of the chain that decides the end, to be marked. */
  readonly chain?: Int32Array | undefined;
  readonly measured?: MeasuredModel | undefined;
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
  /** The other of two pictures on one axis: they play together. */
  readonly twin: RefObject<LanesHandle | null>;
  readonly onSelect: (index: number) => void;
  readonly onRank: (rank: number) => void;
  /** Commands that are not about the window. */
  readonly onCommand: (command: Command) => void;
  readonly onView: (view: KeptView) => void;
  readonly onAxis: (axis: Axis) => void;
}

interface Tip extends Point {
  readonly text: TooltipText;
}

/** Everything that moves the window or the pointer, over one stage. */
interface Controls {
  readonly layout: (size?: Size) => LaneLayout;
  readonly setAxis: (axis: Axis) => void;
  readonly show: (index: number) => void;
  readonly run: (command: Command) => void;
  readonly hover: (point: Point | undefined) => void;
  readonly changed: () => void;
}

function blockSpan(model: TimelineModel, index: number): readonly [number, number] {
  return [model.blocks.start[index] ?? 0, model.blocks.end[index] ?? 0];
}

function controls(
  props: LanesProps,
  view: LaneView,
  stage: RefObject<StageHandle | null>,
  setTip: (tip: Tip | undefined) => void,
  play: () => void,
): Controls {
  const { model, selected } = props;
  const layout: Controls['layout'] = (size) =>
    layoutNow({ ranks: model.view.ranks, row: props.row, memory: props.memory }, stage, size);
  const changed = (): void => {
    stage.current?.refresh();
    props.onAxis(view.axis);
    props.onView({ start: view.axis.start, zoom: zoomOf(view.axis), scroll: stage.current?.scroll() ?? 0 });
  };
  const setAxis = (axis: Axis): void => {
    view.axis = axis;
    setTip(undefined);
    changed();
  };
  const show = (index: number): void => {
    if (index < 0) return;
    setAxis(reveal(view.axis, ...blockSpan(model, index)));
    stage.current?.scrollTo(scrollToRank(layout(), rankOf(model.blocks, index)));
    const box = blockBox(model, view.axis, layout(), index);
    // One row further down than the block, so that its own arrows and neighbours stay in sight.
    setTip({ x: box.x + box.width / 2, y: box.y + 2 * layout().rowHeight, text: describeBlock(model, index) });
  };
  const hover = (point: Point | undefined): void => {
    const found = point === undefined ? undefined : pointedAt(model, layout(), view.axis, props.rank, point);
    view.hovered = found?.hovered ?? -1;
    const text = found?.text;
    view.time = point === undefined || text === undefined ? undefined : toValue(view.axis, point.x - layout().left);
    setTip(point === undefined || text === undefined ? undefined : { ...point, text });
    stage.current?.refreshOver();
  };
  const run = (command: Command): void => {
    const { axis } = view;
    if (command.type === 'zoom') setAxis(zoomAt(axis, command.factor, zoomAnchor(model, axis, selected)));
    else if (command.type === 'pan') setAxis(panBy(axis, command.share * axis.width));
    else if (command.type === 'fit') setAxis(fitAxis(axis.extent, axis.width));
    else if (command.type === 'play') play();
    else if (command.type === 'zoom-selection') {
      if (selected >= 0) setAxis(zoomTo(axis, ...blockSpan(model, selected)));
    } else props.onCommand(command);
  };
  return { layout, setAxis, show, run, hover, changed };
}

/** Height that the ranks lack in this window. */
function overflowOf(layout: LaneLayout): number {
  return contentHeight(layout) - (layout.bottom - layout.top);
}

/** The lanes: blocks on one canvas, and on one over it what follows the pointer. */
export function Lanes(props: LanesProps): JSX.Element {
  const { model, theme, selected } = props;
  const view = useLaneView(props.extent ?? model.view.makespan, props.kept);
  const stage = useRef<StageHandle>(null);
  const toggle = usePlayback(view, stage, () => model.view.makespan);
  const play = (on: boolean): void => {
    if ((view.play !== undefined) !== on) toggle();
  };
  const playBoth = (): void => {
    // Where one has come to its end already, the next press stops the other.
    const on = view.play === undefined && props.twin.current?.playing() !== true;
    play(on);
    props.twin.current?.play(on);
  };
  const scratch = useRef(createLaneScratch()).current;
  const [tip, setTip] = useState<Tip | undefined>(undefined);
  const [focused, setFocused] = useState(false);
  const control = controls(props, view, stage, setTip, playBoth);
  const { layout } = control;
  const input = useLaneInput({
    axis: () => view.axis,
    setAxis: control.setAxis,
    left: GUTTER,
    scrolls: () => overflowOf(layout()) > 0.5,
    scrollBy: (pixels) => stage.current?.scrollTo(stage.current.scroll() + pixels),
    hover: control.hover,
    click: (point) => {
      const lane = rankAtY(layout(), point.y);
      if (lane >= 0) props.onRank(lane);
      const hit = clickedBlock(model, view.axis, layout(), point);
      // Idle time leads to what it waits for.
      const awaited = hit >= 0 ? -1 : awaitedAt(model, view.axis, layout(), point);
      props.onSelect(hit >= 0 ? hit : awaited);
      control.show(awaited);
    },
    open: (point) => {
      const index = clickedBlock(model, view.axis, layout(), point);
      if (index >= 0) control.setAxis(zoomTo(view.axis, ...blockSpan(model, index)));
    },
  });
  const { run, show, setAxis } = control;
  props.handle.current = { run, axis: () => view.axis, show, setAxis, playing: () => view.play !== undefined, play };
  useEffect(() => {
    // The window is restored once the first picture has a size to scroll in.
    if (props.kept !== undefined) stage.current?.scrollTo(props.kept.scroll);
    props.onAxis(view.axis);
  }, []);
  useEffect(() => setTip(undefined), [model]);
  return (
    <div class="lanes" style={{ minHeight: `${leastHeight(model.view.ranks, props.memory)}px` }}>
      <Stage
        family={theme.font}
        label={props.label}
        handle={stage}
        overflow={(size) => overflowOf(layout(size))}
        inputs={[model, theme, props.memory, props.row, props.rank, props.extent]}
        paint={(pen, size) => {
          fitView(view, size);
          drawTimeline(pen, model, view.axis, layout(size), theme, props.rank, scratch);
        }}
        overInputs={[selected, focused, props.chain, props.measured, props.extent]}
        paintOver={(pen, size) => {
          fitView(view, size);
          const chain = props.chain;
          const { measured } = props;
          if (measured !== undefined) drawMeasured(pen, measured, view.axis, layout(size), theme);
          if (chain !== undefined) drawChain(pen, model, view.axis, layout(size), theme, chain);
          drawOverlay(pen, model, view.axis, layout(size), theme, { ...view, selected, focused });
        }}
        onScroll={() => {
          if (view.time !== undefined) setTip(undefined);
          control.changed();
        }}
        events={{
          ...input,
          onFocus: () => setFocused(true),
          onBlur: () => setFocused(false),
          onKeyDown: (event) => {
            const command = commandOf(event);
            if (command === undefined) return;
            event.preventDefault();
            control.run(command);
          },
        }}
      />
      <Tooltip x={tip?.x ?? 0} y={tip?.y ?? 0} text={tip?.text} />
    </div>
  );
}
