import type { Finding } from '../../plan/finding';
import type { ResolvedPlan } from '../../plan/plan';
import { replaceFix } from '../common/findings';
import { closest } from '../common/spelling';
import { placeIn, type Source } from '../deepspeed/source';
import { accelerateFile } from './framework';

/** Decoder layer classes of transformers by family. */
const CLASSES: Readonly<Record<string, string>> = {
  llama: 'LlamaDecoderLayer',
  llama4: 'Llama4TextDecoderLayer',
  mistral: 'MistralDecoderLayer',
  mixtral: 'MixtralDecoderLayer',
  qwen2: 'Qwen2DecoderLayer',
  qwen2_moe: 'Qwen2MoeDecoderLayer',
  qwen3: 'Qwen3DecoderLayer',
  qwen3_moe: 'Qwen3MoeDecoderLayer',
  qwen3_next: 'Qwen3NextDecoderLayer',
  qwen3_5: 'Qwen3_5DecoderLayer',
  qwen3_5_moe: 'Qwen3_5MoeDecoderLayer',
  gemma: 'GemmaDecoderLayer',
  gemma2: 'Gemma2DecoderLayer',
  gemma3: 'Gemma3DecoderLayer',
  phi: 'PhiDecoderLayer',
  phi3: 'Phi3DecoderLayer',
  deepseek_v2: 'DeepseekV2DecoderLayer',
  deepseek_v3: 'DeepseekV3DecoderLayer',
  gpt_oss: 'GptOssDecoderLayer',
  glm4: 'Glm4DecoderLayer',
  glm4_moe: 'Glm4MoeDecoderLayer',
  glm4_moe_lite: 'Glm4MoeLiteDecoderLayer',
  olmo2: 'Olmo2DecoderLayer',
  olmoe: 'OlmoeDecoderLayer',
  granite: 'GraniteDecoderLayer',
  cohere: 'CohereDecoderLayer',
  starcoder2: 'Starcoder2DecoderLayer',
  stablelm: 'StableLmDecoderLayer',
  seed_oss: 'SeedOssDecoderLayer',
  minimax_m2: 'MiniMaxM2DecoderLayer',
  falcon: 'FalconDecoderLayer',
  gpt2: 'GPT2Block',
  gpt_neox: 'GPTNeoXLayer',
  opt: 'OPTDecoderLayer',
  bloom: 'BloomBlock',
  dbrx: 'DbrxBlock',
};

const SOURCE = accelerateFile(
  'src/accelerate/utils/dataclasses.py',
  'FullyShardedDataParallelPlugin.set_auto_wrap_policy',
);

/** Classes that FSDP is to wrap against those of the model: one that the model lacks stops the launch. */
export function layerClassFindings(source: Source, keys: readonly string[], resolved: ResolvedPlan): Finding[] {
  const key = keys.find((name) => source.entry(name) !== undefined);
  const at = key === undefined ? undefined : placeIn(source, key);
  if (key === undefined || at === undefined || at.uri !== undefined || source.unknown(key)) return [];
  const words = source.words(key) ?? [];
  const known = Object.values(CLASSES);
  const own = CLASSES[resolved.model?.family ?? ''];
  return words.flatMap((word): Finding[] => {
    const rule = { rule: 'layer-class-unknown', severity: 'warning' as const, at, source: SOURCE };
    const only = words.length === 1;
    if (own !== undefined && known.includes(word) && word !== own)
      return [
        {
          ...rule,
          message: `The model has no ${word}: its layers are of class ${own}, and FSDP stops on a class that it cannot find.`,
          ...(only ? { fixes: [replaceFix(`Change to ${own}`, at.span, own)] } : {}),
        },
      ];
    const meant = known.includes(word) ? undefined : closest(word, known);
    // Near classes of newer releases differ by a digit, and that is no slip.
    if (meant === undefined || word.replaceAll(/\d/g, '') === meant.replaceAll(/\d/g, '')) return [];
    return [
      {
        ...rule,
        message: `No model of transformers has a class ${word}; did you mean ${meant}?`,
        ...(only ? { fixes: [replaceFix(`Change to ${meant}`, at.span, meant)] } : {}),
      },
    ];
  });
}
