import { chunksPerRank } from '../../engine/layout/stages';
import type { LayoutSpec } from '../../engine/spec/layout';
import type { ModelSpec } from '../../engine/model/spec';
import type { Finding } from '../finding';
import { isSize } from '../fill';
import type { Plan, Sourced } from '../plan';
import { TRAINING_EXPERTS, TRAINING_HEADS, TRAINING_LAYERS } from './enforcement';
import {
  advice,
  divisors,
  finding,
  megatron,
  named,
  nearest,
  placed,
  setFixes,
  sglang,
  stated,
  vllm,
  type Enforcement,
  type PlanRule,
  type PlanRuleContext,
} from './rule-context';

type PerDialect = Readonly<Record<string, Enforcement>>;

const HEADS: PerDialect = {
  ...TRAINING_HEADS,
  megatron: {
    severity: 'error',
    source: megatron('megatron/core/transformer/transformer_config.py', 'TransformerConfig.__post_init__'),
  },
  sglang: { severity: 'error', source: sglang('models/deepseek_v2.py', 'DeepseekV2AttentionMLA.__init__') },
  vllm: { severity: 'error', source: vllm('config/model.py', 'ModelConfig.verify_with_parallel_config') },
  shardlens: { severity: 'error' },
};
/** TensorRT-LLM rounds key/value heads up, so only query heads have to divide there. */
const QUERY_HEADS: PerDialect = {
  ...HEADS,
  'tensorrt-llm': {
    severity: 'error',
    source: {
      framework: 'TensorRT-LLM',
      repository: 'NVIDIA/TensorRT-LLM',
      file: 'tensorrt_llm/_torch/modules/attention.py',
      function: 'Attention.__init__',
    },
  },
};
const EXPERTS: PerDialect = {
  ...TRAINING_EXPERTS,
  megatron: { severity: 'error', source: megatron('megatron/training/arguments.py', 'validate_args') },
  sglang: { severity: 'error', source: sglang('layers/moe/fused_moe_triton/layer.py', 'FusedMoE.__init__') },
  shardlens: { severity: 'error' },
};
const LAYERS: PerDialect = {
  ...TRAINING_LAYERS,
  megatron: { severity: 'error', source: megatron('megatron/training/arguments.py', 'validate_args') },
  // HAI-LLM-like trainers split unevenly by hand, so an uneven split without a list is only worth a word.
  shardlens: { severity: 'information' },
};

/** GPUs that share one attention module: TP, or TP / DP under data-parallel attention (SGLang server_args.py, _handle_data_parallelism). */
export function attentionTensor(layout: LayoutSpec): number {
  return layout.attentionData > 1 ? layout.tensor / layout.attentionData : layout.tensor;
}

interface Split {
  readonly rule: PlanRule;
  readonly enforcement: Enforcement;
  readonly size: number;
  readonly sizeName: string;
  readonly sizeSource: Sourced<unknown> | undefined;
  readonly parts: number;
  readonly partsName: string;
  readonly partsSource: Sourced<unknown> | undefined;
  /** The setting whose value is multiplied to make `parts`: 1, or the data degree under DP attention. */
  readonly scale?: number;
}

/** One size cut into equal parts: the shared shape of heads over TP, experts over EP and their like. */
function splitFinding(split: Split): Finding[] {
  const { size, parts } = split;
  if (!isSize(size) || !Number.isInteger(parts) || parts <= 0 || size % parts === 0) return [];
  const scale = split.scale ?? 1;
  const near = nearest(parts, divisors(size)).map((value) => value * scale);
  const message = `${split.sizeName} ${size} cannot be split over ${split.partsName} ${parts}${advice(near)}.`;
  return [
    finding(split.rule, split.enforcement, message, {
      ...placed([
        { value: split.partsSource, says: split.partsName },
        { value: split.sizeSource, says: split.sizeName },
      ]),
      ...setFixes(split.partsSource, split.partsName, near),
    }),
  ];
}

type Sizes = Pick<ModelSpec, 'heads' | 'kvHeads' | 'layers' | 'experts' | 'attention'>;

