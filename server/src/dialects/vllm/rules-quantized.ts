import type { ModelRule } from './rules-model';

/** `--quantization` words that each `quant_method` of a checkpoint may be served by. The first is what it is served by unasked. */
const SERVED_BY: Readonly<Record<string, readonly string[]>> = {
  fp8: ['fp8', 'modelopt'],
  'compressed-tensors': ['compressed-tensors'],
  gptq: ['gptq_marlin', 'gptq', 'auto_gptq', 'moe_wna16', 'gptq_bitblas', 'inc', 'cpu_gptq', 'humming'],
  awq: ['awq_marlin', 'awq', 'auto_awq', 'moe_wna16', 'cpu_awq', 'inc', 'humming'],
  modelopt: ['modelopt', 'modelopt_fp4', 'modelopt_mxfp8', 'modelopt_mixed'],
  mxfp4: ['mxfp4', 'gpt_oss_mxfp4', 'humming'],
  bitsandbytes: ['bitsandbytes'],
  marlin: ['marlin'],
};
/** Words that are a method of their own, so that a mismatch is certain. */
const METHODS = new Set([
  ...Object.values(SERVED_BY).flat(),
  'gguf',
  'auto-round',
  'quark',
  'torchao',
  'fbgemm_fp8',
  'experts_int8',
]);

/** Compute capability × 10 from which a method runs. */
const CAPABILITY: Readonly<Record<string, number>> = {
  modelopt: 89,
  mxfp4: 80,
  gpt_oss_mxfp4: 80,
  experts_int8: 80,
  fbgemm_fp8: 80,
  fp8: 75,
  awq: 75,
  awq_marlin: 75,
  gptq_marlin: 75,
  'compressed-tensors': 70,
  bitsandbytes: 70,
  gptq: 60,
};

/** Rules on how the checkpoint is stored and how it is asked to be read. */
export const quantizedRules: readonly ModelRule[] = [
  {
    rule: 'quantization-mismatch',
    severity: 'error',
    covers: ['VL-Q01'],
    keys: ['quantization'],
    source: ['config/model.py', 'ModelConfig._verify_quantization'],
    says: (args, { checkpoint }) => {
      const word = args.text('quantization');
      const served = checkpoint === undefined ? undefined : SERVED_BY[checkpoint];
      if (word === undefined || served === undefined || !METHODS.has(word) || served.includes(word)) return undefined;
      return word === checkpoint
        ? undefined
        : `The checkpoint says \`quant_method: ${checkpoint ?? ''}\`, which \`quantization: ${word}\` does not read; leave quantization out, and vLLM follows the checkpoint.`;
    },
  },
  {
    rule: 'gpu-lacks-format',
    severity: 'error',
    covers: ['VL-Q02'],
    keys: ['quantization', 'model'],
    source: ['config/vllm.py', 'VllmConfig._get_quantization_config'],
    says: (args, { checkpoint, resolved: { plan } }) => {
      const { gpu, computeCapability: capability } = plan.cluster;
      const word = args.text('quantization') ?? checkpoint ?? '';
      const least = CAPABILITY[word];
      if (gpu === undefined || gpu.origin === 'assumed' || capability === undefined || least === undefined)
        return undefined;
      return capability.value > 0 && capability.value < least
        ? `\`${word}\` needs compute capability ${(least / 10).toFixed(1)}; ${gpu.value} has ${(capability.value / 10).toFixed(1)}.`
        : undefined;
    },
  },
];
