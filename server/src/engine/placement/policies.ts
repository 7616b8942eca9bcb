import { eplb, eplbGlobal } from './eplb';
import { optimizedAffinity } from './affinity';
import { optimizedAnchored } from './anchored';
import { optimized, optimizedGlobal } from './optimized';
import type { Loads, Placement, PlacementOptions, PlacementShape } from './placement';
import type { Demands } from './refusals';
import { optimizedRobust } from './robust';
import { sglangDeepseek, sglangDeepseekHierarchical, sglangElasticityAware, trivial } from './sglang';
import { sglangVec, sglangVecHierarchical } from './sglang-vec';
import { tensorrtLlm } from './tensorrt-llm';
import { vllmAscendDefault } from './vllm-ascend';
import { vllmDefault, vllmLinear, vllmRoundRobin } from './vllm';

interface Policy {
  readonly demands: Demands;
  readonly place: (loads: Loads, shape: PlacementShape, options: PlacementOptions) => Placement;
}

const EPLB = 'deepseek-ai/EPLB, eplb.py';
const SGLANG = 'sgl-project/sglang, srt/eplb/eplb_algorithms';
const OWN = 'Shardlens';
const VLLM = 'vllm-project/vllm, distributed/eplb';

function stepsOf(loads: Loads, { profiles }: PlacementOptions): readonly Loads[] {
  return profiles === undefined || profiles.length === 0 ? [loads] : profiles;
}

/** Every policy: what it demands of the sizes, and how it places. */
export const POLICIES = {
  eplb: { demands: { hierarchy: 'where-groups-divide', source: EPLB }, place: eplb },
  'eplb-global': { demands: { hierarchy: 'never', source: EPLB }, place: eplbGlobal },
  optimized: { demands: { hierarchy: 'never', source: OWN }, place: optimized },
  'optimized-global': { demands: { hierarchy: 'never', source: OWN }, place: optimizedGlobal },
  'optimized-anchored': { demands: { hierarchy: 'always', source: OWN }, place: optimizedAnchored },
  'optimized-robust': {
    demands: { hierarchy: 'never', source: OWN },
    place: (loads, shape, options) => optimizedRobust(stepsOf(loads, options), shape),
  },
  'optimized-affinity': {
    demands: { hierarchy: 'never', source: OWN },
    place: (loads, shape, { traces, keptBalance }) => optimizedAffinity(loads, shape, traces ?? [], keptBalance),
  },
  'sglang-deepseek': { demands: { hierarchy: 'never', source: SGLANG }, place: sglangDeepseek },
  'sglang-deepseek-hierarchical': {
    demands: { hierarchy: 'always', source: SGLANG },
    place: sglangDeepseekHierarchical,
  },
  'sglang-deepseek-vec': {
    demands: { hierarchy: 'never', source: SGLANG },
    place: (loads, shape, options) => sglangVec(stepsOf(loads, options), shape),
  },
  'sglang-deepseek-vec-hierarchical': {
    demands: { hierarchy: 'always', evenChunks: true, source: SGLANG },
    place: (loads, shape, options) => sglangVecHierarchical(stepsOf(loads, options), shape),
  },
  'sglang-elasticity-aware': {
    demands: { hierarchy: 'never', source: SGLANG },
    place: (loads, shape, { alive }) =>
      sglangElasticityAware(loads, shape, alive ?? new Array<boolean>(shape.gpus).fill(true)),
  },
  vllm: { demands: { hierarchy: 'where-groups-divide', lenientNodes: true, source: VLLM }, place: vllmPlace },
  'vllm-linear': { demands: { hierarchy: 'never', noCopies: true, source: VLLM }, place: vllmLinear },
  'vllm-round-robin': { demands: { hierarchy: 'never', noCopies: true, source: VLLM }, place: vllmRoundRobin },
  'vllm-ascend': {
    demands: { hierarchy: 'never', source: 'vllm-project/vllm-ascend, eplb_utils.py' },
    place: vllmAscendDefault,
  },
  'tensorrt-llm': {
    demands: { hierarchy: 'never', source: 'NVIDIA/TensorRT-LLM, moeLoadBalancer.cpp' },
    place: tensorrtLlm,
  },
  trivial: { demands: { hierarchy: 'never', source: SGLANG }, place: trivial },
} as const satisfies Readonly<Record<string, Policy>>;

export type PlacementPolicy = keyof typeof POLICIES;

function vllmPlace(loads: Loads, shape: PlacementShape, { previous }: PlacementOptions): Placement {
  return vllmDefault(loads, shape, previous);
}
