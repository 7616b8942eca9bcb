import { advice, divisors, nearest, nearestMultiples } from '../../plan/rules/rule-context';
import type { SglangFacts, SglangRule } from './facts';

const CHECK = ['server_args.py', 'ServerArgs.check_server_args'] as const;
const CONTEXT = ['server_args.py', 'ServerArgs._handle_context_parallelism'] as const;
const DATA = ['server_args.py', 'ServerArgs._handle_data_parallelism'] as const;
const LM_HEAD = ['arg_groups/overrides.py', '_dp_lm_head_validation'] as const;
const DCP = ['server_args.py', 'ServerArgs._handle_dcp_validation'] as const;

function attentionAsked({ args, degrees }: SglangFacts): boolean {
  return degrees.attentionData || args.flag('enable-dp-attention');
}

/** Context parallelism that `enable-prefill-cp` of an MLA model takes out of the tensor ranks. */
function contextSize(facts: SglangFacts): number | undefined {
  const { args, tensor, data, model } = facts;
  if (!args.flag('enable-prefill-cp')) return facts.count('attn-cp-size', 1);
  if (model === undefined) return undefined;
  if (model.attention !== 'mla') return facts.count('attn-cp-size', 1);
  return tensor === undefined || data === undefined ? undefined : Math.floor(tensor / data);
}

const WORLD: readonly SglangRule[] = [
  {
    rule: 'nodes-not-dividing-world',
    severity: 'error',
    covers: ['SG-PAR01'],
    keys: ['nnodes', 'tp-size', 'pp-size'],
    source: CHECK,
    says: ({ tensor, pipeline, degrees: { nodes }, word }) => {
      if (tensor === undefined || pipeline === undefined || nodes === undefined || nodes < 1) return undefined;
      const world = tensor * pipeline;
      return world % nodes === 0 || word('elastic-ep-join-mode', '') === 'scale'
        ? undefined
        : `tp-size ${tensor} × pp-size ${pipeline} = ${world} ranks do not divide over nnodes ${nodes}${advice(nearest(nodes, divisors(world)))}.`;
    },
    fixes: ({ tensor, pipeline, degrees: { nodes } }) =>
      nearest(nodes ?? 1, divisors((tensor ?? 1) * (pipeline ?? 1))).map((count) => ['nnodes', count]),
  },
  {
    rule: 'data-parallel-conflict',
    severity: 'error',
    covers: ['SG-PAR06'],
    keys: ['dp-size', 'nnodes', 'enable-dp-attention'],
    source: CHECK,
    says: (facts) =>
      (facts.data ?? 1) > 1 && (facts.degrees.nodes ?? 1) > 1 && !attentionAsked(facts)
        ? `dp-size ${facts.data ?? ''} makes whole copies, which SGLang does not spread over nnodes ${facts.degrees.nodes ?? ''}; add enable-dp-attention, or start one server a node.`
        : undefined,
  },
  {
    rule: 'data-parallel-conflict',
    severity: 'error',
    covers: ['SG-PAR07'],
    keys: ['enable-dp-lm-head', 'enable-dp-attention', 'dp-size'],
    source: LM_HEAD,
    says: (facts) =>
      facts.args.flag('enable-dp-lm-head') && (facts.data ?? 1) > 1 && !attentionAsked(facts)
        ? 'enable-dp-lm-head needs enable-dp-attention.'
        : undefined,
  },
  {
    rule: 'data-parallel-conflict',
    severity: 'error',
    covers: ['SG-PAR08'],
    keys: [
      'enable-tp-lm-head-all-to-all',
      'enable-dp-attention',
      'enable-dp-lm-head',
      'tp-size',
      'dp-size',
      'attn-cp-size',
    ],
    source: LM_HEAD,
    says: (facts) => {
      const { args, degrees, tensor, data } = facts;
      if (!args.flag('enable-tp-lm-head-all-to-all') || tensor === undefined || data === undefined) return undefined;
      const head = 'enable-tp-lm-head-all-to-all';
      if (!degrees.attentionData) return `${head} needs enable-dp-attention with dp-size above 1.`;
      if (args.flag('enable-dp-lm-head'))
        return `${head} cuts the output head that enable-dp-lm-head keeps whole; leave one out.`;
      if (tensor !== data) return `${head} needs tp-size and dp-size to be the same, not ${tensor} and ${data}.`;
      return facts.count('attn-cp-size', 1) === 1 ? undefined : `${head} needs attn-cp-size 1.`;
    },
  },
  {
    rule: 'dense-tensor-invalid',
    severity: 'error',
    covers: ['SG-PAR09'],
    keys: ['moe-dense-tp-size', 'tp-size'],
    source: CHECK,
    says: ({ args, tensor }) => {
      const dense = args.integer('moe-dense-tp-size');
      return dense === undefined || tensor === undefined || dense === 1 || dense === tensor
        ? undefined
        : `moe-dense-tp-size ${dense} is neither 1 nor tp-size ${tensor}, and SGLang takes no other.`;
    },
    fixes: ({ tensor }) => [1, tensor ?? 1].map((degree) => ['moe-dense-tp-size', degree]),
  },
  {
    rule: 'dp-attention-ignored',
    severity: 'information',
    covers: ['SG-PAR05'],
    keys: ['enable-dp-attention', 'enable-dp-lm-head', 'dp-size'],
    source: ['arg_groups/overrides.py', '_data_parallelism_defaults'],
    says: ({ args, data, word }) => {
      const asked = ['enable-dp-attention', 'enable-dp-lm-head'].filter((flag) => args.flag(flag));
      return asked.length > 0 &&
        data === 1 &&
        word('elastic-ep-join-mode', '') !== 'scale' &&
        (args.integer('dwdp-size') ?? 1) <= 1
        ? `${asked.join(' and ')} ${asked.length > 1 ? 'are' : 'is'} switched off without a word: dp-size is 1.`
        : undefined;
    },
  },
  {
    rule: 'prefill-chunk-divided',
    severity: 'information',
    covers: ['SG-PAR03'],
    keys: ['chunked-prefill-size', 'dp-size', 'enable-dp-attention'],
    source: DATA,
    says: ({ args, degrees: { attentionData }, data, chunk }) => {
      const asked = args.integer('chunked-prefill-size');
      if (asked === undefined || asked <= 0 || !attentionData || data === undefined || data <= 1) return undefined;
      return `chunked-prefill-size ${asked} is the sum over the data ranks: each prefills ${chunk ?? Math.floor(asked / data)} tokens at a time (÷ dp-size ${data}).`;
    },
  },
  {
    rule: 'scheduling-replaced',
    severity: 'information',
    covers: ['SG-PAR04'],
    keys: ['schedule-conservativeness', 'enable-dp-attention', 'dp-size'],
    source: DATA,
    says: ({ args, degrees: { attentionData } }) => {
      const asked = args.number('schedule-conservativeness');
      return asked !== undefined && attentionData
        ? `schedule-conservativeness ${asked} becomes ${Number((asked * 0.3).toPrecision(6))} under data-parallel attention (× 0.3).`
        : undefined;
    },
  },
];

