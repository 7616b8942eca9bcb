import type { DType, QuantizationSpec } from '../../engine/spec/numbers';
import type { Planned, Sourced } from '../../plan/plan';
import type { Entry } from '../../syntax/tree';
import { dtypeOf } from '../common/dtypes';
import { placeOf } from '../common/nodes';
import { byDefault, derived, present } from '../common/sourced';
import { readCompressedTensors } from './compressed-tensors';
import { integersOf, textsOf, type Fields } from './fields';
import type { Notes } from './findings';
import { readModelOpt } from './modelopt';
import { quantizationFindings } from './quantization-rules';

/** What one config says about stored formats. */
export interface QuantizationReading {
  readonly quantization: Planned<QuantizationSpec>;
  /** Format of the KV cache that the checkpoint asks for: engines follow it without a flag. */
  readonly kvDType?: Sourced<DType>;
}

type Part = Planned<QuantizationSpec>;

function patterns(fields: Fields, ...keys: string[]): Sourced<readonly string[]> | undefined {
  const found = fields.list(...keys);
  const words = found === undefined ? undefined : textsOf(found.node);
  return found === undefined || words === undefined || words.length === 0
    ? undefined
    : { value: words, origin: 'file', at: placeOf(found.entry), label: found.entry.key };
}

/** Two positive whole numbers, rows then columns. */
function blockSize(
  fields: Fields,
  notes: Notes,
): { readonly rows: Sourced<number>; readonly columns: Sourced<number> } | undefined {
  const entry = fields.entry('weight_block_size');
  if (entry === undefined) return undefined;
  const numbers = entry.value.kind === 'list' ? integersOf(entry.value) : undefined;
  const [rows = 0, columns = 0] = numbers ?? [];
  if (numbers?.length === 2 && rows > 0 && columns > 0) {
    return { rows: derived(rows, 'rows of a block', entry), columns: derived(columns, 'columns of a block', entry) };
  }
  const said = numbers === undefined ? 'something else' : `[${numbers.join(', ')}]`;
  notes.add(
    'quantization-block-invalid',
    'error',
    placeOf(entry),
    `\`weight_block_size\` is ${said}, and has to be two positive whole numbers, rows and columns; engines have kernels for [128, 128].`,
    {
      framework: 'vLLM',
      repository: 'vllm-project/vllm',
      file: 'vllm/model_executor/layers/quantization/fp8.py',
      function: 'Fp8Config.__init__',
    },
  );
  return undefined;
}

/** DeepSeek-style FP8. Engines and files differ in the format of the scales by who made the file. */
function fp8(fields: Fields, method: Entry, family: string, notes: Notes): Part {
  const block = blockSize(fields, notes);
  const stated = fields.entry('weight_block_size') !== undefined;
  if (stated && block === undefined) return {};
  const qwen = family.startsWith('qwen');
  return present<Part>({
    method: derived(
      block === undefined ? ('fp8-tensor' as const) : ('fp8-block' as const),
      block === undefined ? 'FP8 without blocks' : 'FP8 with one scale a block',
      method,
    ),
    blockRows: block?.rows,
    blockColumns: block?.columns,
    scaleDType: byDefault<DType>(
      qwen ? 'BF16' : 'F32',
      qwen ? 'Qwen stores its scales in BF16' : 'scales as DeepSeek stores them',
    ),
    excluded: patterns(fields, 'modules_to_not_convert', 'ignored_layers'),
    staticActivations:
      fields.text('activation_scheme')?.value === 'static'
        ? derived(true, 'static activation scales', fields.entry('activation_scheme'))
        : undefined,
  });
}

function groupSize(fields: Fields, notes: Notes): Sourced<number> | undefined {
  const entry = fields.entry('group_size', 'q_group_size');
  if (entry?.value.kind !== 'scalar' || typeof entry.value.value !== 'number') return undefined;
  const { value } = entry.value;
  if (Number.isInteger(value) && (value > 0 || value === -1))
    return derived(value, value === -1 ? 'one group a channel' : 'weights that share a scale', entry);
  notes.add(
    'quantization-block-invalid',
    'error',
    placeOf(entry),
    `\`${entry.key}: ${value}\` is not possible: a group has a positive number of weights, or -1 for one group a channel; 128 is usual.`,
  );
  return undefined;
}

