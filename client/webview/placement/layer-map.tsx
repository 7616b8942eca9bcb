import type { JSX, RefObject } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { Stage } from '../kit/stage';
import type { StageHandle } from '../kit/stage';
import type { Size } from '../kit/surface';
import type { Theme } from '../kit/theme';
import { Tooltip } from '../kit/tooltip';
import { describeSlot } from './describe';
import { drawLayer, drawLit } from './draw-layer';
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

/** One layer: nodes, GPUs and the expert in every slot; pointing at an expert lights all its replicas. */
export function LayerMap({ model, theme, layer, slot, stage, onSlot, onKey }: LayerMapProps): JSX.Element {
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
  return (
    <div class="layer-map">
      <Stage
        family={theme.font}
        label={`Experts of layer ${layerName(model, layer)} on ${model.view.gpus} GPUs. Left and right move between GPUs, up and down between slots, r to the next replica, question mark lists all keys.`}
        handle={stage}
        overflow={(size) => layerHeight(model, layout(size)) - size.height}
        inputs={[model, theme, layer]}
        paint={(pen, size) => drawLayer(pen, model, layout(size), theme, layer)}
        overInputs={[shown, focused]}
        paintOver={(pen, size) => {
          if (shown >= 0)
            drawLit(pen, model, layout(size), theme, layer, shown, focused ? theme.focus : theme.foreground);
        }}
        onScroll={() => setPointed(undefined)}
        events={{
          onPointerMove: (event) => {
            const at = slotAt(model, now(), event.offsetX, event.offsetY);
            setPointed(at < 0 ? undefined : { slot: at, x: event.offsetX, y: event.offsetY });
          },
          onPointerLeave: () => setPointed(undefined),
          onPointerDown: (event) => onSlot(slotAt(model, now(), event.offsetX, event.offsetY)),
          onFocus: () => setFocused(true),
          onBlur: () => setFocused(false),
          onKeyDown: (event) => {
            if (event.ctrlKey || event.metaKey || event.altKey) return;
            const move = MOVES[event.key];
            if (move !== undefined) {
              setPointed(undefined);
              moved.current = true;
              onSlot(moveSlot(model, layer, slot, move));
            } else if (event.key === 'Escape') onSlot(-1);
            else if (!onKey(event.key)) return;
            event.preventDefault();
          },
        }}
      />
      <Tooltip
        x={place.x}
        y={place.y}
        text={
          described < 0 || expertAt(model, layer, described) < 0 ? undefined : describeSlot(model, layer, described)
        }
      />
    </div>
  );
}