const CP: readonly SglangRule[] = [
  {
    rule: 'context-parallel-conflict',
    severity: 'error',
    covers: ['SG-PAR10', 'SG-PAR11'],
    keys: ['attn-cp-size', 'tp-size', 'dp-size'],
    source: CONTEXT,
    says: ({ args, tensor, data, degrees }) => {
      const cp = args.integer('attn-cp-size') ?? 1;
      if (cp <= 1 || tensor === undefined || data === undefined) return undefined;
      if (tensor % cp !== 0)
        return `tp-size ${tensor} does not divide by attn-cp-size ${cp}${advice(nearest(cp, divisors(tensor)))}.`;
      const both = (degrees.attentionData ? data : Math.max(1, data)) * cp;
      return tensor % both === 0
        ? undefined
        : `tp-size ${tensor} does not divide by dp-size ${data} × attn-cp-size ${cp} = ${both}${advice(nearestMultiples(tensor, both))} for tp-size.`;
    },
  },
  {
    rule: 'context-parallel-conflict',
    severity: 'error',
    covers: ['SG-PAR16'],
    keys: ['enable-prefill-cp', 'cp-strategy'],
    source: CONTEXT,
    says: ({ args, has }) =>
      args.flag('enable-prefill-cp') && !has('cp-strategy')
        ? 'enable-prefill-cp needs cp-strategy: zigzag, or interleave for sparse attention.'
        : undefined,
  },
  {
    rule: 'context-parallel-conflict',
    severity: 'error',
    covers: ['SG-PAR15'],
    keys: ['moe-dp-size', 'attn-cp-size', 'enable-prefill-cp'],
    source: CONTEXT,
    says: (facts) => {
      const copies = facts.count('moe-dp-size', 1);
      const cp = contextSize(facts);
      // Copies that do not divide tp-size are told by the rule on the grid of experts.
      const odd = facts.tensor !== undefined && facts.tensor % copies !== 0;
      return cp === undefined || copies === 1 || copies === cp || odd
        ? undefined
        : `moe-dp-size ${copies} has to be 1 or attn-cp-size, which is ${cp}.`;
    },
  },
  {
    rule: 'context-parallel-conflict',
    severity: 'error',
    covers: ['SG-PAR17'],
    keys: ['dcp-size', 'dcp-comm-backend', 'dcp-replicate-q-proj'],
    source: DCP,
    says: (facts) => {
      const size = facts.count('dcp-size', 1);
      const backend = facts.word('dcp-comm-backend', '');
      const exchange = backend === 'a2a' || backend === 'fi_a2a';
      if (size < 1) return `dcp-size ${size} has to be 1 or more.`;
      if (exchange && size <= 1) return `dcp-comm-backend ${backend} needs dcp-size above 1.`;
      return facts.args.flag('dcp-replicate-q-proj') && (size <= 1 || !exchange)
        ? 'dcp-replicate-q-proj needs dcp-size above 1 and dcp-comm-backend a2a or fi_a2a.'
        : undefined;
    },
  },
  {
    rule: 'context-parallel-conflict',
    severity: 'error',
    covers: ['SG-DSA04', 'SG-DSA06'],
    keys: ['enable-prefill-cp', 'cp-strategy', 'tp-size', 'dp-size'],
    source: ['arg_groups/overrides.py', '_deepseek_family_overrides'],
    says: (facts) => {
      const { model, tensor, data } = facts;
      if (!facts.args.flag('enable-prefill-cp') || model?.indexTopk === undefined) return undefined;
      if ((tensor ?? 1) > 8)
        return `Context parallelism of sparse attention stays inside one machine: tp-size ${tensor ?? ''} is above 8.`;
      return facts.word('cp-strategy', '') === 'interleave' && (data ?? 1) !== 1
        ? `cp-strategy interleave goes with dp-size 1 only, not ${data ?? ''}.`
        : undefined;
    },
  },
  {
    rule: 'expert-parallel-replaced',
    severity: 'information',
    covers: ['SG-DSA05'],
    keys: ['enable-prefill-cp', 'cp-strategy', 'ep-size', 'moe-a2a-backend', 'moe-dense-tp-size'],
    source: ['arg_groups/overrides.py', '_deepseek_family_overrides'],
    says: (facts) => {
      const { model, tensor, data } = facts;
      if (!facts.args.flag('enable-prefill-cp') || model?.attention !== 'mla' || (model.experts ?? 0) === 0)
        return undefined;
      if (tensor === undefined || data === undefined || data < 1) return undefined;
      const all = model.indexTopk === undefined || facts.word('cp-strategy', '') === 'zigzag';
      const experts = all ? `, moe-a2a-backend deepep and ep-size ${tensor}` : '';
      return `enable-prefill-cp sets attn-cp-size ${Math.floor(tensor / data)}, enable-dp-attention, moe-dense-tp-size 1${experts}, whatever is written.`;
    },
  },
];

