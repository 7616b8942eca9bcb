import type { ModelSpec } from '../../engine/model/spec';
import type { LayoutSpec } from '../../engine/spec/layout';
import type { Finding, Severity } from '../../plan/finding';
import type { Place, ResolvedPlan } from '../../plan/plan';
import { advice, nearest, stated } from '../../plan/rules/rule-context';
import type { Coverage } from '../common/conditions';
import { placeOf } from '../common/nodes';
import { cacheRules } from './rules-cache';
import { switchOf } from './layout';
import { quantizedRules } from './rules-quantized';
import { vllmSource } from './source';
import type { VllmArguments } from './values';

/** One condition over the arguments and what is known of model and GPU. */
export interface ModelRule {
  readonly rule: string;
  readonly severity: Severity;
  readonly covers: readonly string[];
  /** The finding stands at the first of these that is written. */
  readonly keys: readonly string[];
  readonly source: readonly [file: string, fn: string];
  readonly says: (args: VllmArguments, known: KnownModel) => string | undefined;
}

/** What a rule over the model may rely on: the shapes are those of a model that somebody named. */
export interface KnownModel {
  readonly model: ModelSpec;
  readonly layout: LayoutSpec;
  readonly resolved: ResolvedPlan;
  /** What `quant_method` of the checkpoint says, where the checkpoint is known. */
  readonly checkpoint: string | undefined;
  /** Positions of the model with what its own config scales, where that is certain. */
  readonly positions: number | undefined;
  readonly environment: Readonly<Record<string, string>>;
}

const LAYOUT: readonly ModelRule[] = [
  {
    rule: 'no-experts-to-spread',
    severity: 'error',
    covers: ['VL-PAR02'],
    keys: ['enable-expert-parallel', 'model'],
    source: ['config/model.py', 'ModelConfig._verify_with_expert_parallelism'],
    says: (args, { model }) =>
      switchOf(args, 'enable-expert-parallel') === true &&
      (model.experts ?? 0) === 0 &&
      !/moe|mixtral|expert/i.test(`${model.architecture ?? ''} ${model.family ?? ''}`)
        ? `enable-expert-parallel needs a model with experts; ${model.name} has none.`
        : undefined,
  },
  {
    rule: 'context-parallel-conflict',
    severity: 'error',
    covers: ['VL-PAR05'],
    keys: ['decode-context-parallel-size', 'tensor-parallel-size'],
    source: ['config/model.py', 'ModelConfig.verify_with_parallel_config'],
    says: (args, { model, layout }) => {
      const decode = args.integer('decode-context-parallel-size') ?? 1;
      if (decode <= 1 || model.attention === 'mla' || model.kvHeads < 1) return undefined;
      const copies = Math.floor(layout.tensor / model.kvHeads);
      if (layout.tensor <= model.kvHeads || decode > copies)
        return `decode-context-parallel-size ${decode} shares the copies of a key/value head, and tensor-parallel-size ${layout.tensor} over ${model.kvHeads} heads makes ${Math.max(1, copies)}.`;
      return Math.floor(model.heads / model.kvHeads) % decode === 0
        ? undefined
        : `decode-context-parallel-size ${decode} does not divide the ${Math.floor(model.heads / model.kvHeads)} query heads of a key/value head.`;
    },
  },
  {
    rule: 'world-larger-than-node',
    severity: 'warning',
    covers: ['VL-PAR12'],
    keys: ['tensor-parallel-size', 'pipeline-parallel-size'],
    source: ['config/parallel.py', 'ParallelConfig.__post_init__'],
    says: (args, { layout, resolved: { plan } }) => {
      const gpus = plan.cluster.gpusPerNode;
      const world = layout.tensor * layout.pipeline * layout.context;
      const elsewhere = ['nnodes', 'distributed-executor-backend', 'data-parallel-backend'].some(
        (name) => args.entry(name) !== undefined,
      );
      if (gpus === undefined || gpus.origin === 'assumed' || elsewhere || (plan.cluster.nodes?.value ?? 1) > 1)
        return undefined;
      return world > gpus.value
        ? `One engine takes ${world} GPUs and the node has ${gpus.value}; over several nodes vLLM needs nnodes, or a Ray cluster.`
        : undefined;
    },
  },
  {
    rule: 'dense-model-data-rank',
    severity: 'warning',
    covers: ['VL-PAR16'],
    keys: ['data-parallel-rank', 'data-parallel-external-lb'],
    source: ['config/parallel.py', 'ParallelConfig.__post_init__'],
    says: (args, { model, layout }) =>
      layout.data > 1 && (model.experts ?? 0) === 0 && args.entry('data-parallel-rank') !== undefined
        ? `${model.name} has no experts, so its data-parallel engines share nothing: vLLM refuses ranks of such a model offline; start ${layout.data} servers instead.`
        : undefined,
  },
  {
    rule: 'experts-cut-by-data-ranks',
    severity: 'information',
    covers: ['VL-PAR15'],
    keys: ['data-parallel-size'],
    source: ['model_executor/layers/fused_moe/config.py', 'FusedMoEParallelConfig.make'],
    says: (args, { model, layout }) => {
      const width = model.expertIntermediateSize;
      if (switchOf(args, 'enable-expert-parallel') !== false || (model.experts ?? 0) === 0 || width === undefined)
        return undefined;
      return (args.integer('data-parallel-size') ?? 1) > 1 && width % layout.expertTensor === 0
        ? `Without enable-expert-parallel each expert is cut over all ${layout.expertTensor} ranks of the data-parallel engines: ${width} / ${layout.expertTensor} = ${width / layout.expertTensor} columns a rank.`
        : undefined;
    },
  },
  {
    rule: 'experts-not-divisible',
    severity: 'error',
    covers: ['VL-EPLB04'],
    keys: ['eplb-config', 'enable-eplb', 'tensor-parallel-size'],
    source: ['model_executor/layers/fused_moe/layer.py', 'FusedMoE'],
    says: (args, { model, layout, resolved }) => {
      if (switchOf(args, 'enable-eplb') !== true || layout.expert <= 1 || (model.experts ?? 0) === 0) return undefined;
      const { redundant } = resolved.experts;
      const slots = (model.experts ?? 0) + redundant;
      const low = redundant - (slots % layout.expert);
      const near = [low, low + layout.expert].filter((value) => value >= 0);
      return slots % layout.expert === 0
        ? undefined
        : `${model.experts ?? 0} experts and ${redundant} redundant ones are ${slots} slots, which do not divide over ${layout.expert} ranks${advice(near)} for num_redundant_experts.`;
    },
  },
];

