import type { Plan, ResolvedPlan } from '../plan';
import type { SourceReference } from '../finding';
import { finding, megatron, placed, stated, type PlanRule } from './rule-context';

interface Need {
  /** CUDA compute capability × 10 from which the format runs. */
  readonly capability: number;
  readonly name: string;
  readonly source: SourceReference;
}

const titan = (file: string, fn: string): SourceReference => ({
  framework: 'torchtitan',
  repository: 'pytorch/torchtitan',
  file: `torchtitan/components/quantization/${file}`,
  function: fn,
  commit: '73a0e697',
});

const MEGATRON_FP8 = megatron('megatron/core/fp8_utils.py', 'get_fp8_context');
const MEGATRON = new Set(['megatron', 'megatron-bridge', 'nemo']);

/** What the stated recipe asks of the GPU, where a framework checks it. */
function needOf(plan: Plan, { precision: { fp8Recipe } }: ResolvedPlan): Need | undefined {
  if (plan.precision.fp8Recipe?.at === undefined || fp8Recipe === 'none') return undefined;
  const blackwell = fp8Recipe === 'mxfp8' || fp8Recipe === 'nvfp4';
  if (plan.dialect === 'torchtitan')
    return blackwell
      ? { capability: 100, name: 'MXFP8', source: titan('mx.py', 'MXLinearConverter.__init__') }
      : { capability: 89, name: 'FP8', source: titan('float8.py', 'Float8LinearConverter.__init__') };
  if (!MEGATRON.has(plan.dialect)) return undefined;
  const name = { mxfp8: 'MXFP8', nvfp4: 'NVFP4' }[fp8Recipe as string] ?? 'FP8';
  return { capability: blackwell ? 100 : 89, name, source: MEGATRON_FP8 };
}

export const gpuLacksFormat: PlanRule = {
  id: 'gpu-lacks-format',
  title: 'The GPU has no matrix units for the number format that the recipe asks for.',
  severity: 'error',
  check: ({ plan, resolved }) => {
    const capability = plan.cluster.computeCapability;
    const need = needOf(plan, resolved);
    if (need === undefined || !stated(plan.cluster.gpu) || !stated(capability) || capability.value >= need.capability)
      return [];
    const message = `${need.name} needs compute capability ${(need.capability / 10).toFixed(1)}; ${plan.cluster.gpu.value} has ${(capability.value / 10).toFixed(1)}.`;
    return [
      finding(gpuLacksFormat, { severity: 'error', source: need.source }, message, {
        ...placed([{ value: plan.cluster.gpu, says: 'the GPU' }]),
        // A recipe that follows from several keys still stands where it is asked for.
        ...(plan.precision.fp8Recipe?.at === undefined ? {} : { at: plan.precision.fp8Recipe.at }),
      }),
    ];
  },
};
