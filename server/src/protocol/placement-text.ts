/** Formats that a placement can be written in, by the framework that reads them. */
export type PlacementTextFormat = 'sglang' | 'trtllm' | 'vllm' | 'vllm-ascend' | 'csv';

/** A placement as it is written: rows of experts by slot. */
export interface PlacementRows {
  readonly rows: readonly ArrayLike<number>[];
  readonly experts: number;
  readonly gpus: number;
  /** Model layer of the first row. */
  readonly firstLayer: number;
  /** All layers of the model; absent: the placed rows are all there are. */
  readonly layers?: number;
}

/** What a format is called, and the name a file of it gets. */
export const PLACEMENT_TEXTS: Readonly<
  Record<PlacementTextFormat, { readonly title: string; readonly extension: string }>
> = {
  sglang: { title: 'SGLang, --init-expert-location', extension: 'json' },
  trtllm: { title: 'TensorRT-LLM, load_balancer', extension: 'yaml' },
  vllm: { title: 'vLLM, offline map', extension: 'json' },
  'vllm-ascend': { title: 'vLLM Ascend, expert map', extension: 'json' },
  csv: { title: 'Table of slots', extension: 'csv' },
};

function list(row: ArrayLike<number>): string {
  return Array.from(row).join(', ');
}

/** JSON with a row a line: diffs of two placements then show the layers that moved. */
function lines(rows: readonly ArrayLike<number>[]): string {
  return rows.map((row) => `    [${list(row)}]`).join(',\n');
}

/**
 * A row for every model layer, because SGLang indexes it by layer id; dense layers get the trivial row that SGLang itself would use.
 * Source: sgl-project/sglang, srt/eplb/expert_location.py, ExpertLocationMetadata.init_by_mapping.
 */
function sglang({ rows, experts, firstLayer, layers }: PlacementRows): string {
  const slots = rows[0]?.length ?? 0;
  const trivial = Array.from({ length: slots }, (_, slot) => slot % Math.max(1, experts));
  const count = Math.max(layers ?? 0, firstLayer + rows.length);
  const all = Array.from({ length: count }, (_, layer) => rows[layer - firstLayer] ?? trivial);
  return `{\n  "physical_to_logical_map": [\n${lines(all)}\n  ]\n}\n`;
}

/** Slots by model layer; no updates, so that the placement stays. Source: NVIDIA/TensorRT-LLM, tensorrt_llm/llmapi, MoeLoadBalancerConfig. */
function trtllm({ rows, firstLayer }: PlacementRows): string {
  const body = rows.map((row, index) => `  ${firstLayer + index}: [${list(row)}]\n`).join('');
  return `initial_global_assignments:\n${body}num_slots: ${rows[0]?.length ?? 0}\nlayer_updates_per_iter: 0\n`;
}

/** The offline map of vLLM's expert balancer, MoE layers only: the shape that its plugins read, version 1. */
function vllm({ rows }: PlacementRows): string {
  const head = '  "version": 1,\n  "format": "vllm_offline_eplb_physical_to_logical",\n';
  return `{\n${head}  "physical_to_logical_map": [\n${lines(rows)}\n  ]\n}\n`;
}

/** Experts by device of every MoE layer. Source: vllm-project/vllm-ascend, vllm_ascend/eplb. */
function ascend({ rows, gpus }: PlacementRows): string {
  const layers = rows.map((row, layer) => {
    const size = row.length / gpus;
    const devices = Array.from({ length: gpus }, (_, device) => {
      const held = Array.from(row).slice(device * size, (device + 1) * size);
      return `      {"device_id": ${device}, "device_expert": [${held.join(', ')}]}`;
    });
    return `    {"layer_id": ${layer}, "device_count": ${gpus}, "device_list": [\n${devices.join(',\n')}\n    ]}`;
  });
  return `{\n  "moe_layer_count": ${rows.length},\n  "layer_list": [\n${layers.join(',\n')}\n  ]\n}\n`;
}

function csv({ rows, gpus, firstLayer }: PlacementRows): string {
  const body = rows.flatMap((row, layer) => {
    const size = row.length / gpus;
    return Array.from(row, (expert, slot) => `${firstLayer + layer},${Math.floor(slot / size)},${slot},${expert}\n`);
  });
  return `layer,gpu,slot,expert\n${body.join('')}`;
}

const WRITERS: Readonly<Record<PlacementTextFormat, (rows: PlacementRows) => string>> = {
  sglang,
  trtllm,
  vllm,
  'vllm-ascend': ascend,
  csv,
};

/** The text of a placement in one of the formats. */
export function placementText(format: PlacementTextFormat, rows: PlacementRows): string {
  return WRITERS[format](rows);
}
