import { rampOf } from '../kit/color';
import type { Scene } from '../kit/export';
import type { Pen } from '../kit/pen';
import type { Size } from '../kit/surface';
import type { Theme } from '../kit/theme';
import { balanceText } from './describe';
import { layerName, placeOn } from './model';
import type { PlacementModel, Scale } from './model';

export const HEAT_TOP = 34;
const GUTTER = 40;
const BALANCE = 130;
const BALANCE_AXIS = 66;
const MIN_ROW = 5;
const MAX_ROW = 20;
const STEPS = 64;

export interface HeatLayout {
  readonly left: number;
  readonly width: number;
  readonly height: number;
  readonly rowHeight: number;
  readonly scroll: number;
}

export function heatLayout(size: Size, layers: number, scroll: number): HeatLayout {
  const fit = Math.floor((size.height - HEAT_TOP - 2) / Math.max(1, layers));
  return {
    left: GUTTER,
    width: Math.max(1, size.width - GUTTER - BALANCE),
    height: size.height,
    rowHeight: Math.max(MIN_ROW, Math.min(MAX_ROW, fit)),
    scroll,
  };
}

export function heatHeight(layout: HeatLayout, layers: number): number {
  return HEAT_TOP + layers * layout.rowHeight + 2;
}

export function heatRowTop(layout: HeatLayout, layer: number): number {
  return HEAT_TOP + layer * layout.rowHeight - layout.scroll;
}

/** Layer and GPU under a point; -1 outside the cells. */
export function heatCellAt(
  model: PlacementModel,
  layout: HeatLayout,
  x: number,
  y: number,
): { readonly layer: number; readonly gpu: number } {
  const layer = Math.floor((y - HEAT_TOP + layout.scroll) / layout.rowHeight);
  const gpu = Math.floor(((x - layout.left) / layout.width) * model.view.gpus);
  const inside = y >= HEAT_TOP && layer >= 0 && layer < model.view.layers;
  return { layer: inside ? layer : -1, gpu: inside && gpu >= 0 && gpu < model.view.gpus ? gpu : -1 };
}

/** Colours of a theme as ready steps; cells look theirs up. */
export function loadColors(theme: Theme): readonly string[] {
  return rampOf(theme.data.ramp, STEPS);
}

export function colorFor(colors: readonly string[], scale: Scale, value: number): string {
  return colors[Math.round(placeOn(scale, value) * (colors.length - 1))] ?? '#808080';
}

/** One row; where GPUs are narrower than a pixel, the fullest of a pixel stands for it. */
function drawRow(
  pen: Pen,
  model: PlacementModel,
  layout: HeatLayout,
  colors: readonly string[],
  layer: number,
  y: number,
): void {
  const { gpus } = model.view;
  const gap = layout.rowHeight >= 9 ? 1 : 0;
  const columns = Math.min(gpus, Math.floor(layout.width));
  const apart = layout.width / gpus >= 6 ? 1 : 0;
  for (let column = 0; column < columns; column += 1) {
    const from = Math.floor((column / columns) * gpus);
    const to = Math.max(from + 1, Math.floor(((column + 1) / columns) * gpus));
    let value = 0;
    for (let gpu = from; gpu < to; gpu += 1) value = Math.max(value, model.gpuRatio[layer * gpus + gpu] ?? 0);
    const x = Math.round(layout.left + (column / columns) * layout.width);
    const end = Math.round(layout.left + ((column + 1) / columns) * layout.width);
    pen.rect(x, y, Math.max(1, end - x - apart), layout.rowHeight - gap, colorFor(colors, model.gpuScale, value));
  }
}

/** Left end of the balance axis: a round tenth at or below the worst layer. */
export function balanceFloor(model: PlacementModel): number {
  const worst = model.view.meanOverMax.reduce((least, value) => Math.min(least, value), 0.9);
  return Math.max(0, Math.floor(worst * 10 + 1e-9) / 10);
}

/** mean / max of a layer as a dot, its best possible value as a tick, and the way between them, which a better placement could win. */
function drawBalance(
  pen: Pen,
  model: PlacementModel,
  layout: HeatLayout,
  theme: Theme,
  layer: number,
  y: number,
): void {
  const from = layout.left + layout.width + 12;
  const width = BALANCE_AXIS;
  const floor = balanceFloor(model);
  const at = (value: number): number => from + Math.max(0, Math.min(1, (value - floor) / (1 - floor))) * width;
  const middle = y + (layout.rowHeight - 1) / 2;
  const value = at(model.view.meanOverMax[layer] ?? 1);
  const bound = at(model.view.lowerBound[layer] ?? 1);
  const dot = Math.min(5, layout.rowHeight - 1);
  pen.rect(from, middle, width, 1, theme.data.grid);
  pen.rect(Math.min(value, bound), middle - 0.5, Math.abs(bound - value), 2, theme.muted);
  pen.rect(bound - 0.5, y, 1.5, layout.rowHeight - 1, theme.foreground);
  pen.rect(value - dot / 2, middle + 0.5 - dot / 2, dot, dot, theme.data.parts.weights);
}