/** GPTQ, AWQ and AutoRound: packed integers with a scale and a zero point a group. */
function groups(fields: Fields, method: Entry, source: string, notes: Notes): Part {
  const bits = fields.size(['bits', 'w_bit'])?.value ?? 4;
  const negative =
    fields
      .inner('dynamic')
      ?.map.entries.filter(({ key }) => key.startsWith('-:'))
      .map(({ key }) => `re:${key.slice(2)}`) ?? [];
  const dynamic = fields.entry('dynamic');
  return present<Part>({
    method: derived(bits === 8 ? ('int8' as const) : ('int4-group' as const), `${bits} bits`, method),
    weightBits: bits === 4 ? undefined : derived(bits, 'bits of a weight', fields.entry('bits', 'w_bit')),
    groupSize: groupSize(fields, notes),
    source: derived(source, 'the packing of the file', method),
    zeroPoints: byDefault(true, 'stored in every file of this kind'),
    activationOrder: source === 'gptq' ? fields.flag('desc_act') : undefined,
    excluded:
      patterns(fields, 'modules_to_not_convert') ??
      (negative.length > 0 && dynamic !== undefined
        ? derived<readonly string[]>(negative, 'modules left out', dynamic)
        : undefined),
    scaleDType: byDefault<DType>('F16', 'scales of this format'),
  });
}

function bitsandbytes(fields: Fields, method: Entry): Part {
  const four = fields.flag('load_in_4bit', '_load_in_4bit')?.value === true;
  const nested = fields.flag('bnb_4bit_use_double_quant');
  return present<Part>({
    method: derived(four ? ('bnb-4bit' as const) : ('bnb-8bit' as const), four ? '4 bits' : '8 bits', method),
    scaleDType:
      four && nested?.value === false
        ? derived<DType>('F32', 'block maxima are not quantized again', fields.entry('bnb_4bit_use_double_quant'))
        : undefined,
    excluded: patterns(fields, 'llm_int8_skip_modules'),
  });
}

const PLAIN_METHODS = new Set(['none', 'unquantized']);

/** Methods that serving engines know but whose files are not described here. */
const KNOWN_ELSEWHERE = new Set([
  'quark',
  'hqq',
  'eetq',
  'torchao',
  'quanto',
  'aqlm',
  'vptq',
  'spqr',
  'higgs',
  'bitnet',
  'gguf',
  'exl2',
  'fp_quant',
  'sinq',
  'moe_wna16',
  'petit_nvfp4',
  'w4afp8',
  'w8a8_int8',
  'w8a8_fp8',
  'experts_int8',
  'inc',
  'auto-round:auto_awq',
]);

function byMethod(fields: Fields, name: string, entry: Entry, family: string, notes: Notes): QuantizationReading {
  switch (name) {
    case 'fp8':
      return {
        quantization:
          fields.entry('quant_algo') === undefined
            ? fp8(fields, entry, family, notes)
            : readModelOpt(fields, entry).quantization,
      };
    case 'compressed-tensors':
      return readCompressedTensors(fields, notes);
    case 'gptq':
    case 'gptq_marlin':
    case 'auto-round':
      return { quantization: groups(fields, entry, 'gptq', notes) };
    case 'awq':
    case 'awq_marlin':
      return { quantization: groups(fields, entry, 'awq', notes) };
    case 'mxfp4':
    case 'gpt_oss_mxfp4':
      return {
        quantization: present<Part>({
          method: derived('mxfp4' as const, 'experts in 4 bits', entry),
          source: derived('mxfp4', 'the packing of the file', entry),
          excluded: patterns(fields, 'modules_to_not_convert'),
        }),
      };
    case 'mxfp8':
      return {
        quantization: present<Part>({
          method: derived('mxfp8' as const, '8 bits, one scale for 32', entry),
          excluded: patterns(fields, 'modules_to_not_convert', 'ignored_layers'),
        }),
      };
    case 'fbgemm_fp8':
      return {
        quantization: present<Part>({
          method: derived('fp8-channel' as const, 'one scale an output', entry),
          excluded: patterns(fields, 'modules_to_not_convert'),
          scaleDType: byDefault<DType>('F32', 'scales of this format'),
        }),
      };
    case 'bitsandbytes':
      return { quantization: bitsandbytes(fields, entry) };
    case 'modelopt':
    case 'modelopt_fp8':
    case 'modelopt_fp4':
    case 'modelopt_mixed':
      return readModelOpt(fields, entry);
    default:
      return { quantization: {} };
  }
}

