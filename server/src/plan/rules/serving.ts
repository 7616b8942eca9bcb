import type { ModelSpec } from '../../engine/model/spec';
import type { LayoutSpec } from '../../engine/spec/layout';
import type { Finding } from '../finding';
import {
  advice,
  divisors,
  finding,
  named,
  nearest,
  placed,
  setFixes,
  sglang,
  stated,
  type Enforcement,
  type PlanRule,
} from './rule-context';

const DP_ATTENTION: Enforcement = {
  severity: 'error',
  source: sglang('server_args.py', 'ServerArgs._handle_data_parallelism'),
};
const MOE_TENSOR: Enforcement = {
  severity: 'error',
  source: sglang('server_args.py', 'ServerArgs._handle_moe_kernel_config'),
};
const BLOCKS: Readonly<Record<string, Enforcement>> = {
  sglang: {
    severity: 'error',
    source: sglang('layers/quantization/fp8.py', 'Fp8LinearMethod.create_weights, Fp8MoEMethod.create_weights'),
  },
  shardlens: { severity: 'warning' },
};

export const dataAttentionNotDivisible: PlanRule = {
  id: 'dp-attention-not-divisible',
  title: 'Tensor parallelism is not a multiple of the data-parallel attention degree.',
  severity: 'error',
  check: ({ plan, resolved: { layout } }) => {
    if (layout === undefined || layout.attentionData <= 1 || layout.tensor % layout.attentionData === 0) return [];
    if (!stated(plan.layout.attentionData) || !stated(plan.layout.tensor)) return [];
    const near = nearest(layout.attentionData, divisors(layout.tensor));
    const message =
      `${named('tensor parallelism', plan.layout.tensor, layout.tensor)} is not a multiple of ${named('attention data parallelism', plan.layout.attentionData, layout.attentionData)}: ` +
      `data-parallel attention lives inside the tensor-parallel world${advice(near)}.`;
    return [
      finding(dataAttentionNotDivisible, DP_ATTENTION, message, {
        ...placed([
          { value: plan.layout.attentionData, says: 'attention data parallelism' },
          { value: plan.layout.tensor, says: 'tensor parallelism' },
        ]),
        ...setFixes(plan.layout.attentionData, 'attention data parallelism', near),
      }),
    ];
  },
};

export const expertsAboveTensor: PlanRule = {
  id: 'expert-parallel-not-dividing-tensor',
  title: 'While serving, expert parallelism must divide the tensor-parallel world it lives in.',
  severity: 'error',
  check: ({ plan, resolved: { layout } }) => {
    if (plan.dialect !== 'sglang' || layout === undefined || layout.expert <= 1 || layout.tensor % layout.expert === 0)
      return [];
    if (!stated(plan.layout.expert) || !stated(plan.layout.tensor)) return [];
    const near = nearest(layout.expert, divisors(layout.tensor));
    const message = `${named('expert parallelism', plan.layout.expert, layout.expert)} does not divide ${named('tensor parallelism', plan.layout.tensor, layout.tensor)}${advice(near)}.`;
    return [
      finding(expertsAboveTensor, MOE_TENSOR, message, {
        ...placed([
          { value: plan.layout.expert, says: 'expert parallelism' },
          { value: plan.layout.tensor, says: 'tensor parallelism' },
        ]),
        ...setFixes(plan.layout.expert, 'expert parallelism', near),
      }),
    ];
  },
};

interface BlockCheck {
  readonly what: string;
  readonly size: number;
  readonly parts: number;
}

