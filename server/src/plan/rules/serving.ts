import type { Finding } from '../finding';
import { feedForwardTiles } from './fp8-blocks';
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
  vllm,
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

const INTERMEDIATE: Readonly<Record<string, Enforcement>> = {
  megatron: { severity: 'error' },
  sglang: { severity: 'error' },
  shardlens: { severity: 'error' },
  vllm: {
    severity: 'error',
    source: vllm('model_executor/layers/fused_moe/config.py', 'FusedMoEConfig.__post_init__'),
  },
};

export const intermediateNotDivisible: PlanRule = {
  id: 'intermediate-not-divisible',
  title: 'The feed-forward inner width does not divide over the tensor-parallel ranks.',
  severity: 'error',
  check: ({ plan, resolved: { model, layout, quantization, serving } }) => {
    const enforcement = INTERMEDIATE[plan.dialect];
    if (enforcement === undefined || model === undefined || layout === undefined || !stated(plan.layout.tensor))
      return [];
    // Block-quantized widths are judged by the block rule, which is the stricter one.
    if (quantization.method === 'fp8-block') return [];
    const sharding = { model, layout, ...(serving === undefined ? {} : { serving }) };
    return feedForwardTiles(sharding).flatMap((tile): Finding[] => {
      if (!Number.isInteger(tile.parts) || tile.size % tile.parts === 0) return [];
      const near = nearest(tile.parts, divisors(tile.size));
      const message = `${tile.what} ${tile.size} cannot be split over tensor parallelism ${tile.parts}${advice(near)}.`;
      return [
        finding(
          intermediateNotDivisible,
          enforcement,
          message,
          placed([
            { value: plan.layout.tensor, says: 'tensor parallelism' },
            { value: plan.model[tile.field], says: tile.what },
          ]),
        ),
      ];
    });
  },
};
