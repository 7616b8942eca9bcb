import type { TableColumn } from '../kit/table';
import { times } from './describe';
import { expertAt, gpuOf, layerName, nodeOf } from './model';
import type { PlacementModel } from './model';

/** Columns of slots; `place` says which layer and slot a row is, so that one layer and all layers share them. */
function columns(
  model: PlacementModel,
  place: (row: number) => readonly [layer: number, slot: number],
  uniform: boolean,
): readonly TableColumn[] {
  const { view } = model;
  const number = (
    title: string,
    value: (layer: number, slot: number) => number,
    text?: (value: number) => string,
  ): TableColumn => ({
    title,
    numeric: true,
    key: (row) => value(...place(row)),
    text: (row) => {
      const found = value(...place(row));
      return text === undefined ? String(found) : text(found);
    },
  });
  const expert = (layer: number, slot: number): number => expertAt(model, layer, slot);
  return [
    number('Layer', (layer) => layerName(model, layer)),
    number('Node', (_, slot) => nodeOf(model, gpuOf(model, slot))),
    number('GPU', (_, slot) => gpuOf(model, slot)),
    number('Slot', (_, slot) => slot),
    number('Expert', expert),
    number('Replicas', (layer, slot) => model.copies[layer * view.experts + expert(layer, slot)] ?? 0),
    ...(uniform
      ? []
      : [
          number(
            'Expert load',
            (layer, slot) => model.loads[layer * view.experts + expert(layer, slot)] ?? 0,
            (value) => value.toFixed(1),
          ),
        ]),
    number('Slot load / mean', (layer, slot) => model.slotRatio[layer * view.slots + slot] ?? 1, times),
    number('GPU load / mean', (layer, slot) => model.gpuRatio[layer * view.gpus + gpuOf(model, slot)] ?? 1, times),
  ];
}

/** The table twin of one layer's map. */
export function layerColumns(model: PlacementModel, layer: number): readonly TableColumn[] {
  return columns(model, (row) => [layer, row], model.view.uniformLoads);
}

/** Every slot of every layer, for the export. */
export function allColumns(model: PlacementModel): readonly TableColumn[] {
  const { slots } = model.view;
  return columns(model, (row) => [Math.floor(row / slots), row % slots], model.view.uniformLoads);
}
