import type { DType, QuantizationOverride, QuantizationSpec } from '../../engine/spec/numbers';
import type { Planned, Sourced } from '../../plan/plan';
import type { Entry } from '../../syntax/tree';
import { placeOf } from '../common/nodes';
import { derived, present } from '../common/sourced';
import { kvScheme } from './compressed-tensors';
import { textsOf, type Fields } from './fields';

type Part = Planned<QuantizationSpec>;

interface Algorithm {
  readonly method: QuantizationSpec['method'];
  /** One input scale a Linear is stored. */
  readonly staticActivations?: boolean;
}

/** `quant_algo` words of NVIDIA ModelOpt. Source: NVIDIA/Model-Optimizer modelopt/torch/export/quant_utils.py; vLLM layers/quantization/modelopt.py. */
const ALGORITHMS: Readonly<Record<string, Algorithm>> = {
  FP8: { method: 'fp8-tensor', staticActivations: true },
  FP8_PER_CHANNEL_PER_TOKEN: { method: 'fp8-channel' },
  FP8_PB_WO: { method: 'fp8-block' },
  FP8_PB_REAL: { method: 'fp8-block' },
  FP8_BLOCK_SCALES: { method: 'fp8-block' },
  NVFP4: { method: 'nvfp4', staticActivations: true },
  NVFP4_AWQ: { method: 'nvfp4', staticActivations: true },
  W4A16_NVFP4: { method: 'nvfp4' },
  W4A8_NVFP4_FP8: { method: 'nvfp4', staticActivations: true },
  MXFP8: { method: 'mxfp8' },
  MXFP4: { method: 'mxfp4' },
  W4A8_MXFP4_FP8: { method: 'mxfp4', staticActivations: true },
  W4A16_AWQ: { method: 'int4-group' },
  INT4_AWQ: { method: 'int4-group' },
  W4A8_AWQ: { method: 'int4-group', staticActivations: true },
  W8A8_SQ_PER_CHANNEL: { method: 'int8', staticActivations: true },
};

interface MixedLayer {
  readonly algorithm: string;
  readonly modules: string[];
}

/** `quantized_layers` of a mixed-precision export, gathered by algorithm, the largest group first. */
function mixed(fields: Fields): MixedLayer[] {
  const layers = fields.inner('quantized_layers');
  const byName = new Map<string, string[]>();
  for (const { key } of layers?.map.entries ?? []) {
    const algorithm = layers?.inner(key)?.text('quant_algo')?.value;
    if (algorithm === undefined) continue;
    const modules = byName.get(algorithm) ?? [];
    modules.push(key);
    byName.set(algorithm, modules);
  }
  return [...byName]
    .map(([algorithm, modules]) => ({ algorithm, modules }))
    .sort((a, b) => b.modules.length - a.modules.length);
}

function mixedPart(fields: Fields, entry: Entry): Part {
  const groups = mixed(fields).filter(({ algorithm }) => ALGORITHMS[algorithm] !== undefined);
  const [main, ...rest] = groups;
  const algorithm = main === undefined ? undefined : ALGORITHMS[main.algorithm];
  if (main === undefined || algorithm === undefined) return {};
  const overrides = rest.flatMap(({ algorithm: name, modules }): QuantizationOverride[] => {
    const method = ALGORITHMS[name]?.method;
    return method === undefined ? [] : [{ modules, method }];
  });
  const at = fields.entry('quantized_layers') ?? entry;
  return present<Part>({
    method: derived(algorithm.method, `mixed precision, mostly ${main.algorithm}`, at),
    included: derived<readonly string[]>(main.modules, 'modules listed as quantized', at),
    overrides:
      overrides.length === 0
        ? undefined
        : derived<readonly QuantizationOverride[]>(overrides, 'modules in another format', at),
  });
}

function excludedOf(fields: Fields): Sourced<readonly string[]> | undefined {
  const found = fields.list('exclude_modules', 'ignore', 'modules_to_not_convert');
  const words = found === undefined ? undefined : textsOf(found.node);
  return found === undefined || words === undefined || words.length === 0
    ? undefined
    : { value: words, origin: 'file', at: placeOf(found.entry), label: found.entry.key };
}

function kvOf(fields: Fields): Sourced<DType> | undefined {
  const word = fields.text('kv_cache_quant_algo');
  const entry = fields.entry('kv_cache_quant_algo');
  if (word?.value === 'FP8' && entry !== undefined)
    return derived<DType>('F8_E4M3', 'the checkpoint brings KV scales', entry);
  if (word?.value === 'NVFP4' && entry !== undefined)
    return derived<DType>('F4_E2M1', 'the checkpoint brings KV scales', entry);
  return kvScheme(fields);
}

/** Reads ModelOpt's `quant_algo` form, in `quantization_config` or in `hf_quant_config.json`. */
export function readModelOpt(fields: Fields, entry: Entry): { quantization: Part; kvDType?: Sourced<DType> } {
  const word = fields.text('quant_algo');
  const at = fields.entry('quant_algo') ?? entry;
  const kvDType = kvOf(fields);
  const kv = kvDType === undefined ? {} : { kvDType };
  const excluded = excludedOf(fields);
  if (word?.value === 'MIXED_PRECISION')
    return { quantization: { ...mixedPart(fields, at), ...present<Part>({ excluded }) }, ...kv };
  const algorithm = word === undefined ? undefined : ALGORITHMS[word.value];
  if (word === undefined || algorithm === undefined) return { quantization: {}, ...kv };
  const size = fields.size(['group_size']);
  return {
    quantization: present<Part>({
      method: derived(algorithm.method, word.value, at),
      groupSize: algorithm.method === 'nvfp4' || algorithm.method === 'int4-group' ? size : undefined,
      staticActivations:
        algorithm.staticActivations === true ? derived(true, `${word.value} stores input scales`, at) : undefined,
      excluded,
    }),
    ...kv,
  };
}