const LENGTH: readonly ModelRule[] = [
  {
    rule: 'batch-limits-conflict',
    severity: 'error',
    covers: ['VL-SCH01'],
    keys: ['max-num-batched-tokens', 'enable-chunked-prefill', 'max-model-len'],
    source: ['config/scheduler.py', 'SchedulerConfig.verify_max_model_len'],
    says: (args, { model, positions }) => {
      const tokens = args.size('max-num-batched-tokens');
      const whole =
        args.entry('enable-chunked-prefill') !== undefined && switchOf(args, 'enable-chunked-prefill') === false;
      if (!whole || tokens === undefined || args.entry('max-model-len') !== undefined) return undefined;
      return positions !== undefined && tokens < positions
        ? `max-num-batched-tokens ${tokens} is less than the ${positions} positions of ${model.name}, and without chunked prefill a prompt has to fit one step; set max-model-len, or let prefill be chunked.`
        : undefined;
    },
  },
  {
    rule: 'context-beyond-model',
    severity: 'error',
    covers: ['VL-SCH04'],
    keys: ['max-model-len', 'model'],
    source: ['config/model.py', '_get_and_verify_max_len'],
    says: (args, { model, positions, environment }) => {
      const length = args.size('max-model-len');
      const overridden = ['hf-overrides', 'rope-scaling', 'rope-theta'].some((name) => args.entry(name) !== undefined);
      const allowed = environment['VLLM_ALLOW_LONG_MAX_MODEL_LEN'] === '1';
      if (length === undefined || positions === undefined || overridden || allowed) return undefined;
      return length > positions
        ? `max-model-len ${length} is beyond the ${positions} positions of ${model.name}; vLLM refuses it unless hf-overrides scales the positions.`
        : undefined;
    },
  },
  {
    rule: 'speculation-invalid',
    severity: 'error',
    covers: ['VL-SPEC01'],
    keys: ['speculative-config.num_speculative_tokens', 'speculative-config'],
    source: ['config/speculative.py', 'SpeculativeConfig.__post_init__'],
    says: (args, { model }) => {
      const count = args.integer('speculative-config.num_speculative_tokens');
      const method = args.text('speculative-config.method') ?? '';
      const steps = model.mtpLayers ?? 0;
      if (count === undefined || steps <= 1 || !/mtp$/.test(method)) return undefined;
      const near = nearest(
        count,
        Array.from({ length: 8 }, (_, index) => (index + 1) * steps),
      );
      return count > steps && count % steps !== 0
        ? `num_speculative_tokens ${count} is no multiple of the ${steps} tokens that ${model.name} predicts in one pass${advice(near)}.`
        : undefined;
    },
  },
];

const MODEL_RULES: readonly ModelRule[] = [...LAYOUT, ...LENGTH, ...quantizedRules, ...cacheRules];

function placeFor(args: VllmArguments, keys: readonly string[], fallback: Place | undefined): Place | undefined {
  const entry = keys.map((key) => args.entry(key)).find((found) => found !== undefined);
  return entry === undefined ? fallback : placeOf(entry);
}

/** Findings that need the model or the GPU; what an interpolation hides keeps its rule silent. */
export function checkVllmModel(
  args: VllmArguments,
  resolved: ResolvedPlan,
  around: Pick<KnownModel, 'checkpoint' | 'positions' | 'environment'>,
): Finding[] {
  const { model, layout, plan } = resolved;
  if (model === undefined || layout === undefined) return [];
  return MODEL_RULES.flatMap((rule): Finding[] => {
    if (rule.keys.some((key) => args.unknown(key))) return [];
    const message = rule.says(args, { model, layout, resolved, ...around });
    if (message === undefined) return [];
    const at = placeFor(args, rule.keys, stated(plan.model.name) ? plan.model.name.at : undefined);
    const place = at === undefined || at.uri !== undefined ? {} : { at };
    return [{ rule: rule.rule, severity: rule.severity, message, ...place, source: vllmSource(...rule.source) }];
  });
}

export const vllmModelCoverage: readonly Coverage[] = MODEL_RULES.map(({ rule, covers }) => ({ rule, covers }));