/** Sizes that are split. One is enough for its own rule: training files often leave the vocabulary to a tokenizer. */
function sizesOf({ plan: { model }, resolved }: PlanRuleContext): Sizes {
  if (resolved.model !== undefined) return resolved.model;
  const heads = model.heads?.value ?? 0;
  return {
    heads,
    kvHeads: model.kvHeads?.value ?? heads,
    layers: model.layers?.value ?? 0,
    experts: model.experts?.value ?? 0,
    attention: model.attention?.value ?? (model.kvLoraRank === undefined ? 'gqa' : 'mla'),
  };
}

function withModel(
  context: PlanRuleContext,
  table: PerDialect,
  body: (model: Sizes, layout: LayoutSpec, enforcement: Enforcement, plan: Plan) => Finding[],
): Finding[] {
  const { plan, resolved } = context;
  const enforcement = table[plan.dialect];
  if (enforcement === undefined || resolved.layout === undefined) return [];
  return body(sizesOf(context), resolved.layout, enforcement, plan);
}

export const headsNotDivisible: PlanRule = {
  id: 'heads-not-divisible',
  title: 'Attention heads do not divide over the tensor-parallel ranks.',
  severity: 'error',
  check: (context) =>
    withModel(context, QUERY_HEADS, (model, layout, enforcement, plan) => {
      if (!stated(plan.layout.tensor) || !stated(plan.model.heads)) return [];
      return splitFinding({
        rule: headsNotDivisible,
        enforcement,
        size: model.heads,
        sizeName: plan.model.heads.label ?? 'attention heads',
        sizeSource: plan.model.heads,
        parts: attentionTensor(layout),
        partsName:
          layout.attentionData > 1
            ? 'attention tensor parallelism (TP / DP)'
            : (plan.layout.tensor.label ?? 'tensor parallelism'),
        partsSource: plan.layout.tensor,
        scale: layout.attentionData,
      });
    }),
};

export const kvHeadsNotDivisible: PlanRule = {
  id: 'kv-heads-not-divisible',
  title: 'Key/value heads neither divide over the tensor-parallel ranks nor are divided by them.',
  severity: 'error',
  check: (context) =>
    withModel(context, HEADS, (model, layout, enforcement, plan) => {
      if (model.attention === 'mla' || !stated(plan.layout.tensor) || !stated(plan.model.kvHeads)) return [];
      const parts = attentionTensor(layout);
      const fits = model.kvHeads >= parts ? model.kvHeads % parts === 0 : parts % model.kvHeads === 0;
      // Heads that do not divide are the nearer cause, and they have their own finding.
      if (!isSize(model.heads) || !isSize(model.kvHeads)) return [];
      if (!Number.isInteger(parts) || fits || model.heads % parts !== 0) return [];
      const legal = divisors(model.heads).filter((d) =>
        model.kvHeads >= d ? model.kvHeads % d === 0 : d % model.kvHeads === 0,
      );
      const near = nearest(parts, legal).map((value) => value * layout.attentionData);
      const name = plan.model.kvHeads.label ?? 'key/value heads';
      const message = `${name} ${model.kvHeads} and tensor parallelism ${parts} must divide one another${advice(near)} for ${plan.layout.tensor.label ?? 'tensor parallelism'}.`;
      return [
        finding(kvHeadsNotDivisible, enforcement, message, {
          ...placed([
            { value: plan.layout.tensor, says: 'tensor parallelism' },
            { value: plan.model.kvHeads, says: name },
          ]),
          ...setFixes(plan.layout.tensor, 'tensor parallelism', near),
        }),
      ];
    }),
};

export const expertsNotDivisible: PlanRule = {
  id: 'experts-not-divisible',
  title: 'Experts (with redundant ones while serving) do not divide over the expert-parallel ranks.',
  severity: 'error',
  check: (context) =>
    withModel(context, EXPERTS, (model, layout, enforcement, plan) => {
      const experts = model.experts ?? 0;
      const { redundant } = context.resolved.experts;
      if (!isSize(experts) || layout.expert <= 1 || !stated(plan.layout.expert) || !stated(plan.model.experts))
        return [];
      const slots = experts + redundant;
      if (slots % layout.expert === 0) return [];
      if (redundant === 0 || plan.experts.redundant === undefined) {
        return splitFinding({
          rule: expertsNotDivisible,
          enforcement,
          size: experts,
          sizeName: plan.model.experts.label ?? 'routed experts',
          sizeSource: plan.model.experts,
          parts: layout.expert,
          partsName: plan.layout.expert.label ?? 'expert parallelism',
          partsSource: plan.layout.expert,
        });
      }
      const low = redundant - (slots % layout.expert);
      const near = [low, low + layout.expert].filter((value) => value >= 0);
      const message =
        `${experts} experts + ${named('redundant experts', plan.experts.redundant, redundant)} = ${slots} slots cannot be split over ` +
        `${named('expert parallelism', plan.layout.expert, layout.expert)}${advice(near)}.`;
      return [
        finding(expertsNotDivisible, enforcement, message, {
          ...placed([
            { value: plan.experts.redundant, says: 'redundant experts' },
            { value: plan.layout.expert, says: 'expert parallelism' },
          ]),
          ...setFixes(plan.experts.redundant, 'redundant experts', near),
        }),
      ];
    }),
};

