import type { LayoutSpec } from '../spec/layout';
import type { ModelSpec } from '../model/spec';
import { isMoeLayer } from '../model/spec';
import type { ScheduleKind } from '../spec/training';

/** What one global pipeline stage (one model chunk) holds. */
export interface StageContent {
  /** Global stage, from 0 (embedding) to pipeline × virtualPipeline - 1 (head). */
  readonly stage: number;
  /** First decoder layer and how many follow. */
  readonly firstLayer: number;
  readonly layers: number;
  readonly denseLayers: number;
  readonly moeLayers: number;
  readonly embedding: boolean;
  /** Final norm and output head. */
  readonly head: boolean;
  /** Multi-token-prediction layers; they follow the last decoder layer. */
  readonly mtpLayers: number;
}

/** How a stack spreads layers that the file does not place itself. */
export type StageSplit = 'even' | 'torchtitan';

/**
 * Decoder layers of every global stage.
 *
 * `even` is Megatron's rule (layers / stages); where it does not divide, which Megatron refuses, the remainder goes to the
 * first stages so that an estimate can still be shown. `torchtitan` counts the embedding and the head as one layer each
 * (torchtitan v0.2.2, distributed/pipeline_parallel.py, generate_llm_fqn_per_model_part with weights 1 and 1).
 */
export function stageLayers(
  layers: number,
  pipeline: number,
  virtualPipeline: number,
  overrides?: readonly number[],
  split: StageSplit = 'even',
): readonly number[] {
  const stages = pipeline * virtualPipeline;
  if (overrides !== undefined && overrides.length === stages) return overrides;
  const ends = split === 'torchtitan' && stages > 1 ? 1 : 0;
  const effective = layers + 2 * ends;
  const base = Math.floor(effective / stages);
  const extra = effective % stages;
  return Array.from({ length: stages }, (_, stage) => {
    const own = base + (stage < extra ? 1 : 0);
    const edge = (stage === 0 ? ends : 0) + (stage === stages - 1 ? ends : 0);
    return Math.max(0, own - edge);
  });
}

/** Contents of all global stages, in stage order. */
export function stageContents(model: ModelSpec, counts: readonly number[]): readonly StageContent[] {
  let next = 0;
  return counts.map((layers, stage) => {
    const firstLayer = next;
    next += layers;
    let moeLayers = 0;
    for (let layer = firstLayer; layer < next; layer += 1) if (isMoeLayer(model, layer)) moeLayers += 1;
    const last = stage === counts.length - 1;
    return {
      stage,
      firstLayer,
      layers,
      moeLayers,
      denseLayers: layers - moeLayers,
      embedding: stage === 0,
      head: last,
      mtpLayers: last ? (model.mtpLayers ?? 0) : 0,
    };
  });
}

/** Schedules in which a rank holds stage r and its mirror, so that the last and the first stage share a rank. */
export function isVShaped(kind: ScheduleKind): boolean {
  return kind === 'dualpipev' || kind === 'zb-v' || kind === 'v-half' || kind === 'v-min' || kind === 'zbv-torch';
}

/** Stages that one rank holds under a schedule: chunks of the model a rank must be split into. */
export function chunksPerRank(kind: ScheduleKind, virtualPipeline: number): number {
  return isVShaped(kind) ? 2 : virtualPipeline;
}

/**
 * Global stages on pipeline rank `rank`.
 * DualPipe keeps two whole copies of the model in opposite directions, so rank r has stages r and P-1-r of a P-stage model;
 * V-shaped schedules fold 2P stages, r and 2P-1-r; everything else loops, chunk × P + r.
 */
export function stagesOfRank(
  kind: ScheduleKind,
  layout: Pick<LayoutSpec, 'pipeline' | 'virtualPipeline'>,
  rank: number,
): readonly number[] {
  const p = layout.pipeline;
  if (kind === 'dualpipe' && p > 1) return [rank, p - 1 - rank];
  if (isVShaped(kind)) return [rank, 2 * p - 1 - rank];
  return Array.from({ length: layout.virtualPipeline }, (_, chunk) => chunk * p + rank);
}
