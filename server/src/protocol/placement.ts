import type { Column } from './columns';
import type { NoView, SourceLink, ViewFrame, ViewParams, ViewRange } from './common';

/** How even a placement is, in the words of each framework. */
export interface PlacementEvenness {
  /** Mean over layers of mean / max. */
  readonly mean: number;
  readonly worst: number;
  /** SGLang: mean over layers of (mean + 1e-5) / (max + 1e-5). */
  readonly sglang: number;
  /** vLLM: sum of means over sum of maxima. */
  readonly vllm: number;
  /** TensorRT-LLM: mean over layers of (max - mean) / mean. */
  readonly tensorrtLlm: number;
}

/** Where a token goes in one MoE layer, and what that takes. */
export interface PlacementTraffic {
  readonly nodes: number;
  readonly remoteNodes: number;
  readonly gpus: number;
  readonly dispatchBytes: number;
  readonly combineBytes: number;
  readonly dispatchSeconds?: number;
  readonly combineSeconds?: number;
}

/** One placement beside others of the same sizes. */
export interface PlacementCandidate {
  readonly policy: string;
  /** Why it cannot be made, in place of all figures. */
  readonly refusal?: string;
  readonly evenness?: PlacementEvenness;
  /** mean / max under SGLang's static dispatch, and under the best split over the copies. */
  readonly fixed?: number;
  readonly lp?: number;
  readonly traffic?: PlacementTraffic;
  readonly duplicates?: number;
  /** Against the placement in view: slots with new weights, their bytes, and the seconds of the busiest GPU. */
  readonly movedSlots?: number;
  readonly movedBytes?: number;
  readonly movedSeconds?: number;
  /** mean / max of every layer. */
  readonly meanOverMax?: readonly number[];
}

/** What the placement panel draws. Slot s of a layer is on GPU floor(s / (slots / gpus)). */
export interface PlacementView extends ViewFrame {
  readonly policy: string;
  readonly policies: readonly string[];
  readonly layers: number;
  /** Model layer of row 0, when the first layers are dense. */
  readonly firstLayer: number;
  /** All layers of the model, where it is known. */
  readonly modelLayers?: number;
  readonly experts: number;
  readonly slots: number;
  readonly gpus: number;
  readonly nodes: number;
  readonly groups: number;
  /** True when loads are assumed equal because no file gives them. */
  readonly uniformLoads: boolean;
  /** File of the loads. */
  readonly loadsName?: string;
  /** Things that happened and nobody asked for. */
  readonly notes?: readonly string[];
  readonly columns: {
    readonly physicalToLogical: Column; // i32, layers x slots
    readonly loads: Column; // f64, layers x experts
    readonly gpuLoads: Column; // f64, layers x gpus
  };
  /** mean / max GPU load a layer, and the best any placement could reach. */
  readonly meanOverMax: readonly number[];
  readonly lowerBound: readonly number[];
  readonly evenness?: PlacementEvenness;
  readonly fixed?: number;
  readonly lp?: number;
  /** The dispatch that the config asks for. */
  readonly dispatch?: 'static' | 'dynamic' | 'lp';
  readonly traffic?: PlacementTraffic;
  /** Weights of one expert in one layer. */
  readonly expertBytes?: number;
  /** MoE layers on the rank that holds most of them; a pipeline gives a rank only its stages'. */
  readonly slotLayers?: number;
  /** The file whose text holds this placement; changes are made there. */
  readonly mapUri?: string;
  /** Present when asked for: other placements of the same sizes. */
  readonly compare?: readonly PlacementCandidate[];
  readonly links: readonly SourceLink[];
}

export interface PlacementParams extends ViewParams {
  readonly policy?: string;
  /** What-if sizes over those of the file. */
  readonly redundant?: number;
  readonly gpus?: number;
  readonly nodes?: number;
  readonly compare?: boolean;
}

export type PlacementAnswer = PlacementView | NoView;

/** What the placement panel may ask in place of the file's. */
export type PlacementRequest = Omit<PlacementParams, 'uri'>;

/** One slot of the placement in view gets another expert. */
export interface SlotChange {
  readonly row: number;
  readonly slot: number;
  readonly expert: number;
}

export interface PlacementEditParams extends ViewParams {
  readonly changes: readonly SlotChange[];
}

/** The same change in the text of the file that holds the placement; empty where it is not in a text. */
export interface PlacementEditAnswer {
  readonly uri?: string;
  readonly edits: readonly { readonly range: ViewRange; readonly newText: string }[];
}

export interface PlacementTextParams extends PlacementParams {
  readonly format: string;
}

export type PlacementTextAnswer = { readonly text: string; readonly fileName: string } | NoView;