function drawHead(pen: Pen, model: PlacementModel, layout: HeatLayout, theme: Theme): void {
  const style = { fill: theme.muted, size: 11 } as const;
  const { nodes, gpus } = model.view;
  const nodeWidth = layout.width / Math.max(1, nodes);
  pen.text('layer', layout.left - 8, 25, { ...style, align: 'right' });
  const label = nodeWidth >= 52 ? 'node ' : '';
  const every = Math.max(1, Math.ceil(22 / nodeWidth));
  for (let node = 0; node < nodes; node += 1) {
    const x = layout.left + node * nodeWidth;
    if (node > 0 && nodeWidth >= 24) pen.rect(Math.round(x), 20, 1, HEAT_TOP - 20, theme.muted);
    if (node % every === 0)
      pen.text(`${label}${node}`, x + Math.min(nodeWidth / 2, 40), 25, { ...style, align: 'center' });
  }
  pen.text(`${gpus} GPUs${label === '' ? ', nodes:' : ''}`, layout.left, 9, style);
  const axis = layout.left + layout.width + 12;
  pen.text(balanceFloor(model).toFixed(1), axis, 25, style);
  pen.text('1', axis + BALANCE_AXIS, 25, { ...style, align: 'center' });
  pen.text('mean/max', layout.left + layout.width + BALANCE - 6, 9, { ...style, align: 'right' });
}

/** Layers x GPUs: colour is the GPU's share of its layer's load; beside each row how even it is. */
export function drawHeatmap(pen: Pen, model: PlacementModel, layout: HeatLayout, theme: Theme, selected: number): void {
  drawHead(pen, model, layout, theme);
  const colors = loadColors(theme);
  const every = Math.max(1, Math.ceil(13 / layout.rowHeight));
  // A row's name may be higher than the row: it may stand out of the window by that much.
  pen.clipped(0, HEAT_TOP - 3, layout.left + layout.width + BALANCE, layout.height - HEAT_TOP + 3, () => {
    const first = Math.max(0, Math.floor(layout.scroll / layout.rowHeight));
    const last = Math.min(
      model.view.layers - 1,
      Math.ceil((layout.scroll + layout.height - HEAT_TOP) / layout.rowHeight),
    );
    for (let layer = first; layer <= last; layer += 1) {
      const y = heatRowTop(layout, layer);
      drawRow(pen, model, layout, colors, layer, y);
      drawBalance(pen, model, layout, theme, layer, y);
      // Thin rows name every n-th layer, and always the selected one, which pushes its neighbours' names away.
      if (layer !== selected && (layer % every !== 0 || Math.abs(layer - selected) < every)) continue;
      const bold = layer === selected;
      const style = { fill: bold ? theme.foreground : theme.muted, size: 11, align: 'right', bold } as const;
      pen.text(String(layerName(model, layer)), layout.left - 8, y + layout.rowHeight / 2, style);
      pen.text(
        balanceText(model.view.meanOverMax[layer]),
        layout.left + layout.width + BALANCE - 6,
        y + layout.rowHeight / 2,
        style,
      );
    }
  });
}

/** The selected layer and the GPU under the pointer or the keys. */
export function drawHeatMarks(
  pen: Pen,
  model: PlacementModel,
  layout: HeatLayout,
  theme: Theme,
  layer: number,
  gpu: number,
  color: string,
): void {
  pen.clipped(0, HEAT_TOP - 3, layout.left + layout.width + BALANCE, layout.height - HEAT_TOP + 3, () => {
    const y = heatRowTop(layout, layer) - 1.5;
    const height = layout.rowHeight + 2;
    pen.frame(layout.left - 1.5, y, layout.width + 3, height, { color: theme.background, width: 4 });
    pen.frame(layout.left - 1.5, y, layout.width + 3, height, { color, width: 2 });
    if (gpu < 0) return;
    const x = layout.left + (gpu / model.view.gpus) * layout.width;
    const width = Math.max(3, layout.width / model.view.gpus);
    pen.frame(x - 2, y - 1, width + 3, height + 2, { color: theme.background, width: 4 });
    pen.frame(x - 2, y - 1, width + 3, height + 2, { color, width: 2 });
  });
}

export function heatScene(model: PlacementModel, theme: Theme, selected: number): Scene {
  const width = Math.max(760, Math.min(1800, GUTTER + BALANCE + model.view.gpus * 12));
  const layout = { ...heatLayout({ width, height: 0 }, model.view.layers, 0), rowHeight: 13 };
  const height = heatHeight(layout, model.view.layers) + 6;
  return {
    title: `${model.view.title}, load of every GPU by layer`,
    width,
    height,
    draw: (pen) => drawHeatmap(pen, model, { ...layout, height }, theme, selected),
  };
}
