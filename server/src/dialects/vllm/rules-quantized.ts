import type { QuantizationSpec } from '../../engine/spec/numbers';
import { advice, nearest } from '../../plan/rules/rule-context';
import { feedForwardTiles } from '../../plan/rules/fp8-blocks';
import type { KnownModel, ModelRule } from './rules-model';

/** `--quantization` words that each `quant_method` of a checkpoint may be served by. The first is what it is served by unasked. */
const SERVED_BY: Readonly<Record<string, readonly string[]>> = {
  fp8: ['fp8', 'modelopt'],
  'compressed-tensors': ['compressed-tensors'],
  gptq: ['gptq_marlin', 'gptq', 'auto_gptq', 'moe_wna16', 'gptq_bitblas', 'inc', 'cpu_gptq', 'humming'],
  awq: ['awq_marlin', 'awq', 'auto_awq', 'moe_wna16', 'cpu_awq', 'inc', 'humming'],
  modelopt: ['modelopt', 'modelopt_fp4', 'modelopt_mxfp8', 'modelopt_mixed'],
  mxfp4: ['mxfp4', 'gpt_oss_mxfp4', 'humming'],
  bitsandbytes: ['bitsandbytes'],
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

interface GroupSlice {
  readonly what: string;
  readonly size: number;
  readonly parts: number;
  readonly slice: number;
}

/** Inner widths of linear layers that integer groups are laid along, as one rank holds them. Down and output projections are cut there. */
function groupSlices({ model, layout, resolved: { serving } }: KnownModel): GroupSlice[] {
  const sharding = { model, layout, ...(serving === undefined ? {} : { serving }) };
  const dense = feedForwardTiles(sharding).map(({ what, size, parts }) => ({ what, size, parts }));
  const heads = model.heads * (model.vHeadDim ?? model.headDim);
  return [...dense, { what: 'attention output width', size: heads, parts: layout.tensor }]
    .filter(({ size, parts }) => parts >= 1 && size % parts === 0)
    .map((width) => ({ ...width, slice: width.size / width.parts }));
}

function isInteger4(quantization: QuantizationSpec): boolean {
  return quantization.method === 'int4-group' && (quantization.weightBits ?? 4) >= 4;
}

function advised(known: KnownModel, unit: number): string {
  const { model, layout } = known;
  const degrees = Array.from({ length: Math.min(model.heads, 64) }, (_, index) => index + 1).filter((tensor) => {
    if (model.heads % tensor !== 0) return false;
    const other = { ...known, layout: { ...layout, tensor, expertTensor: layout.expert > 1 ? 1 : tensor } };
    return groupSlices(other).every(({ slice }) => slice % unit === 0);
  });
  const near = nearest(layout.tensor, degrees);
  return near.length === 0 ? '' : `${advice(near)} for tensor-parallel-size`;
}

/** What the kernels of GPTQ and AWQ checkpoints ask of a rank's slice. */
function groupFault(known: KnownModel, kind: 'group' | 'kernel'): string | undefined {
  const { quantization } = known.resolved;
  if (!isInteger4(quantization)) return undefined;
  const group = quantization.groupSize ?? -1;
  for (const { what, size, parts, slice } of groupSlices(known)) {
    const cut = `${what} ${size} / ${parts} = ${slice}`;
    const split = group > 0 && slice % group !== 0;
    if (kind === 'group' && split && parts > 1)
      return `${cut} is not a multiple of the ${group} weights that share one scale${advised(known, group)}.`;
    if (kind === 'kernel' && !(split && parts > 1) && slice % 128 !== 0)
      return `${cut} is not a multiple of 128, which Marlin's kernels need; vLLM falls back to slow kernels where it has them and refuses otherwise${advised(known, 128)}.`;
  }
  return undefined;
}

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
  {
    rule: 'group-not-dividing',
    severity: 'error',
    covers: ['VL-Q09'],
    keys: ['tensor-parallel-size', 'model'],
    source: ['model_executor/layers/quantization/utils/marlin_utils.py', 'verify_marlin_supports_shape'],
    says: (_args, known) => groupFault(known, 'group'),
  },
  {
    rule: 'kernel-not-tiling',
    severity: 'warning',
    covers: ['VL-Q09'],
    keys: ['tensor-parallel-size', 'model'],
    source: ['model_executor/layers/quantization/utils/marlin_utils.py', 'verify_marlin_supports_shape'],
    says: (_args, known) => groupFault(known, 'kernel'),
  },
];
