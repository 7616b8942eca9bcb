import { inkOn } from '../kit/color';
import type { Scene } from '../kit/export';
import type { Pen } from '../kit/pen';
import type { Theme } from '../kit/theme';
import { times } from './describe';
import { colorFor, loadColors } from './draw-heatmap';
import { gpuCorner, layerHeight, layerLayout, nodeCorner, slotCorner } from './layer-layout';
import type { LayerLayout } from './layer-layout';
import { expertAt, layerName, replicasOf } from './model';
import type { PlacementModel } from './model';

function seen(layout: LayerLayout, y: number, height: number): boolean {
  return y + height >= 0 && y <= layout.height;
}

function drawGpu(
  pen: Pen,
  model: PlacementModel,
  layout: LayerLayout,
  theme: Theme,
  colors: readonly string[],
  layer: number,
  gpu: number,
): void {
  const { x, y } = gpuCorner(model, layout, gpu);
  const ratio = model.gpuRatio[layer * model.view.gpus + gpu] ?? 1;
  const width = layout.gpuWidth - 1;
  // One form of the name for all GPUs: the widest decides.
  const name = pen.textWidth(`GPU ${model.view.gpus - 1} 0.00×`, 10) + 6 <= width ? `GPU ${gpu}` : String(gpu);
  pen.text(name, x, y + 6, { fill: theme.muted, size: 10 });
  const figure = times(ratio);
  const room = pen.textWidth(`${name} ${figure}`, 10) <= width;
  if (room) pen.text(figure, x + width, y + 6, { fill: theme.foreground, size: 10, align: 'right' });
  // The bar's full length is the fullest GPU of all layers, so that bars of different layers can be compared.
  pen.rect(x, y + 13, width, 4, theme.data.lane);
  pen.rect(x, y + 13, Math.max(1, (ratio / model.gpuScale.high) * width), 4, colorFor(colors, model.gpuScale, ratio));
  const even = x + width / model.gpuScale.high;
  pen.rect(Math.round(even), y + 12, 1, 6, theme.foreground);
}

function drawSlot(
  pen: Pen,
  model: PlacementModel,
  layout: LayerLayout,
  colors: readonly string[],
  layer: number,
  slot: number,
): void {
  const { x, y } = slotCorner(model, layout, slot);
  const width = layout.cellWidth - 1;
  const height = layout.cellHeight - 1;
  const at = layer * model.view.slots + slot;
  const fill = colorFor(colors, model.slotScale, model.slotRatio[at] ?? 1);
  const ink = inkOn(fill);
  pen.rect(x, y, width, height, fill);
  const expert = expertAt(model, layer, slot);
  pen.text(String(expert), x + width / 2, y + height / 2, { fill: ink, size: 10, align: 'center' });
  // A small bar in ink says that an expert has more copies than one, without colour.
  if ((model.copies[layer * model.view.experts + expert] ?? 1) > 1) pen.rect(x + 2, y + height - 2, width - 4, 1, ink);
}

/** A corner that says: this expert is here twice. */
function drawDuplicate(pen: Pen, model: PlacementModel, layout: LayerLayout, theme: Theme, slot: number): void {
  const { x, y } = slotCorner(model, layout, slot);
  const right = x + layout.cellWidth - 1;
  pen.area([right - 9, y, right, y, right, y + 9], theme.background);
  pen.area([right - 7, y, right, y, right, y + 7], theme.data.limit);
}

/** Nodes, their GPUs with load, and the expert in every slot of one layer. */
export function drawLayer(pen: Pen, model: PlacementModel, layout: LayerLayout, theme: Theme, layer: number): void {
  const colors = loadColors(theme);
  for (let node = 0; node < model.view.nodes; node += 1) {
    const { x, y } = nodeCorner(layout, node);
    if (!seen(layout, y, layout.nodeHeight)) continue;
    pen.text(`Node ${node}`, x, y + 7, { fill: theme.foreground, size: 11, bold: true });
    const from = node * model.gpusPerNode;
    for (let gpu = from; gpu < Math.min(from + model.gpusPerNode, model.view.gpus); gpu += 1) {
      drawGpu(pen, model, layout, theme, colors, layer, gpu);
      for (let place = 0; place < model.slotsPerGpu; place += 1) {
        drawSlot(pen, model, layout, colors, layer, gpu * model.slotsPerGpu + place);
      }
    }
  }
  for (const at of model.duplicates) {
    if (Math.floor(at / model.view.slots) === layer) drawDuplicate(pen, model, layout, theme, at % model.view.slots);
  }
}

/** Lights all replicas of one expert and dims the rest; the slot itself is framed twice as strong. */
export function drawLit(
  pen: Pen,
  model: PlacementModel,
  layout: LayerLayout,
  theme: Theme,
  layer: number,
  slot: number,
  color: string,
): void {
  const lit = replicasOf(model, layer, expertAt(model, layer, slot));
  if (lit.length === 0) return;
  for (let other = 0; other < model.view.slots; other += 1) {
    if (lit.includes(other)) continue;
    const { x, y } = slotCorner(model, layout, other);
    if (!seen(layout, y, layout.cellHeight)) continue;
    const [width, height] = [layout.cellWidth - 1, layout.cellHeight - 1];
    pen.rect(x, y, width, height, theme.dim);
    // The dimmed ground takes another ink than the bright one.
    const expert = expertAt(model, layer, other);
    if (expert >= 0)
      pen.text(String(expert), x + width / 2, y + height / 2, { fill: theme.foreground, size: 10, align: 'center' });
  }
  for (const other of lit) {
    const { x, y } = slotCorner(model, layout, other);
    const width = other === slot ? 3 : 2;
    pen.frame(x - 0.5, y - 0.5, layout.cellWidth, layout.cellHeight, { color: theme.background, width: width + 3 });
    pen.frame(x - 0.5, y - 0.5, layout.cellWidth, layout.cellHeight, { color, width });
  }
}

/** Frames the slot that an expert comes from and the one it would go to, with a line between them. */
export function drawMove(
  pen: Pen,
  model: PlacementModel,
  layout: LayerLayout,
  theme: Theme,
  from: number,
  to: number,
): void {
  const frame = (slot: number): { readonly x: number; readonly y: number } => {
    const { x, y } = slotCorner(model, layout, slot);
    pen.frame(x - 1.5, y - 1.5, layout.cellWidth + 2, layout.cellHeight + 2, { color: theme.background, width: 4 });
    pen.frame(x - 1.5, y - 1.5, layout.cellWidth + 2, layout.cellHeight + 2, { color: theme.focus, width: 2 });
    return { x: x + layout.cellWidth / 2, y: y + layout.cellHeight / 2 };
  };
  const start = frame(from);
  if (to < 0 || to === from) return;
  const end = frame(to);
  pen.line([start.x, start.y, end.x, end.y], { color: theme.focus, width: 2 });
}

export function layerScene(model: PlacementModel, theme: Theme, layer: number): Scene {
  const width = model.view.gpus > 64 ? 1400 : 960;
  const layout = layerLayout(model, width, 0, 0);
  const height = layerHeight(model, layout) + 16;
  return {
    title: `${model.view.title}, layer ${layerName(model, layer)}`,
    width,
    height,
    draw: (pen) => drawLayer(pen, model, { ...layout, height }, theme, layer),
  };
}