const PIPELINE: readonly SglangRule[] = [
  {
    rule: 'pipeline-conflict',
    severity: 'error',
    covers: ['SG-PAR18'],
    keys: ['pp-size', 'speculative-algorithm'],
    source: CHECK,
    says: ({ pipeline, speculation }) =>
      (pipeline ?? 1) > 1 && speculation !== undefined
        ? `pp-size ${pipeline ?? ''} cannot go with speculative decoding (${speculation}); set pp-size to 1.`
        : undefined,
  },
  {
    rule: 'scheduling-replaced',
    severity: 'information',
    covers: ['SG-PAR19'],
    keys: ['pp-size', 'disable-overlap-schedule'],
    source: ['arg_groups/overrides.py', '_pipeline_parallel_overlap_disable'],
    says: ({ pipeline, args }) =>
      (pipeline ?? 1) > 1 && !args.flag('disable-overlap-schedule')
        ? 'Pipeline parallelism switches the overlap schedule off.'
        : undefined,
  },
  {
    rule: 'pipeline-conflict',
    severity: 'error',
    covers: ['SG-PAR20'],
    keys: ['pp-max-micro-batch-size'],
    source: CHECK,
    says: ({ args }) => {
      const size = args.integer('pp-max-micro-batch-size');
      return size !== undefined && size < 1 ? `pp-max-micro-batch-size ${size} has to be 1 or more.` : undefined;
    },
  },
  {
    rule: 'stage-layers-mismatch',
    severity: 'error',
    covers: ['SG-PAR21'],
    keys: ['pp-size'],
    source: ['distributed/utils.py', 'get_pp_indices'],
    says: ({ environment, pipeline, model }) => {
      const text = environment['SGLANG_PP_LAYER_PARTITION'];
      const layers = text?.split(',').map(Number);
      if (
        text === undefined ||
        layers === undefined ||
        pipeline === undefined ||
        layers.some((count) => !Number.isInteger(count))
      )
        return undefined;
      if (layers.length !== pipeline)
        return `SGLANG_PP_LAYER_PARTITION ${text} has ${layers.length} stages, and pp-size is ${pipeline}.`;
      const sum = layers.reduce((all, count) => all + count, 0);
      return model === undefined || sum === model.layers
        ? undefined
        : `SGLANG_PP_LAYER_PARTITION ${text} holds ${sum} layers, and ${model.name} has ${model.layers}.`;
    },
  },
  {
    rule: 'layers-uneven',
    severity: 'information',
    covers: ['SG-PAR21'],
    keys: ['pp-size'],
    source: ['distributed/utils.py', 'get_pp_indices'],
    says: ({ environment, pipeline, model }) => {
      if (pipeline === undefined || pipeline <= 1 || model === undefined || pipeline > model.layers) return undefined;
      if (environment['SGLANG_PP_LAYER_PARTITION'] !== undefined || model.layers % pipeline === 0) return undefined;
      const base = Math.floor(model.layers / pipeline);
      const counts = Array.from(
        { length: pipeline },
        (_, stage) => base + (stage >= pipeline - (model.layers % pipeline) ? 1 : 0),
      );
      return `${model.layers} layers over pp-size ${pipeline} are built as ${counts.join('|')}; SGLANG_PP_LAYER_PARTITION says otherwise.`;
    },
  },
];

