import { findModel, modelNames } from '../presets';

/** Layers of one known model, all of them and those with experts. */
export interface PlacementModel {
  readonly name: string;
  readonly layers: number;
  readonly moeLayers: number;
}

/** Known models with experts, by how their layers count: what a row count alone can tell. */
export function placementModels(): readonly PlacementModel[] {
  return modelNames().flatMap((name) => {
    const model = findModel(name)?.model;
    const flags = model?.moeLayers?.value;
    const layers = model?.layers?.value;
    if (flags === undefined || layers === undefined || !flags.includes(true)) return [];
    return [{ name, layers, moeLayers: flags.filter(Boolean).length }];
  });
}
