import type { ModelSpec } from '../../engine/model/spec';
import type { Planned } from '../../plan/plan';
import { byDefault, derived, present } from '../common/sourced';
import type { NamedFamily } from './families';
import type { Fields } from './fields';

type Part = Planned<ModelSpec>;

/** Releases from this one on no longer store rotary buffers (huggingface/transformers 4.32, `persistent=False`). */
const ROTARY_NOT_STORED = [4, 32] as const;

function storedBefore(version: string, [major, minor]: readonly [number, number]): boolean {
  const [own = 0, second = 0] = version.split('.').map((part) => Number.parseInt(part, 10));
  return own < major || (own === major && second < minor);
}

/** Shapes under which Llama 1 and 2 were published, for configs that say no version: hidden, feed-forward width, layers. */
const LLAMA_2 = ['4096/11008/32', '5120/13824/40', '6656/17920/60', '8192/22016/80', '8192/28672/80'] as const;

function rotary(fields: Fields, family: NamedFamily, model: Part, quantized: boolean): Part['storesRotary'] {
  if (family.name !== 'llama' || family.unmodelled !== undefined || quantized) return undefined;
  const version = fields.text('transformers_version');
  if (version !== undefined) {
    return storedBefore(version.value, ROTARY_NOT_STORED)
      ? derived(true, `saved by transformers ${version.value}`, fields.entry('transformers_version'))
      : undefined;
  }
  const shape = `${model.hiddenSize?.value}/${model.intermediateSize?.value}/${model.layers?.value}`;
  return model.vocabSize?.value === 32000 && LLAMA_2.some((known) => known === shape)
    ? byDefault(true, 'the published Llama 2 weights hold it')
    : undefined;
}

/** Base Qwen3 checkpoints (context 32,768) leave the tied head out; the post-trained ones up to 1.7 B hold it. */
const QWEN3_LARGEST_WITH_HEAD = 2048;
const QWEN3_BASE_CONTEXT = 32_768;

function tiedHead(family: NamedFamily, model: Part, quantized: boolean): Part['storesTiedHead'] {
  const small = (model.hiddenSize?.value ?? Infinity) <= QWEN3_LARGEST_WITH_HEAD;
  const trained = model.maxPositions?.value !== QWEN3_BASE_CONTEXT;
  if (family.name !== 'qwen3' || family.unmodelled !== undefined || model.tiedEmbeddings?.value !== true)
    return undefined;
  return small && trained && !quantized ? byDefault(true, 'the published small Qwen3 weights hold it') : undefined;
}

/** What published checkpoints of a family hold beyond the parameters. */
export function storedOddities(fields: Fields, family: NamedFamily, model: Part, quantized: boolean): Part {
  const tables = family.constants?.mtpStoresTables === true && (model.mtpLayers?.value ?? 0) > 0;
  return present<Part>({
    storesRotary: rotary(fields, family, model, quantized),
    storesTiedHead: tiedHead(family, model, quantized),
    mtpStoresTables: tables ? byDefault(true, `MTP layers of ${family.name} repeat embedding and head`) : undefined,
  });
}