const UNDERSTOOD = new Set([
  'fp8',
  'compressed-tensors',
  'gptq',
  'gptq_marlin',
  'auto-round',
  'awq',
  'awq_marlin',
  'mxfp4',
  'gpt_oss_mxfp4',
  'mxfp8',
  'fbgemm_fp8',
  'bitsandbytes',
  'modelopt',
  'modelopt_fp8',
  'modelopt_fp4',
  'modelopt_mixed',
]);

/**
 * Reads one `quantization_config` (or `compression_config`). The method is the file's own word; ModelOpt files sometimes leave it
 * out and say `quant_algo` only, and GPTQ's `quantize_config.json` has neither.
 */
export function readQuantization(fields: Fields, family: string, notes: Notes): QuantizationReading {
  const method = fields.text('quant_method');
  const entry =
    fields.entry('quant_method') ??
    fields.entry('quant_algo') ??
    fields.entry('bits', 'w_bit') ??
    fields.entry('config_groups') ??
    fields.entry('load_in_4bit', 'load_in_8bit');
  if (entry === undefined) return { quantization: {} };
  const name = (method?.value ?? guessed(fields)).toLowerCase();
  if (PLAIN_METHODS.has(name)) return { quantization: {} };
  if (!UNDERSTOOD.has(name) && !KNOWN_ELSEWHERE.has(name)) {
    notes.add(
      'unknown-quantization',
      'warning',
      placeOf(entry),
      `\`${entry.key}: ${name}\` is no quantization method that vLLM, SGLang or transformers loads; the nearest forms are fp8, compressed-tensors, gptq, awq, modelopt and mxfp4.`,
    );
    return { quantization: {} };
  }
  const reading = byMethod(fields, name, entry, family, notes);
  const told = new Set(notes.findings.map(({ rule }) => rule));
  // The reader itself speaks of blocks that cannot be blocks; once is enough.
  notes.findings.push(
    ...quantizationFindings(fields.map).filter(({ rule }) => rule !== 'quantization-block-invalid' || !told.has(rule)),
  );
  const source: Sourced<string> = { value: name, origin: 'file', at: placeOf(entry), label: entry.key };
  return { ...reading, quantization: { source, ...reading.quantization } };
}

function guessed(fields: Fields): string {
  if (fields.entry('quant_algo') !== undefined) return 'modelopt';
  if (fields.entry('config_groups') !== undefined) return 'compressed-tensors';
  if (fields.entry('load_in_4bit', 'load_in_8bit') !== undefined) return 'bitsandbytes';
  return fields.entry('zero_point') === undefined ? 'gptq' : 'awq';
}

/** The format of weights that are not quantized, from `dtype` or `torch_dtype`; an unknown one is told. */
export function baseDType(fields: Fields, notes: Notes): Sourced<DType> | undefined {
  const stated = fields.text('dtype', 'torch_dtype');
  const entry = fields.entry('dtype', 'torch_dtype');
  if (stated === undefined || entry === undefined || stated.value === 'auto') return undefined;
  const dtype = dtypeOf(stated.value);
  if (dtype !== undefined) return { ...stated, value: dtype };
  notes.add(
    'unknown-dtype',
    'error',
    placeOf(entry),
    `\`${entry.key}: ${stated.value}\` is no number format that torch has; bfloat16, float16 and float32 are the usual ones.`,
    {
      framework: 'transformers',
      repository: 'huggingface/transformers',
      file: 'src/transformers/configuration_utils.py',
      function: 'PretrainedConfig.__init__',
    },
  );
  return undefined;
}
