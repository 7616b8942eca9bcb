import type { SglangRule } from './facts';

const VERIFY = ['configs/model_config.py', 'ModelConfig._verify_quantization'] as const;

/** Words of `--quantization` and the checkpoints (by `quant_method`) that they read beside their own. */
const READS: Readonly<Record<string, readonly string[]>> = {
  modelopt_fp8: ['modelopt'],
  modelopt_fp4: ['modelopt', 'fp8'],
  modelopt_mixed: ['modelopt'],
  nvfp4_online: ['fp8', 'modelopt_fp8'],
  petit_nvfp4: ['modelopt'],
  w8a8_int8: ['compressed-tensors', 'compressed_tensors'],
  w8a8_fp8: ['compressed-tensors', 'compressed_tensors'],
  'auto-round-int8': ['compressed-tensors', 'compressed_tensors'],
};
/** Checkpoints whose kernels SGLang picks by itself, so that a word of the same family is changed and not refused. */
const FAMILIES: readonly RegExp[] = [
  /gptq|marlin|moe_wna16/,
  /awq|marlin|moe_wna16/,
  /modelopt/,
  /quark|mxfp4|petit/,
  /mxfp4/,
];
/** Compute capability × 10 from which a method runs. */
const CAPABILITY: Readonly<Record<string, number>> = {
  fp8: 80,
  w8a8_fp8: 89,
  modelopt_fp8: 89,
  w4afp8: 90,
  mxfp8: 100,
  awq: 75,
  awq_marlin: 80,
  gptq_marlin: 80,
  gptq: 60,
  'compressed-tensors': 70,
  mxfp4: 80,
};

function sameFamily(word: string, checkpoint: string): boolean {
  return FAMILIES.some((family) => family.test(word) && family.test(checkpoint));
}

export const quantizedRules: readonly SglangRule[] = [
  {
    rule: 'quantization-mismatch',
    severity: 'error',
    covers: ['SG-Q06'],
    keys: ['quantization', 'model-path'],
    source: VERIFY,
    says: ({ word, checkpoint }) => {
      const asked = word('quantization', '').toLowerCase();
      if (asked === '' || asked === 'unquant' || checkpoint === undefined || asked === checkpoint) return undefined;
      if (READS[asked]?.includes(checkpoint) === true || sameFamily(asked, checkpoint) || asked.startsWith('quark_'))
        return undefined;
      return `The checkpoint says \`quant_method: ${checkpoint}\`, which \`quantization: ${asked}\` does not read; leave quantization out, and SGLang follows the checkpoint.`;
    },
  },
  {
    rule: 'quantization-unsupported',
    severity: 'error',
    covers: ['SG-Q07'],
    keys: ['quantization', 'model-path'],
    source: ['model_loader/loader.py', '_get_quantization_config'],
    says: ({ word, checkpoint, capability }) => {
      const method = word('quantization', checkpoint ?? '').toLowerCase();
      const least = CAPABILITY[method];
      return least === undefined || capability === undefined || capability >= least
        ? undefined
        : `${method} needs compute capability ${(least / 10).toFixed(1)}, and this GPU has ${(capability / 10).toFixed(1)}.`;
    },
  },
  {
    rule: 'dtype-replaced',
    severity: 'information',
    covers: ['SG-MOD01'],
    keys: ['dtype', 'model-path'],
    source: ['arg_groups/overrides.py', '_gpt_oss_overrides'],
    says: ({ word, model, checkpoint }) =>
      model?.family === 'gpt_oss' && checkpoint === 'mxfp4' && !['auto', 'bfloat16'].includes(word('dtype', 'auto'))
        ? `dtype ${word('dtype', '')} becomes bfloat16 for the MXFP4 checkpoint of ${model.name}.`
        : undefined,
  },
];
