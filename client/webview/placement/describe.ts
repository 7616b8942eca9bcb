import { percent, short } from '../kit/format';
import type { TooltipText } from '../kit/tooltip';
import { expertAt, gpuOf, layerName, nodeOf, replicasOf } from './model';
import type { PlacementModel } from './model';

/** `1.08×`: so many times the even share. */
export function times(ratio: number): string {
  return `${ratio.toFixed(2)}×`;
}

/** mean / max of a layer as a figure that lines up. */
export function balanceText(value: number | undefined): string {
  return (value ?? 1).toFixed(3);
}

/** One cell of the heatmap. */
export function describeCell(model: PlacementModel, layer: number, gpu: number): TooltipText {
  const { view } = model;
  const rows: [string, string][] = [
    ['Load', `${times(model.gpuRatio[layer * view.gpus + gpu] ?? 1)} the layer’s mean`],
    ['Balance', `${balanceText(view.meanOverMax[layer])} mean/max`],
    ['Best possible', balanceText(view.lowerBound[layer])],
  ];
  return { title: `Layer ${layerName(model, layer)} · GPU ${gpu}, node ${nodeOf(model, gpu)}`, rows };
}

/** A layer as a whole. */
export function describeLayer(model: PlacementModel, layer: number): TooltipText {
  const { view } = model;
  const row = model.gpuRatio.subarray(layer * view.gpus, (layer + 1) * view.gpus);
  const most = row.reduce((best, value, gpu) => (value > (row[best] ?? -1) ? gpu : best), 0);
  return {
    title: `Layer ${layerName(model, layer)}`,
    rows: [
      ['Balance', `${balanceText(view.meanOverMax[layer])} mean/max`],
      ['Best possible', balanceText(view.lowerBound[layer])],
      ['Fullest', `GPU ${most}, ${times(row[most] ?? 1)} the mean`],
    ],
  };
}

/** Long lists are cut: a tooltip is no table. */
const MOST_PLACES = 10;

/** One slot: the expert in it, its load and all its places. */
export function describeSlot(model: PlacementModel, layer: number, slot: number): TooltipText {
  const { view } = model;
  const expert = expertAt(model, layer, slot);
  const gpu = gpuOf(model, slot);
  const places = replicasOf(model, layer, expert);
  const mean =
    model.loads.subarray(layer * view.experts, (layer + 1) * view.experts).reduce((sum, value) => sum + value, 0) /
    view.experts;
  const load = model.loads[layer * view.experts + expert] ?? 0;
  const names = places.slice(0, MOST_PLACES).map((other) => String(gpuOf(model, other)));
  const twice = places.some((other) => other !== slot && gpuOf(model, other) === gpu);
  return {
    title: `Expert ${expert} · layer ${layerName(model, layer)}`,
    rows: [
      ['Place', `slot ${slot % model.slotsPerGpu} of GPU ${gpu}, node ${nodeOf(model, gpu)}`],
      [
        'Expert load',
        view.uniformLoads
          ? 'taken as equal: no loads are given'
          : `${short(load, 0)}, ${times(mean > 0 ? load / mean : 1)} the mean expert`,
      ],
      ['This replica', `${times(model.slotRatio[layer * view.slots + slot] ?? 1)} the mean slot`],
      ['Replicas', `${places.length}, on GPU ${names.join(', ')}${places.length > MOST_PLACES ? ', …' : ''}`],
    ],
    ...(twice ? { note: 'This GPU holds the expert twice: the second copy balances nothing.' } : {}),
  };
}

/** The first layer where a GPU holds an expert twice, and the place in words. */
export function firstDuplicate(model: PlacementModel): { readonly layer: number; readonly text: string } | undefined {
  const [first] = model.duplicates;
  if (first === undefined) return undefined;
  const layer = Math.floor(first / model.view.slots);
  return { layer, text: `first in layer ${layerName(model, layer)}, GPU ${gpuOf(model, first % model.view.slots)}` };
}

export function meanOf(values: readonly number[]): number {
  return values.length === 0 ? 1 : values.reduce((sum, value) => sum + value, 0) / values.length;
}

export function redundantText(model: PlacementModel): string {
  const { slots, experts } = model.view;
  const spare = slots - experts;
  return spare <= 0 ? 'none redundant' : `${spare} redundant, ${percent(spare / experts)}`;
}