export const layersNotDivisible: PlanRule = {
  id: 'layers-not-divisible',
  title: 'Layers do not divide over the pipeline stages and no uneven split is given.',
  severity: 'error',
  check: (context) =>
    withModel(context, LAYERS, (model, layout, enforcement, plan) => {
      if (
        layout.stageLayers !== undefined ||
        layout.pipeline <= 1 ||
        !stated(plan.layout.pipeline) ||
        !stated(plan.model.layers)
      )
        return [];
      if (plan.unresolved.some(({ path }) => path.startsWith('layout.') || path === 'model.layers')) return [];
      const stages = layout.pipeline * layout.virtualPipeline;
      if (!isSize(model.layers) || model.layers % stages === 0) return [];
      const base = Math.floor(model.layers / stages);
      const extra = model.layers % stages;
      const near = nearest(
        layout.pipeline,
        divisors(model.layers).filter((d) => (model.layers / d) % layout.virtualPipeline === 0),
      );
      const unevenly =
        enforcement.severity === 'error'
          ? `${plan.dialect === 'megatron' ? `; releases without this check built ${base} a stage and dropped ${extra}` : ''}${advice(near)}`
          : `: ${extra} stages take ${base + 1} layers and ${stages - extra} take ${base}, unless stage_layers says otherwise`;
      const name =
        layout.virtualPipeline > 1
          ? `PP ${layout.pipeline} × ${layout.virtualPipeline} virtual stages = ${stages}`
          : named('pipeline parallelism', plan.layout.pipeline, stages);
      const message = `${named('layers', plan.model.layers, model.layers)} do not divide over ${name} stages${unevenly}.`;
      return [
        finding(layersNotDivisible, enforcement, message, {
          ...placed([
            { value: plan.layout.pipeline, says: 'pipeline parallelism' },
            { value: plan.model.layers, says: 'layers' },
          ]),
          ...(enforcement.severity === 'error' ? setFixes(plan.layout.pipeline, 'pipeline parallelism', near) : {}),
        }),
      ];
    }),
};

export const stageLayersMismatch: PlanRule = {
  id: 'stage-layers-mismatch',
  title: 'A stated split of layers does not have an entry a stage or does not add up to the layers of the model.',
  severity: 'error',
  check: (context) =>
    withModel(context, { shardlens: { severity: 'error' } }, (model, layout, enforcement, plan) => {
      const split = plan.layout.stageLayers;
      if (split?.origin !== 'file') return [];
      const kind = plan.pipeline.kind?.value;
      // A V-shaped schedule folds two stages onto each rank.
      const chunks =
        kind === undefined || kind === 'dualpipe'
          ? layout.virtualPipeline
          : chunksPerRank(kind, layout.virtualPipeline);
      const stages = layout.pipeline * chunks;
      const sum = split.value.reduce((total, layers) => total + layers, 0);
      const name = split.label ?? 'stage layers';
      const says = [
        { value: split, says: name },
        { value: plan.layout.pipeline, says: 'pipeline parallelism' },
        { value: plan.model.layers, says: 'layers' },
      ];
      if (split.value.length !== stages && split.value.length !== layout.pipeline) {
        const message = `${name} has ${split.value.length} entries for ${stages} pipeline stages; it needs ${stages}.`;
        return [finding(stageLayersMismatch, enforcement, message, placed(says))];
      }
      if (!isSize(model.layers) || sum === model.layers) return [];
      const message = `${name} adds up to ${sum} layers, but the model has ${model.layers}; the entries must add up to ${model.layers}.`;
      return [finding(stageLayersMismatch, enforcement, message, placed(says))];
    }),
};
