import type { PlacementModel } from './model';

/** Where the nodes, GPUs and slots of one layer stand; everything follows from a few sizes, so nothing is stored a slot. */
export interface LayerLayout {
  readonly width: number;
  readonly height: number;
  readonly scroll: number;
  /** Columns of slots in a GPU. */
  readonly columns: number;
  readonly cellWidth: number;
  readonly cellHeight: number;
  readonly gpuWidth: number;
  readonly gpuHeight: number;
  readonly gpusPerLine: number;
  readonly nodeWidth: number;
  readonly nodeHeight: number;
  readonly nodesPerLine: number;
}

export const NODE_HEAD = 18;
export const GPU_HEAD = 20;
const GPU_GAP = 6;
const NODE_GAP = 16;
const CELL_MIN = 25;
const CELL_MAX = 40;
const CELL_HEIGHT = 17;
const CELL_HEIGHT_MAX = 26;
const TOP = 4;
/** Room for a frame around what stands at the edge. */
const EDGE = 5;

/** Columns that make a GPU about as wide as high, but never so many that its node breaks into lines. */
function columnsOf(slots: number, gpus: number, width: number): number {
  const wanted = Math.ceil(Math.sqrt(slots * 1.2));
  const fitting = Math.floor((width / gpus - GPU_GAP) / CELL_MIN);
  return Math.max(1, Math.min(slots, wanted, Math.max(1, fitting)));
}

/** A layout for this window: nodes flow in lines; a node that is wider than the window breaks its GPUs into lines. */
export function layerLayout(model: PlacementModel, width: number, height: number, scroll: number): LayerLayout {
  const flat = layoutWith(model, width, height, scroll, CELL_HEIGHT);
  const spare = height - layerHeight(model, flat);
  if (spare <= 0) {
    // Many nodes: narrow cells save scrolling where they bring more nodes into a line.
    const narrow = layoutWith(model, width, height, scroll, CELL_HEIGHT, CELL_MIN);
    return narrow.nodesPerLine > flat.nodesPerLine ? narrow : flat;
  }
  // What a few GPUs leave free makes their cells higher, up to a comfortable size.
  const lines = Math.ceil(model.view.nodes / flat.nodesPerLine) * Math.ceil(model.gpusPerNode / flat.gpusPerLine);
  const rows = lines * Math.ceil(model.slotsPerGpu / flat.columns);
  const cell = Math.min(CELL_HEIGHT_MAX, CELL_HEIGHT + Math.floor(spare / rows));
  return layoutWith(model, width, height, scroll, cell);
}

function layoutWith(
  model: PlacementModel,
  outer: number,
  height: number,
  scroll: number,
  cellHeight: number,
  widest = CELL_MAX,
): LayerLayout {
  const width = outer - 2 * EDGE;
  const { slotsPerGpu, gpusPerNode, view } = model;
  const columns = columnsOf(slotsPerGpu, gpusPerNode, width);
  const room = (width / gpusPerNode - GPU_GAP) / columns;
  const cellWidth = Math.floor(Math.max(CELL_MIN, Math.min(widest, room)));
  const gpuWidth = columns * cellWidth;
  const gpuHeight = GPU_HEAD + Math.ceil(slotsPerGpu / columns) * cellHeight;
  const gpusPerLine = Math.max(1, Math.min(gpusPerNode, Math.floor((width + GPU_GAP) / (gpuWidth + GPU_GAP))));
  const lines = Math.ceil(gpusPerNode / gpusPerLine);
  const nodeWidth = gpusPerLine * (gpuWidth + GPU_GAP) - GPU_GAP;
  return {
    width,
    height,
    scroll,
    columns,
    cellWidth,
    cellHeight,
    gpuWidth,
    gpuHeight,
    gpusPerLine,
    nodeWidth,
    nodeHeight: NODE_HEAD + lines * (gpuHeight + GPU_GAP) - GPU_GAP,
    nodesPerLine: Math.max(1, Math.min(view.nodes, Math.floor((width + NODE_GAP) / (nodeWidth + NODE_GAP)))),
  };
}

export function layerHeight(model: PlacementModel, layout: LayerLayout): number {
  const lines = Math.ceil(model.view.nodes / layout.nodesPerLine);
  return TOP + lines * (layout.nodeHeight + NODE_GAP);
}

export interface Corner {
  readonly x: number;
  readonly y: number;
}

export function nodeCorner(layout: LayerLayout, node: number): Corner {
  return {
    x: EDGE + (node % layout.nodesPerLine) * (layout.nodeWidth + NODE_GAP),
    y: TOP + Math.floor(node / layout.nodesPerLine) * (layout.nodeHeight + NODE_GAP) - layout.scroll,
  };
}

export function gpuCorner(model: PlacementModel, layout: LayerLayout, gpu: number): Corner {
  const node = nodeCorner(layout, Math.floor(gpu / model.gpusPerNode));
  const inside = gpu % model.gpusPerNode;
  return {
    x: node.x + (inside % layout.gpusPerLine) * (layout.gpuWidth + GPU_GAP),
    y: node.y + NODE_HEAD + Math.floor(inside / layout.gpusPerLine) * (layout.gpuHeight + GPU_GAP),
  };
}

export function slotCorner(model: PlacementModel, layout: LayerLayout, slot: number): Corner {
  const gpu = gpuCorner(model, layout, Math.floor(slot / model.slotsPerGpu));
  const inside = slot % model.slotsPerGpu;
  return {
    x: gpu.x + (inside % layout.columns) * layout.cellWidth,
    y: gpu.y + GPU_HEAD + Math.floor(inside / layout.columns) * layout.cellHeight,
  };
}

/** Slot under a point, or -1. */
export function slotAt(model: PlacementModel, layout: LayerLayout, x: number, y: number): number {
  const line = Math.floor((y - TOP + layout.scroll) / (layout.nodeHeight + NODE_GAP));
  const column = Math.floor((x - EDGE) / (layout.nodeWidth + NODE_GAP));
  const node = line * layout.nodesPerLine + column;
  if (line < 0 || column < 0 || column >= layout.nodesPerLine || node >= model.view.nodes) return -1;
  const corner = nodeCorner(layout, node);
  const gpuColumn = Math.floor((x - corner.x) / (layout.gpuWidth + GPU_GAP));
  const gpuLine = Math.floor((y - corner.y - NODE_HEAD) / (layout.gpuHeight + GPU_GAP));
  const inside = gpuLine * layout.gpusPerLine + gpuColumn;
  if (gpuColumn < 0 || gpuColumn >= layout.gpusPerLine || gpuLine < 0 || inside >= model.gpusPerNode) return -1;
  const gpu = node * model.gpusPerNode + inside;
  const start = gpuCorner(model, layout, gpu);
  const cellColumn = Math.floor((x - start.x) / layout.cellWidth);
  const cellLine = Math.floor((y - start.y - GPU_HEAD) / layout.cellHeight);
  const place = cellLine * layout.columns + cellColumn;
  const hit = cellColumn >= 0 && cellColumn < layout.columns && cellLine >= 0 && place < model.slotsPerGpu;
  return hit ? gpu * model.slotsPerGpu + place : -1;
}