/** Inner widths that FP8 blocks must tile after sharding, with the degree that shards each. */
function blockChecks(
  model: ModelSpec,
  layout: LayoutSpec,
  serving: { readonly denseTensor?: number } | undefined,
): BlockCheck[] {
  const isMoe = (model.experts ?? 0) > 0;
  const checks: BlockCheck[] = [];
  if (!isMoe || (model.moeLayers?.includes(false) ?? false)) {
    checks.push({
      what: 'intermediate size',
      size: model.intermediateSize,
      parts: serving?.denseTensor ?? layout.tensor,
    });
  }
  if (isMoe && model.expertIntermediateSize !== undefined) {
    const parts = serving === undefined ? layout.expertTensor : Math.max(1, layout.tensor / layout.expert);
    checks.push({ what: 'expert intermediate size', size: model.expertIntermediateSize, parts });
  }
  return checks;
}

export const fp8BlockMisaligned: PlanRule = {
  id: 'fp8-block-misaligned',
  title: 'A weight sharded by tensor parallelism no longer tiles into its FP8 quantization blocks.',
  severity: 'error',
  check: ({ plan, resolved: { model, layout, quantization, serving, precision } }) => {
    const enforcement = BLOCKS[plan.dialect];
    if (enforcement === undefined || model === undefined || layout === undefined || !stated(plan.layout.tensor))
      return [];
    const training = plan.task === 'training' && precision.fp8Recipe === 'blockwise';
    const serves = plan.task === 'serving' && quantization.method === 'fp8-block';
    if (!training && !serves) return [];
    const block = quantization.blockColumns ?? 128;
    return blockChecks(model, layout, serving).flatMap((check): Finding[] => {
      const shard = check.size / check.parts;
      if (!Number.isInteger(check.parts) || (Number.isInteger(shard) && shard % block === 0)) return [];
      const expert = check.what.startsWith('expert');
      const setting = expert && plan.task === 'training' ? plan.layout.expertTensor : plan.layout.tensor;
      const scale = expert && serves ? layout.expert : 1;
      // A degree that the heads forbid is no advice, whatever the blocks say.
      const near = nearest(
        check.parts,
        divisors(check.size).filter((d) => (check.size / d) % block === 0 && model.heads % (d * scale) === 0),
      ).map((d) => d * scale);
      const hint =
        expert && serves && layout.expert < layout.tensor
          ? ', or raise expert parallelism so that fewer ranks share one expert'
          : '';
      const message = `${check.what} ${check.size} / ${check.parts} = ${Number.isInteger(shard) ? shard : shard.toFixed(1)} is not a multiple of the FP8 block size ${block}${advice(near)} for ${setting?.label ?? 'tensor parallelism'}${hint}.`;
      return [
        finding(fp8BlockMisaligned, enforcement, message, {
          ...placed([
            { value: setting, says: 'the degree that shards it' },
            { value: expert ? plan.model.expertIntermediateSize : plan.model.intermediateSize, says: check.what },
          ]),
          ...setFixes(setting, 'tensor parallelism', near),
        }),
      ];
    });
  },
};

export const intermediateNotDivisible: PlanRule = {
  id: 'intermediate-not-divisible',
  title: 'The feed-forward inner width does not divide over the tensor-parallel ranks.',
  severity: 'error',
  check: ({ plan, resolved: { model, layout, quantization, serving } }) => {
    const refuses = plan.dialect === 'megatron' || plan.dialect === 'sglang' || plan.dialect === 'shardlens';
    if (!refuses || model === undefined || layout === undefined || !stated(plan.layout.tensor)) return [];
    // Block-quantized widths are judged by the block rule, which is the stricter one.
    if (quantization.method === 'fp8-block') return [];
    return blockChecks(model, layout, serving).flatMap((check): Finding[] => {
      if (!Number.isInteger(check.parts) || check.size % check.parts === 0) return [];
      const near = nearest(check.parts, divisors(check.size));
      const message = `${check.what} ${check.size} cannot be split over tensor parallelism ${check.parts}${advice(near)}.`;
      return [
        finding(
          intermediateNotDivisible,
          { severity: 'error' },
          message,
          placed([
            { value: plan.layout.tensor, says: 'tensor parallelism' },
            { value: plan.model.intermediateSize, says: check.what },
          ]),
        ),
      ];
    });
  },
};
