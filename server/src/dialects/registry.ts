import type { ConfigTree } from '../syntax/tree';
import { strongest } from './detect';
import type { Detection, Dialect } from './dialect';
import { hfConfig } from './hf-config/dialect';
import { placement } from './placement/dialect';
import { llmCompressor } from './llm-compressor/dialect';
import { megatron } from './megatron/dialect';
import { modelopt } from './modelopt/dialect';
import { sglang } from './sglang/dialect';
import { shardlens } from './shardlens/dialect';
import { tensorrtLlm } from './tensorrt-llm/dialect';
import { gptNeox } from './gpt-neox/dialect';
import { bridge } from './megatron-bridge/dialect';
import { nanotron } from './nanotron/dialect';
import { nemo } from './nemo/dialect';
import { nemoAutomodel } from './nemo-automodel/dialect';
import { torchtitan } from './torchtitan/dialect';
import { torchtitanPython } from './torchtitan/python-dialect';
import { vllm } from './vllm/dialect';
import { deepSpeed } from './deepspeed/dialect';
import { nemoRl } from './nemo-rl/dialect';
import { trl } from './trl/dialect';
import { verl } from './verl/dialect';
import { axolotl } from './axolotl/dialect';
import { llamaFactory } from './llama-factory/dialect';
import { accelerate } from './accelerate/dialect';
import { dynamo } from './dynamo/dialect';
import { kubernetes } from './kubernetes/dialect';
import { sglangCookbook } from './sglang-cookbook/dialect';
import { shell } from './shell/dialect';
import { srtSlurm } from './srt-slurm/dialect';

/** Every file format that is read, the most specific first. Adding a framework adds one line here and one folder beside. */
export const dialects: readonly Dialect[] = [
  shardlens,
  placement,
  hfConfig,
  megatron,
  sglang,
  torchtitan,
  torchtitanPython,
  nanotron,
  bridge,
  nemo,
  nemoAutomodel,
  gptNeox,
  vllm,
  tensorrtLlm,
  llmCompressor,
  modelopt,
  deepSpeed,
  nemoRl,
  trl,
  verl,
  axolotl,
  llamaFactory,
  accelerate,
  dynamo,
  kubernetes,
  sglangCookbook,
  srtSlurm,
  shell,
];

/**
 * What a file is, with the evidence: content first, names only in addition. Undefined for files that are not ours.
 * `forced` is a dialect somebody chose for the file; an unknown one is ignored.
 */
export function detectDialect(tree: ConfigTree, fileName: string, forced?: string): Detection | undefined {
  if (forced !== undefined && dialects.some(({ id }) => id === forced))
    return { dialect: forced, confidence: 1, reasons: ['chosen for this file'] };
  return strongest(dialects, tree, fileName);
}
