import type { Column } from './columns';
import type { NoView, SourceLink, ViewFrame, ViewParams } from './common';

/** What the placement panel draws. Slot s of a layer is on GPU floor(s / (slots / gpus)). */
export interface PlacementView extends ViewFrame {
  readonly policy: string;
  readonly policies: readonly string[];
  readonly layers: number;
  /** Model layer of row 0, when the first layers are dense. */
  readonly firstLayer: number;
  readonly experts: number;
  readonly slots: number;
  readonly gpus: number;
  readonly nodes: number;
  readonly groups: number;
  /** True when loads are assumed equal because no file gives them. */
  readonly uniformLoads: boolean;
  readonly columns: {
    readonly physicalToLogical: Column; // i32, layers x slots
    readonly loads: Column; // f64, layers x experts
    readonly gpuLoads: Column; // f64, layers x gpus
  };
  /** mean / max GPU load a layer, and the best any placement could reach. */
  readonly meanOverMax: readonly number[];
  readonly lowerBound: readonly number[];
  readonly links: readonly SourceLink[];
}

export interface PlacementParams extends ViewParams {
  readonly policy?: string;
}

export type PlacementAnswer = PlacementView | NoView;
