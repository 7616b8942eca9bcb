import { readFileSync } from 'node:fs';
import { modelFromConfig, specOf } from '../../../server/src/dialects/hf-config/model';
import { findModel } from '../../../server/src/dialects/presets';
import type { ModelSpec } from '../../../server/src/engine/model/spec';
import type { Planned } from '../../../server/src/plan/plan';
import { parseConfig } from '../../../server/src/syntax/parse';
import { sharedPath } from '../../shared';

function specified(model: Planned<ModelSpec>, name: string): ModelSpec {
  const { spec, missing } = specOf(model);
  if (spec === undefined) throw new Error(`${name} lacks ${missing.join(', ')}`);
  return { ...spec, name };
}

/** The full spec of a model that ships as a preset. */
export function presetSpec(name: string): ModelSpec {
  const preset = findModel(name);
  if (preset === undefined) throw new Error(`${name} is no preset`);
  return specified(preset.model, name);
}

/** The spec of a `config.json` below the shared folder; undefined where it is not there. */
export function sharedSpec(name: string, ...parts: string[]): ModelSpec | undefined {
  const path = sharedPath(...parts);
  if (path === undefined) return undefined;
  const [root] = parseConfig(readFileSync(path, 'utf8'), 'json').documents;
  if (root === undefined) throw new Error(`${path} is empty`);
  return specified(modelFromConfig(root).model, name);
}

const CONFIGS = ['corpus', 'inference', 'hf-config'];

/** Models as tables of measured throughput spell them; a file name is a config below the shared corpus. */
const NAMES: readonly [RegExp, string][] = [
  [/^DeepSeek[- ]?V3/i, 'deepseek-ai/DeepSeek-V3'],
  [/^Kimi_K2/, 'moonshotai/Kimi-K2-Base'],
  [/^GPT[ -]OSS[ -]120B/i, 'openai/gpt-oss-120b'],
  [/^GPT[ -]OSS[ -]20B/i, 'openai/gpt-oss-20b'],
  [/^LLAMA ?3\.1[ _]405B/i, 'meta-llama/Llama-3.1-405B'],
  [/^LLAMA ?3(?:\.1)?[ _]70B/i, 'meta-llama/Llama-3.1-70B'],
  [/^LLAMA ?3(?:\.1)?[ _]8B/i, 'meta-llama/Llama-3.1-8B'],
  [/^Qwen3[ _]235B/i, 'Qwen/Qwen3-235B-A22B'],
  [/^Qwen3[ _-](?:MoE )?30B/i, 'Qwen/Qwen3-30B-A3B'],
  [/^Qwen3 8B/i, 'Qwen/Qwen3-8B'],
  [/^Qwen3-14B/i, 'Qwen/Qwen3-14B'],
  [/^Qwen2\.5 7B/i, 'Qwen/Qwen2.5-7B'],
  [/^Nemotron[_ ](?:V)?3[_ ]Nano|^Nemotron V3 Nano/i, 'nvidia--NVIDIA-Nemotron-3-Nano-30B-A3B-BF16_config.json'],
  [/^Nemotron[_ ]3[_ ]Super/i, 'nvidia--NVIDIA-Nemotron-3-Super-120B-A12B-FP8_config.json'],
  [/^Nemotron[_ ](?:V)?3[_ ]Ultra/i, 'nvidia--NVIDIA-Nemotron-3-Ultra-550B-A55B-BF16_config.json'],
  [/^Nemotron[_ ]3[_.]5[_ ]Lightning/i, 'nvidia--NVIDIA-Nemotron-3.5-Lightning-30B-A3B-NVFP4_config.json'],
];

/** The model of a measured row, or why it is not known. */
export function bridgeModel(name: string): ModelSpec | string {
  const found = NAMES.find(([pattern]) => pattern.test(name))?.[1];
  if (found === undefined) return `the shape of ${name} is not known`;
  const spec = found.endsWith('.json') ? sharedSpec(name, ...CONFIGS, found) : presetSpec(found);
  if (spec === undefined) return `${found} is not there`;
  // A table that says so trains without the multi-token-prediction layer.
  return /w\/o MTP/.test(name) ? { ...spec, mtpLayers: 0 } : spec;
}
