import { lowLatencyBytes, lowLatencySeconds } from '../../engine/placement/deep-ep';
import { reachOf, type Reach } from '../../engine/placement/judge';
import type { Loads, Placement } from '../../engine/placement/placement';
import type { RoutedTokens } from '../../engine/placement/router';
import type { Routing } from '../../engine/placement/traffic';
import { chunksPerRank, stageContents, stageLayers, stagesOfRank } from '../../engine/layout/stages';
import { shardLayers, UNSHARDED } from '../../engine/model/shard';
import type { ResolvedPlan } from '../../plan/plan';

/** Weights of one expert in one layer, as the serving quantization stores them; undefined without a model with experts. */
export function expertBytes({ model, quantization }: ResolvedPlan): number | undefined {
  if (model?.experts === undefined || model.experts <= 0) return undefined;
  const bytes = shardLayers(model, UNSHARDED, quantization).oneLayer('moe').experts?.bytes;
  return bytes === undefined || bytes <= 0 ? undefined : bytes / model.experts;
}

/** MoE layers of the model. */
export function moeLayerCount({ model }: ResolvedPlan): number {
  return model?.moeLayers?.filter(Boolean).length ?? model?.layers ?? 0;
}

/** MoE layers on the rank that holds most of them: all of the model's without pipeline stages. */
export function moeLayersOfRank(resolved: ResolvedPlan): number {
  const { model, layout, pipeline, plan } = resolved;
  if (model === undefined || layout === undefined || layout.pipeline <= 1) return moeLayerCount(resolved);
  const kind = plan.task === 'training' ? pipeline.kind : '1f1b';
  const chunks = kind === 'dualpipe' ? 1 : chunksPerRank(kind, layout.virtualPipeline);
  const stages = stageContents(model, stageLayers(model.layers, layout.pipeline, chunks, layout.stageLayers));
  const ofRank = (rank: number): number =>
    stagesOfRank(kind, layout, rank).reduce((sum, stage) => sum + (stages[stage]?.moeLayers ?? 0), 0);
  return Math.max(...Array.from({ length: layout.pipeline }, (_, rank) => ofRank(rank)));
}

/** Bytes on a GPU for one more slot in each MoE layer that it holds. */
export function slotBytes(resolved: ResolvedPlan): number | undefined {
  const one = expertBytes(resolved);
  return one === undefined ? undefined : one * moeLayersOfRank(resolved);
}

/** How the model's router picks experts; undefined where the model does not say. */
export function routingOf({ model }: ResolvedPlan): Routing | undefined {
  if (model?.experts === undefined || model.expertsPerToken === undefined || model.expertsPerToken <= 0)
    return undefined;
  const { experts, expertsPerToken: topK, expertGroups: groups = 1, groupsPerToken } = model;
  return { experts, topK, groups, ...(groupsPerToken === undefined ? {} : { topGroups: groupsPerToken }) };
}

/** Traffic of one MoE layer. */
export interface Traffic extends Reach {
  /** Bytes that one token sends over the network between nodes, and gets back. */
  readonly dispatchBytes: number;
  readonly combineBytes: number;
  /** Seconds of DeepEP's low-latency kernels for 128 tokens a rank on the published hardware, the fullest rank deciding. */
  readonly dispatchSeconds?: number;
  readonly combineSeconds?: number;
}

/** Tokens of a rank in the published measurement, taken as the unit of the times. */
const TOKENS = 128;

/** Where tokens go under a placement, and what that takes; `skew` is the fullest GPU over the mean. Undefined where the router is not known. */
export function trafficOf(
  resolved: ResolvedPlan,
  placement: Placement,
  loads: Loads,
  skew: number,
  tokens?: readonly RoutedTokens[],
): Traffic | undefined {
  const routing = routingOf(resolved);
  const reach = routing === undefined ? undefined : reachOf(placement, loads, routing, tokens);
  const hidden = resolved.model?.hiddenSize;
  if (reach === undefined || routing === undefined || hidden === undefined) return undefined;
  const bytes = lowLatencyBytes(hidden);
  const { gpus, nodes } = placement.shape;
  // Where NVLink joins several nodes, only what leaves its domain is on the network, and the published times are of other hardware.
  const domains = Math.ceil(gpus / Math.max(gpus / nodes, resolved.cluster?.nvlinkDomain ?? 0));
  const joined = domains < nodes && gpus % domains === 0;
  const outside = joined
    ? reachOf({ ...placement, shape: { ...placement.shape, nodes: domains } }, loads, routing, tokens)
    : reach;
  const remote = outside?.remoteNodes ?? reach.remoteNodes;
  const seconds = joined
    ? undefined
    : lowLatencySeconds({ ranks: gpus, tokens: TOKENS, topK: routing.topK, hidden, skew: Math.max(1, skew) });
  return {
    ...reach,
    dispatchBytes: remote * bytes.dispatch,
    combineBytes: remote * bytes.combine,
    ...(seconds === undefined ? {} : { dispatchSeconds: seconds.dispatch, combineSeconds: seconds.combine }),
  };
}
