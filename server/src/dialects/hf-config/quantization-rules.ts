import type { Finding, SourceReference } from '../../plan/finding';
import type { MapNode } from '../../syntax/tree';
import { checkConditions, coverageOf, type Condition, type Coverage } from '../common/conditions';
import { isList, isScalar, textOf } from '../common/nodes';
import { compressedTensorsCoverage, quantizationGroupsFindings } from '../common/quantization-args';
import { treeValues } from '../common/values';

const VLLM = 'vllm/model_executor/layers/quantization';

function vllm(file: string, fn: string): SourceReference {
  return {
    framework: 'vLLM',
    repository: 'vllm-project/vllm',
    file: `${VLLM}/${file}`,
    function: fn,
    commit: '017e9f4448',
  };
}

const TRT: SourceReference = {
  framework: 'TensorRT-LLM',
  repository: 'NVIDIA/TensorRT-LLM',
  file: 'tensorrt_llm/_torch/model_config.py',
  function: 'ModelConfig.load_hf_quant_config',
};

/** `quant_algo` words that vLLM has kernels for. Other engines know more of them. */
const MODELOPT_VLLM = [
  'FP8',
  'FP8_PER_CHANNEL_PER_TOKEN',
  'FP8_PB_WO',
  'NVFP4',
  'W4A16_NVFP4',
  'MXFP8',
  'MIXED_PRECISION',
];

const CONDITIONS: readonly Condition[] = [
  {
    rule: 'quantization-scheme-refused',
    severity: 'error',
    covers: ['VL-Q05'],
    keys: ['activation_scheme', 'weight_block_size', 'quant_method'],
    source: vllm('fp8.py', 'Fp8Config.__init__'),
    says: (values) => {
      const scheme = values.text('activation_scheme');
      return values.text('quant_method') === 'fp8' &&
        isList(values.node('weight_block_size')) &&
        scheme !== undefined &&
        scheme !== 'dynamic'
        ? `\`weight_block_size\` needs \`activation_scheme: dynamic\`, not \`${scheme}\`: engines compute the scales of activations while serving.`
        : undefined;
    },
  },
  {
    rule: 'quantization-scheme-refused',
    severity: 'warning',
    covers: ['VL-Q11'],
    keys: ['quant_algo'],
    source: vllm('modelopt.py', 'ModelOptQuantConfigBase.from_config'),
    says: (values) => {
      const word = values.text('quant_algo');
      return word !== undefined && !MODELOPT_VLLM.includes(word)
        ? `vLLM does not load \`quant_algo: ${word}\`; it knows ${MODELOPT_VLLM.join(', ')}.`
        : undefined;
    },
  },
  {
    rule: 'quantization-scheme-refused',
    severity: 'error',
    covers: ['VL-Q12'],
    keys: ['exclude_modules', 'group_size', 'kv_cache_quant_algo', 'quant_algo'],
    source: vllm('modelopt.py', 'ModelOptQuantConfigBase.from_config'),
    says: (values) => {
      if (values.entry('quant_algo') === undefined) return undefined;
      const modules = values.node('exclude_modules');
      if (modules !== undefined && !isList(modules)) return '`exclude_modules` has to be a list of module names.';
      const size = values.node('group_size');
      if (size !== undefined && values.integer('group_size') === undefined)
        return '`group_size` has to be a whole number.';
      const cache = values.node('kv_cache_quant_algo');
      return cache !== undefined && !(isScalar(cache) && typeof cache.value === 'string')
        ? '`kv_cache_quant_algo` has to be a word, such as FP8.'
        : undefined;
    },
  },
  {
    rule: 'quantization-group-unsupported',
    severity: 'error',
    covers: ['TR-Q03'],
    keys: ['group_size', 'quant_algo'],
    source: TRT,
    says: (values) => {
      const word = values.text('quant_algo');
      const size = values.integer('group_size');
      return word === 'NVFP4' && size !== undefined && size !== 16
        ? `NVFP4 has one scale for 16 weights; \`group_size: ${size}\` is another format, which no engine has kernels for.`
        : undefined;
    },
  },
  {
    rule: 'quantization-group-unsupported',
    severity: 'warning',
    covers: ['TR-Q01'],
    keys: ['weight_block_size', 'quant_method'],
    source: TRT,
    says: (values) => {
      const block = values.words('weight_block_size');
      return values.text('quant_method') === 'fp8' &&
        block?.length === 2 &&
        block.every((size) => Number(size) > 0) &&
        block.join() !== '128,128'
        ? `Blocks of ${block.join(' × ')}: TensorRT-LLM takes 128 × 128 only, and so do the kernels of the other engines.`
        : undefined;
    },
  },
  {
    rule: 'quantization-group-unsupported',
    severity: 'warning',
    covers: ['VL-Q10'],
    keys: ['group_size', 'quant_method', 'bits'],
    source: vllm('utils/marlin_utils.py', '_check_marlin_supported'),
    says: (values) => {
      const method = values.text('quant_method');
      const size = values.integer('group_size');
      return (method === 'gptq' || method === 'awq') && size !== undefined && size > 0 && ![32, 64, 128].includes(size)
        ? `vLLM's fast kernels take groups of 32, 64 or 128 weights, or -1 for a whole channel; with ${size} it falls back to slow ones or refuses.`
        : undefined;
    },
  },
];

/** What serving engines refuse in a `quantization_config`, a `hf_quant_config.json` or a `quantize_config.json`. */
export function quantizationFindings(map: MapNode): Finding[] {
  const method = textOf(map.entries.find(({ key }) => key === 'quant_method')?.value);
  const tensors = method === undefined || method === 'compressed-tensors' ? quantizationGroupsFindings(map) : [];
  return [...tensors, ...checkConditions(CONDITIONS, treeValues(map))];
}

export const hfQuantizationCoverage: readonly Coverage[] = [...coverageOf(CONDITIONS), ...compressedTensorsCoverage];
