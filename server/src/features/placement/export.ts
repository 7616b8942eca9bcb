import { balance, logicalToPhysical } from '../../engine/placement/place';
import type { Loads, Placement } from '../../engine/placement/placement';

/** The `place` document of the command line (a stable interface). */
export interface PlacementJson {
  readonly policy: string;
  readonly layers: number;
  /** [layer][slot] -> expert. */
  readonly physicalToLogical: readonly (readonly number[])[];
  /** [layer][expert] -> slots, ascending. */
  readonly logicalToPhysical: readonly (readonly (readonly number[])[])[];
  readonly replicaCounts: readonly (readonly number[])[];
  /** [layer][gpu], in the unit of the loads. */
  readonly gpuLoads: readonly (readonly number[])[];
  readonly balance: { readonly meanOverMax: readonly number[]; readonly lowerBound: readonly number[] };
}

export function placementJson(placement: Placement, loads: Loads): PlacementJson {
  const { gpuLoads, meanOverMax, lowerBound } = balance(placement, loads);
  return {
    policy: placement.policy,
    layers: placement.physicalToLogical.length,
    physicalToLogical: placement.physicalToLogical.map((row) => [...row]),
    logicalToPhysical: logicalToPhysical(placement),
    replicaCounts: placement.replicaCounts.map((row) => [...row]),
    gpuLoads: gpuLoads.map((row) => [...row]),
    balance: { meanOverMax, lowerBound },
  };
}

/** Which rows of a model the placement covers; the rest are dense layers. */
export interface ModelRows {
  /** Model layer of the first placed row. */
  readonly firstLayer: number;
  /** All layers of the model; absent: the placed rows are all there are. */
  readonly layers?: number;
}

/** JSON with a row a line: diffs of two placements then show the layers that moved. */
function rowsText(rows: readonly ArrayLike<number>[]): string {
  return rows.map((row) => `    [${Array.from(row).join(', ')}]`).join(',\n');
}

/**
 * `--init-expert-location` of SGLang: a row for every model layer, because SGLang indexes it by layer id; dense layers get the
 * trivial row that SGLang itself would use.
 * Source: sgl-project/sglang, srt/eplb/expert_location.py, ExpertLocationMetadata.init_by_mapping.
 */
export function sglangPlacement({ physicalToLogical, shape }: Placement, rows: ModelRows): string {
  const trivial = Int32Array.from({ length: shape.slots }, (_, slot) => slot % shape.experts);
  const layers = Math.max(rows.layers ?? 0, rows.firstLayer + physicalToLogical.length);
  const all = Array.from({ length: layers }, (_, layer) => physicalToLogical[layer - rows.firstLayer] ?? trivial);
  return `{\n  "physical_to_logical_map": [\n${rowsText(all)}\n  ]\n}\n`;
}

/**
 * The file behind TensorRT-LLM's `moe_config.load_balancer`: slots by model layer; no updates, so that the placement stays.
 * Source: NVIDIA/TensorRT-LLM, tensorrt_llm/llmapi, MoeLoadBalancerConfig.
 */
export function trtllmPlacement({ physicalToLogical, shape }: Placement, { firstLayer }: ModelRows): string {
  const lines = physicalToLogical.map((row, index) => `  ${firstLayer + index}: [${Array.from(row).join(', ')}]\n`);
  return `initial_global_assignments:\n${lines.join('')}num_slots: ${shape.slots}\nlayer_updates_per_iter: 0\n`;
}

/**
 * The offline map of vLLM's expert balancer, MoE layers only. vLLM's main line reads no placement from a file yet; this is the
 * shape of its plugins (`vllm_offline_eplb_physical_to_logical`, version 1).
 */
export function vllmPlacement({ physicalToLogical }: Placement): string {
  const head = '  "version": 1,\n  "format": "vllm_offline_eplb_physical_to_logical",\n';
  return `{\n${head}  "physical_to_logical_map": [\n${rowsText(physicalToLogical)}\n  ]\n}\n`;
}
