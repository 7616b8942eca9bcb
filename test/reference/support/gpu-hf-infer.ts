import type { ServingInput } from '../../../server/src/engine/memory/input';
import { specOf, modelFromConfig } from '../../../server/src/dialects/hf-config/model';
import { parseConfig } from '../../../server/src/syntax/parse';
import { sharedJson } from '../../shared';
import { layoutOf } from './memory-input';

interface Phase {
  readonly before: number;
  readonly after: number;
  readonly peak: number;
}

/** One inference process of transformers measured on an H100. */
export interface HfInferRow {
  readonly id: string;
  readonly ok: boolean;
  readonly spec: {
    readonly model: string;
    readonly batch: number;
    readonly prompt: number;
    readonly cache: string;
    readonly full_logits?: boolean;
    readonly max_cache_len?: number;
  };
  readonly config: Readonly<Record<string, unknown>>;
  readonly params: { readonly bytes_local: number };
  readonly cache_bytes: number;
  readonly phases: Readonly<Record<string, Phase>>;
  readonly final: { readonly reserved_peak: number };
  readonly peak_steady: number;
}

export function hfInferRows(): HfInferRow[] {
  const file = sharedJson<HfInferRow[] | { rows: HfInferRow[] }>('truth', 'gpu-hf_infer.json');
  return Array.isArray(file) ? file : file.rows;
}

/** `model_type` of the families that the rows run; their configs as recorded leave it out. */
function typeOf(name: string): string {
  if (name.startsWith('deepseek')) return 'deepseek_v3';
  if (name.startsWith('qwen3')) return /a\d+b/.test(name) ? 'qwen3_moe' : 'qwen3';
  if (name.startsWith('mixtral')) return 'mixtral';
  if (name.startsWith('gemma-2')) return 'gemma2';
  return 'llama';
}

/** The process of a row: the model from its recorded config, one forward over its prompt. */
export function hfInferInput(row: HfInferRow): ServingInput {
  const { batch, prompt, model: name } = row.spec;
  const config = { ...row.config, model_type: typeOf(name) };
  const { spec } = specOf(modelFromConfig(parseConfig(JSON.stringify(config), 'json')).model);
  if (spec === undefined) throw new Error(`${row.id}: the config is not understood`);
  return {
    model: spec,
    layout: layoutOf({}),
    quantization: { method: 'none', baseDType: 'BF16' },
    serving: {
      stack: 'generic',
      kvDType: 'BF16',
      kvLayout: 'plain',
      pageSize: 1,
      prompt: {
        sequences: batch,
        tokens: prompt,
        allLogits: row.spec.full_logits === true,
        ...(row.spec.max_cache_len === undefined ? {} : { cacheTokens: row.spec.max_cache_len }),
      },
    },
  };
}
