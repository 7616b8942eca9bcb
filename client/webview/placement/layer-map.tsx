import type { JSX, RefObject } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { Stage } from '../kit/stage';
import type { StageHandle } from '../kit/stage';
import type { Size } from '../kit/surface';
import type { Theme } from '../kit/theme';
import { Tooltip } from '../kit/tooltip';
import type { TooltipText } from '../kit/tooltip';
import { describeSlot } from './describe';
import { drawLayer, drawLit, drawMove } from './draw-layer';
import { layerHeight, layerLayout, slotAt, slotCorner } from './layer-layout';
import type { LayerLayout } from './layer-layout';
import { expertAt, layerName, moveSlot } from './model';
import type { PlacementModel, SlotMove } from './model';

export interface LayerMapProps {
  readonly model: PlacementModel;
  readonly theme: Theme;
  readonly layer: number;
  /** Selected slot, or -1. */
  readonly slot: number;
  readonly stage: RefObject<StageHandle | null>;
  readonly onSlot: (slot: number) => void;
  readonly onKey: (key: string) => boolean;
  /** Slot that was picked up by a key, or -1. */
  readonly held: number;
  /** What putting the expert of one slot on another would do, in words. */
  readonly effect: (from: number, to: number, copy: boolean) => string;
  readonly onDrop: (from: number, to: number, copy: boolean) => void;
}

const MOVES: Readonly<Record<string, SlotMove>> = {
  ArrowLeft: 'left',
  ArrowRight: 'right',
  ArrowUp: 'up',
  ArrowDown: 'down',
  Home: 'first',
  End: 'last',
  r: 'replica',
};

function scrollToSlot(stage: StageHandle, model: PlacementModel, layout: LayerLayout, slot: number): void {
  const { y } = slotCorner(model, { ...layout, scroll: 0 }, slot);
  if (y - 40 < stage.scroll()) stage.scrollTo(y - 40);
  else if (y + 30 > stage.scroll() + layout.height) stage.scrollTo(y + 30 - layout.height);
}

/** An expert on its way from one slot to another. */
interface Drag {
  readonly from: number;
  readonly to: number;
  /** Shift: a copy goes, the expert stays. */
  readonly copy: boolean;
}

function textOf(
  { model, layer, effect }: LayerMapProps,
  moving: Drag | undefined,
  described: number,
): TooltipText | undefined {
  if (moving !== undefined && moving.to >= 0 && moving.to !== moving.from) {
    const [one, other] = [expertAt(model, layer, moving.from), expertAt(model, layer, moving.to)];
    return {
      title: moving.copy ? `Copy expert ${one} over expert ${other}` : `Swap experts ${one} and ${other}`,
      rows: [],
      note: effect(moving.from, moving.to, moving.copy),
    };
  }
  return described < 0 || expertAt(model, layer, described) < 0 ? undefined : describeSlot(model, layer, described);
}

/** One layer: nodes, GPUs and the expert in every slot; pointing at an expert lights all its replicas. */
export function LayerMap(props: LayerMapProps): JSX.Element {
  const { model, theme, layer, slot, stage, onSlot, onKey, held, onDrop } = props;
  const [drag, setDrag] = useState<Drag | undefined>(undefined);
  const [pointed, setPointed] = useState<{ readonly slot: number; readonly x: number; readonly y: number } | undefined>(
    undefined,
  );
  const [focused, setFocused] = useState(false);
  const layout = (size: Size): LayerLayout =>
    layerLayout(model, size.width - 4, size.height, stage.current?.scroll() ?? 0);
  const now = (): LayerLayout => layout(stage.current?.size() ?? { width: 1, height: 1 });
  const shown = pointed?.slot ?? slot;
  const moved = useRef(false);
  useEffect(() => {
    if (moved.current && stage.current !== null && slot >= 0) scrollToSlot(stage.current, model, now(), slot);
    moved.current = false;
  }, [slot]);
  const corner = slot >= 0 ? slotCorner(model, now(), slot) : { x: 0, y: 0 };
  const place = pointed ?? { x: corner.x + now().cellWidth, y: corner.y + now().cellHeight };
  const described = pointed === undefined && !focused ? -1 : shown;
  const moving = drag ?? (held < 0 || !focused ? undefined : { from: held, to: slot, copy: false });
  return (
    <div class="layer-map">
      <Stage
        family={theme.font}
        label={`Experts of layer ${layerName(model, layer)} on ${model.view.gpus} GPUs. Left and right move between GPUs, up and down between slots, r to the next replica, question mark lists all keys.`}
        handle={stage}
        overflow={(size) => layerHeight(model, layout(size)) - size.height}
        inputs={[model, theme, layer]}
        paint={(pen, size) => drawLayer(pen, model, layout(size), theme, layer)}
        overInputs={[shown, focused, drag, held]}
        paintOver={(pen, size) => {
          if (shown >= 0)
            drawLit(pen, model, layout(size), theme, layer, shown, focused ? theme.focus : theme.foreground);
          const from = drag?.from ?? held;
          const to = drag?.to ?? (held < 0 ? -1 : slot);
          if (from >= 0) drawMove(pen, model, layout(size), theme, from, to);
        }}
        onScroll={() => setPointed(undefined)}
        events={{
          onPointerMove: (event) => {
            const at = slotAt(model, now(), event.offsetX, event.offsetY);
            if (drag !== undefined && (event.buttons & 1) === 1)
              setDrag({ ...drag, to: at < 0 ? drag.from : at, copy: event.shiftKey });
            setPointed(at < 0 ? undefined : { slot: at, x: event.offsetX, y: event.offsetY });
          },
          onPointerLeave: () => {
            setPointed(undefined);
            setDrag(undefined);
          },
          onPointerDown: (event) => {
            const at = slotAt(model, now(), event.offsetX, event.offsetY);
            onSlot(at);
            if (at >= 0 && event.button === 0) setDrag({ from: at, to: at, copy: false });
          },
          onPointerUp: () => {
            setDrag(undefined);
            if (drag !== undefined && drag.to !== drag.from) onDrop(drag.from, drag.to, drag.copy);
          },
          onPointerCancel: () => setDrag(undefined),
          onFocus: () => setFocused(true),
          onBlur: () => setFocused(false),
          onKeyDown: (event) => {
            if (event.ctrlKey || event.metaKey || event.altKey) return;
            const move = MOVES[event.key];
            if (move !== undefined) {
              setPointed(undefined);
              moved.current = true;
              onSlot(moveSlot(model, layer, slot, move));
            } else if (event.key === 'Escape' && drag !== undefined) setDrag(undefined);
            else if (event.key === 'Escape' && held < 0) onSlot(-1);
            else if (!onKey(event.key)) return;
            event.preventDefault();
          },
        }}
      />
      <Tooltip x={place.x} y={place.y} text={textOf(props, moving, described)} />
    </div>
  );
}