const JOINT: readonly SglangRule[] = [
  {
    rule: 'joint-parallel-conflict',
    severity: 'error',
    covers: ['SG-PAR22'],
    keys: [
      'dwdp-size',
      'tp-size',
      'pp-size',
      'enable-eplb',
      'speculative-algorithm',
      'enable-two-batch-overlap',
      'disaggregation-mode',
    ],
    source: ['server_args.py', 'ServerArgs._handle_dwdp'],
    says: (facts) => {
      const { args, tensor, pipeline, speculation } = facts;
      const size = args.integer('dwdp-size') ?? 1;
      if (size <= 1) return undefined;
      if (tensor !== undefined && size !== tensor) return `dwdp-size ${size} has to be tp-size, which is ${tensor}.`;
      if ((pipeline ?? 1) !== 1) return `dwdp-size needs pp-size 1, not ${pipeline ?? ''}.`;
      const against = [
        [args.flag('enable-eplb'), 'enable-eplb'],
        [speculation !== undefined, 'speculative-algorithm'],
        [args.flag('enable-two-batch-overlap'), 'enable-two-batch-overlap'],
        [facts.word('disaggregation-mode', 'null') === 'decode', 'disaggregation-mode decode'],
      ] as const;
      const [first] = against.filter(([holds]) => holds);
      return first === undefined ? undefined : `dwdp-size ${size} cannot go with ${first[1]}.`;
    },
  },
  {
    rule: 'expert-parallel-replaced',
    severity: 'information',
    covers: ['SG-PAR22'],
    keys: ['dwdp-size'],
    source: ['server_args.py', 'ServerArgs._handle_dwdp'],
    says: ({ args, tensor }) => {
      const size = args.integer('dwdp-size') ?? 1;
      return size > 1 && size === tensor
        ? `dwdp-size ${size} sets dp-size and ep-size to ${size}, enable-dp-attention, enable-dp-lm-head, moe-dense-tp-size 1, moe-a2a-backend none, and switches CUDA graphs off.`
        : undefined;
    },
  },
];

export const parallelRules: readonly SglangRule[] = [...WORLD, ...CP, ...PIPELINE, ...JOINT];
