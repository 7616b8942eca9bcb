import { findModel } from '../../../server/src/dialects/presets';
import { modelFromConfig, specOf } from '../../../server/src/dialects/hf-config/model';
import { checkpoint } from '../../../server/src/engine/model/checkpoint';
import type { CheckpointReport } from '../../../server/src/engine/memory/report';
import type { ModelSpec } from '../../../server/src/engine/model/spec';
import type { QuantizationSpec } from '../../../server/src/engine/spec/numbers';
import type { Planned } from '../../../server/src/plan/plan';
import { resolveQuantization } from '../../../server/src/plan/resolve-model';
import { parseConfig } from '../../../server/src/syntax/parse';
import { sharedJson } from '../../shared';

/** A published checkpoint: its config where it has one of its own, and its known size. */
export interface CheckpointRow {
  readonly model: string;
  readonly config?: object;
  readonly match: boolean | null;
  readonly known_total_elements?: number;
  readonly known_bytes?: number | null;
  readonly formula_elements?: number;
  readonly formula_tensor_bytes?: number;
  readonly by_dtype?: Readonly<Record<string, number>>;
  readonly scale_elements?: number;
  readonly diff_elements?: number;
}

/** Size of a model as stored. Throws where the config says too little. */
export function checkpointOf(model: Planned<ModelSpec>, quantization: Planned<QuantizationSpec>): CheckpointReport {
  const { spec, missing } = specOf(model);
  if (spec === undefined) throw new Error(`unknown: ${missing.join(', ')}`);
  return checkpoint(spec, resolveQuantization(quantization, []));
}

/** Rows without a config are quantized releases of models that ship as presets. */
const PRESET_OF: Readonly<Record<string, string>> = {
  'Kimi-K2 FP8 128x128': 'moonshotai/Kimi-K2-Base',
  'Qwen3-235B-A22B FP8 128x128': 'Qwen/Qwen3-235B-A22B-Instruct-2507-FP8',
  'GLM-4.7-FP8 (compressed-tensors, one scale per output channel)': 'zai-org/GLM-4.7-FP8',
  'gpt-oss-20b MXFP4': 'openai/gpt-oss-20b',
};

/** Size of a row's model by the formulas. */
export function checkpointReport(row: CheckpointRow): CheckpointReport {
  if (row.config !== undefined) {
    const { model, quantization } = modelFromConfig(parseConfig(JSON.stringify(row.config), 'json'));
    return checkpointOf(model, quantization);
  }
  const preset = findModel(PRESET_OF[row.model] ?? row.model);
  if (preset === undefined) throw new Error(`no preset for ${row.model}`);
  return checkpointOf(preset.model, preset.quantization);
}

export function checkpointRows(): CheckpointRow[] {
  return sharedJson<CheckpointRow[]>('truth', 'checkpoints.json');
}
