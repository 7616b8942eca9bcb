import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { Stage } from '../kit/stage';
import type { StageHandle } from '../kit/stage';
import type { Size } from '../kit/surface';
import type { Theme } from '../kit/theme';
import { Tooltip } from '../kit/tooltip';
import { describeCell, describeLayer } from './describe';
import { drawHeatMarks, drawHeatmap, heatCellAt, heatHeight, heatLayout, heatRowTop, HEAT_TOP } from './draw-heatmap';
import type { HeatLayout } from './draw-heatmap';
import type { PlacementModel } from './model';

export interface HeatmapProps {
  readonly model: PlacementModel;
  readonly theme: Theme;
  readonly layer: number;
  /** GPU of the slot that is selected in the layer's map, or -1. */
  readonly gpu: number;
  readonly onLayer: (layer: number) => void;
  readonly onGpu: (gpu: number) => void;
  /** Enter: on to the map of the layer. */
  readonly onOpen: () => void;
  /** Keys of the panel; true when the key was one. */
  readonly onKey: (key: string) => boolean;
}

interface Pointed {
  readonly layer: number;
  readonly gpu: number;
  readonly x: number;
  readonly y: number;
}

/** The layer that a key leads to, or undefined for other keys. */
export function layerForKey(model: PlacementModel, layer: number, key: string): number | undefined {
  const last = model.view.layers - 1;
  switch (key) {
    case 'ArrowUp':
    case 'PageUp':
      return Math.max(0, layer - (key === 'PageUp' ? 10 : 1));
    case 'ArrowDown':
    case 'PageDown':
      return Math.min(last, layer + (key === 'PageDown' ? 10 : 1));
    case 'Home':
      return 0;
    case 'End':
      return last;
    case 'w':
      // The worst layer; pressed on it again, the next worse.
      return model.worstFirst[(model.worstFirst.indexOf(layer) === 0 ? 1 : 0) % Math.max(1, model.worstFirst.length)];
    case 'n':
      return model.worstFirst[(model.worstFirst.indexOf(layer) + 1) % Math.max(1, model.worstFirst.length)];
    default:
      return undefined;
  }
}

/** All layers at once: the bad one is seen, and chosen here. */
export function Heatmap(props: HeatmapProps): JSX.Element {
  const { model, theme, layer } = props;
  const stage = useRef<StageHandle>(null);
  const [pointed, setPointed] = useState<Pointed | undefined>(undefined);
  const [focused, setFocused] = useState(false);
  const layout = (size: Size): HeatLayout => heatLayout(size, model.view.layers, stage.current?.scroll() ?? 0);
  const now = (): HeatLayout => layout(stage.current?.size() ?? { width: 1, height: 1 });
  const cellAt = (event: MouseEvent): Pointed => ({
    ...heatCellAt(model, now(), event.offsetX, event.offsetY),
    x: event.offsetX,
    y: event.offsetY,
  });
  useEffect(() => {
    const { rowHeight, height, scroll } = now();
    const top = layer * rowHeight;
    const room = height - HEAT_TOP;
    if (top < scroll) stage.current?.scrollTo(top);
    else if (top + rowHeight > scroll + room) stage.current?.scrollTo(top + rowHeight - room);
  }, [layer]);
  const place = pointed ?? { x: now().left + 20, y: heatRowTop(now(), layer) + now().rowHeight };
  const spokenFor =
    pointed !== undefined && pointed.gpu >= 0 ? describeCell(model, pointed.layer, pointed.gpu) : undefined;
  return (
    <div class="heatmap">
      <Stage
        family={theme.font}
        label={`Load of ${model.view.gpus} GPUs in ${model.view.layers} layers. Up and down choose a layer, w goes to the worst, Enter to its experts, question mark lists all keys.`}
        handle={stage}
        overflow={(size) => heatHeight(layout(size), model.view.layers) - size.height}
        inputs={[model, theme, layer]}
        paint={(pen, size) => drawHeatmap(pen, model, layout(size), theme, layer)}
        overInputs={[focused, props.gpu]}
        paintOver={(pen, size) =>
          drawHeatMarks(pen, model, layout(size), theme, layer, props.gpu, focused ? theme.focus : theme.foreground)
        }
        onScroll={() => setPointed(undefined)}
        events={{
          onPointerMove: (event) => setPointed(cellAt(event)),
          onPointerLeave: () => setPointed(undefined),
          onPointerDown: (event) => {
            const cell = cellAt(event);
            if (cell.layer < 0) return;
            props.onLayer(cell.layer);
            if (cell.gpu >= 0) props.onGpu(cell.gpu);
          },
          onFocus: () => setFocused(true),
          onBlur: () => setFocused(false),
          onKeyDown: (event) => {
            if (event.ctrlKey || event.metaKey || event.altKey) return;
            const next = layerForKey(model, layer, event.key);
            if (next !== undefined) {
              setPointed(undefined);
              props.onLayer(next);
            } else if (event.key === 'Enter') props.onOpen();
            else if (!props.onKey(event.key)) return;
            event.preventDefault();
          },
        }}
      />
      <Tooltip
        x={place.x}
        y={place.y}
        text={spokenFor ?? (focused && pointed === undefined ? describeLayer(model, layer) : undefined)}
      />
    </div>
  );
}
