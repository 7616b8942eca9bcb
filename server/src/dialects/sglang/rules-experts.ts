import type { SglangFacts, SglangRule } from './facts';

const KERNELS = ['server_args.py', 'ServerArgs._handle_moe_kernel_config'] as const;
const EXCHANGE = ['server_args.py', 'ServerArgs._handle_a2a_moe'] as const;
const RUNNER = 'moe-runner-backend';
const A2A = 'moe-a2a-backend';

/** Quantizations that each kernel of the experts takes; leaving `quantization` out is always right. */
const TAKES: Readonly<Record<string, readonly string[]>> = {
  flashinfer_cutlass: ['modelopt_fp4', 'modelopt_fp8', 'modelopt_mixed'],
  flashinfer_trtllm: [
    'modelopt_fp4',
    'nvfp4_online',
    'fp8',
    'mxfp8',
    'modelopt_fp8',
    'modelopt_mixed',
    'compressed-tensors',
  ],
  flashinfer_trtllm_routed: ['fp8', 'mxfp8', 'modelopt_fp4', 'modelopt_mixed', 'nvfp4_online'],
  flashinfer_cutedsl: ['modelopt_fp4', 'modelopt_mixed', 'nvfp4_online'],
};
const ONLINE_FP4 = ['auto', 'flashinfer_trtllm', 'flashinfer_trtllm_routed', 'flashinfer_cutedsl'];
const MXFP8 = ['auto', 'cutlass', 'deep_gemm', 'flashinfer_trtllm', 'flashinfer_trtllm_routed', 'triton'];
/** Tokens that one rank may hand out in one step, and the variable that says so. */
const LIMITS = {
  deepep: ['SGLANG_DEEPEP_NUM_MAX_DISPATCH_TOKENS_PER_RANK', 128],
  pplx: ['SGLANG_PPLX_NUM_MAX_DISPATCH_TOKENS_PER_RANK', 128],
  mori: ['SGLANG_MORI_NUM_MAX_DISPATCH_TOKENS_PER_RANK', 4096],
  flashinfer: ['SGLANG_FLASHINFER_NUM_MAX_DISPATCH_TOKENS_PER_RANK', 1024],
} as const;

function limitOf(
  { environment }: SglangFacts,
  backend: keyof typeof LIMITS,
): { readonly name: string; readonly tokens: number } {
  const [name, otherwise] = LIMITS[backend];
  const set = Number(environment[name]);
  return { name, tokens: Number.isInteger(set) && set > 0 ? set : otherwise };
}

function prefills(facts: SglangFacts): boolean {
  return facts.word('disaggregation-mode', 'null') !== 'decode';
}

/** The prefill step of a rank where the file leaves it to SGLang: at least this many tokens, whatever the GPU. */
function leastChunk({ has, args, degrees: { attentionData }, data }: SglangFacts): number | undefined {
  if (args.unknown('chunked-prefill-size') || data === undefined || data < 1) return undefined;
  const whole = has('chunked-prefill-size') ? args.integer('max-prefill-tokens') : 2048;
  return whole === undefined ? undefined : Math.floor(whole / (attentionData ? data : 1));
}

const KERNEL: readonly SglangRule[] = [
  {
    rule: 'moe-backend-conflict',
    severity: 'error',
    covers: ['SG-MOE12', 'SG-MOE14', 'SG-MOE15'],
    keys: [RUNNER, 'quantization'],
    source: KERNELS,
    says: ({ word }) => {
      const takes = TAKES[word(RUNNER, '')];
      const quantization = word('quantization', '').toLowerCase();
      return takes === undefined || quantization === '' || takes.includes(quantization)
        ? undefined
        : `${RUNNER} ${word(RUNNER, '')} does not take quantization ${quantization}; it takes ${takes.join(', ')}.`;
    },
  },
  {
    rule: 'moe-backend-conflict',
    severity: 'error',
    covers: ['SG-MOE13'],
    keys: [RUNNER, 'ep-size', 'tp-size'],
    source: KERNELS,
    says: ({ word, args, tensor }) => {
      const runner = word(RUNNER, '');
      const expert = args.integer('ep-size') ?? 1;
      const narrow = runner === 'flashinfer_cutlass' || runner === 'flashinfer_cutedsl';
      return narrow && tensor !== undefined && expert !== 1 && expert !== tensor && word(A2A, 'none') === 'none'
        ? `${RUNNER} ${runner} needs ep-size 1 or tp-size, which is ${tensor}, not ${expert}.`
        : undefined;
    },
  },
  {
    rule: 'moe-backend-conflict',
    severity: 'error',
    covers: ['SG-MOE14'],
    keys: [RUNNER, A2A],
    source: KERNELS,
    says: ({ word }) =>
      word(RUNNER, '') === 'flashinfer_cutedsl' && !['none', 'deepep', 'flashinfer'].includes(word(A2A, 'none'))
        ? `${RUNNER} flashinfer_cutedsl goes with ${A2A} none, deepep or flashinfer, not ${word(A2A, '')}.`
        : undefined,
  },
  {
    rule: 'moe-backend-conflict',
    severity: 'error',
    covers: ['SG-MOE16'],
    keys: [RUNNER, 'quantization', 'ep-size'],
    source: KERNELS,
    says: ({ word, args }) =>
      word(RUNNER, '') === 'cutlass' &&
      ['fp8', 'mxfp8'].includes(word('quantization', '')) &&
      (args.integer('ep-size') ?? 1) !== 1
        ? `${RUNNER} cutlass serves FP8 experts with ep-size 1 only, not ${args.integer('ep-size') ?? ''}.`
        : undefined,
  },
  {
    rule: 'moe-backend-conflict',
    severity: 'error',
    covers: ['SG-MOE20'],
    keys: ['quantization', RUNNER],
    source: ['arg_groups/overrides.py', '_moe_runner_backend_quant_constraints'],
    says: ({ word, capability }) => {
      if (word('quantization', '') !== 'nvfp4_online') return undefined;
      if (capability !== undefined && (capability < 100 || capability >= 110))
        return `quantization nvfp4_online needs a Blackwell GPU of compute capability 10.x, and this one has ${(capability / 10).toFixed(1)}.`;
      return ONLINE_FP4.includes(word(RUNNER, 'auto'))
        ? undefined
        : `quantization nvfp4_online goes with ${RUNNER} ${ONLINE_FP4.slice(1).join(', ')} only.`;
    },
  },
  {
    rule: 'moe-backend-replaced',
    severity: 'information',
    covers: ['SG-MOE21'],
    keys: [RUNNER, 'quantization'],
    source: ['arg_groups/overrides.py', '_moe_runner_backend_quant_constraints'],
    says: ({ word }) =>
      word('quantization', '') === 'mxfp8' && !MXFP8.includes(word(RUNNER, 'auto'))
        ? `${RUNNER} ${word(RUNNER, '')} has no MXFP8 kernels and becomes flashinfer_trtllm.`
        : undefined,
  },
  {
    rule: 'moe-backend-replaced',
    severity: 'information',
    covers: ['SG-MOE22'],
    keys: [RUNNER, A2A, 'disable-shared-experts-fusion'],
    source: ['arg_groups/overrides.py', '_moe_runner_fusion_disable'],
    says: ({ word, args, model }) => {
      const runner = word(RUNNER, '');
      const by = /^(?:flashinfer_(?:cutedsl|trtllm|trtllm_routed)|experimental_sgl_trtllm)$/.test(runner)
        ? `${RUNNER} ${runner}`
        : word(A2A, '') === 'flashinfer'
          ? `${A2A} flashinfer`
          : undefined;
      return by === undefined ||
        args.flag('disable-shared-experts-fusion') ||
        (model !== undefined && (model.sharedExperts ?? 0) === 0)
        ? undefined
        : `${by} keeps shared experts apart from the routed ones, as disable-shared-experts-fusion does.`;
    },
  },
];

const A2A_RULES: readonly SglangRule[] = [
  {
    rule: 'expert-parallel-replaced',
    severity: 'information',
    covers: ['SG-MOE05'],
    keys: ['ep-size', A2A, 'tp-size'],
    source: ['arg_groups/overrides.py', '_a2a_ep_size'],
    says: ({ args, word, tensor, expert }) => {
      const asked = args.integer('ep-size');
      return asked !== undefined &&
        tensor !== undefined &&
        expert === tensor &&
        asked !== tensor &&
        word(A2A, 'none') !== 'none'
        ? `ep-size ${asked} becomes ${tensor}: ${A2A} ${word(A2A, '')} spreads experts over the whole tp-size.`
        : undefined;
    },
  },
  {
    rule: 'cuda-graphs-off',
    severity: 'information',
    covers: ['SG-MOE06'],
    keys: ['deepep-mode', A2A],
    source: EXCHANGE,
    says: ({ word }) =>
      word(A2A, '') === 'deepep' &&
      word('deepep-mode', 'auto') === 'normal' &&
      word(RUNNER, '') !== 'flashinfer_cutedsl'
        ? 'deepep-mode normal switches CUDA graphs off for prefill and decode.'
        : undefined,
  },
  {
    rule: 'all2all-conflict',
    severity: 'error',
    covers: ['SG-MOE07'],
    keys: [A2A, 'enable-dp-attention', 'dp-size', 'tp-size'],
    source: EXCHANGE,
    says: ({ word, degrees: { attentionData }, tensor, data }) =>
      word(A2A, '') === 'flashinfer' &&
      tensor !== undefined &&
      data !== undefined &&
      (!attentionData || data !== tensor)
        ? `${A2A} flashinfer needs enable-dp-attention with dp-size equal to tp-size ${tensor}.`
        : undefined,
  },
  {
    rule: 'all2all-conflict',
    severity: 'error',
    covers: ['SG-MOE08'],
    keys: [A2A, RUNNER],
    source: EXCHANGE,
    says: ({ word }) => {
      const legal = ['flashinfer_cutlass', 'flashinfer_cutedsl', 'flashinfer_trtllm_routed'];
      // What auto becomes hangs on the checkpoint and the GPU.
      return word(A2A, '') !== 'flashinfer' || ['auto', ...legal].includes(word(RUNNER, 'auto'))
        ? undefined
        : `${A2A} flashinfer needs ${RUNNER} ${legal.join(', ')}, not ${word(RUNNER, '')}.`;
    },
  },
  {
    rule: 'all2all-conflict',
    severity: 'error',
    covers: ['SG-MOE09'],
    keys: [A2A, 'deepep-mode', 'dp-size', 'enable-dp-attention', RUNNER],
    source: EXCHANGE,
    says: ({ word, degrees: { attentionData }, data }) => {
      if (word(A2A, '') !== 'pplx') return undefined;
      if (word('deepep-mode', 'auto') === 'normal')
        return `${A2A} pplx has no normal mode; set deepep-mode to low_latency or auto.`;
      if (!attentionData || (data ?? 2) < 2) return `${A2A} pplx needs enable-dp-attention with dp-size 2 or more.`;
      return ['deep_gemm', 'auto'].includes(word(RUNNER, 'auto'))
        ? undefined
        : `${A2A} pplx goes with ${RUNNER} deep_gemm or auto.`;
    },
  },
  {
    rule: 'all2all-conflict',
    severity: 'error',
    covers: ['SG-MOE17'],
    keys: ['deepep-mode', A2A, RUNNER],
    source: EXCHANGE,
    says: ({ word }) =>
      word(A2A, '') === 'deepep' &&
      word(RUNNER, '') === 'flashinfer_cutedsl' &&
      word('deepep-mode', 'auto') === 'normal'
        ? `${RUNNER} flashinfer_cutedsl has no handler for deepep-mode normal; set low_latency or auto.`
        : undefined,
  },
  {
    rule: 'all2all-conflict',
    severity: 'error',
    covers: ['SG-MOE19'],
    keys: ['enable-two-batch-overlap', A2A, 'enable-dp-attention'],
    source: ['server_args.py', 'ServerArgs._check_two_batch_overlap'],
    says: ({ args, word, degrees }) =>
      args.flag('enable-two-batch-overlap') &&
      word(A2A, 'none') === 'none' &&
      !args.flag('enable-dp-attention') &&
      !degrees.attentionData &&
      !args.flag('enable-dsa-prefill-context-parallel')
        ? `enable-two-batch-overlap needs ${A2A} or enable-dp-attention: there is nothing to overlap otherwise.`
        : undefined,
  },
];

const TOKENS: readonly SglangRule[] = [
  {
    rule: 'dispatch-tokens-exceeded',
    severity: 'error',
    covers: ['SG-MOE10', 'SG-MOE11'],
    keys: ['chunked-prefill-size', A2A, 'dp-size', 'cuda-graph-max-bs-decode', 'disaggregation-mode'],
    source: EXCHANGE,
    says: (facts) => {
      const backend = facts.word(A2A, '');
      if ((backend !== 'pplx' && backend !== 'mori') || facts.chunk === undefined || !prefills(facts)) return undefined;
      const { name, tokens } = limitOf(facts, backend);
      const need = backend === 'pplx' ? Math.max(facts.chunk, facts.count('cuda-graph-max-bs-decode', 0)) : facts.chunk;
      return need > tokens
        ? `A rank hands out up to ${need} tokens at a time, and ${name} allows ${tokens}: raise it, or lower chunked-prefill-size.`
        : undefined;
    },
  },
  {
    rule: 'dispatch-tokens-exceeded',
    severity: 'error',
    covers: ['SG-MOE18'],
    keys: ['max-prefill-tokens', A2A, RUNNER, 'disaggregation-mode'],
    source: ['server_args.py', 'ServerArgs._validate_cutedsl_a2a_token_budget'],
    says: (facts) => {
      if (facts.word(A2A, '') !== 'flashinfer' || facts.word(RUNNER, '') !== 'flashinfer_cutedsl' || !prefills(facts))
        return undefined;
      const { name, tokens } = limitOf(facts, 'flashinfer');
      const draft = facts.speculation === undefined ? 1 : (facts.resolved.plan.serving.speculativeTokens?.value ?? 1);
      const need = Math.max(
        facts.count('max-prefill-tokens', 16_384),
        facts.count('cuda-graph-max-bs-decode', 0) * draft,
      );
      const room = tokens * (facts.tensor ?? Number.NaN);
      return room < need
        ? `${need} tokens of one step are more than ${name} ${tokens} × ep-size ${facts.tensor ?? ''} = ${room}: set it to ${Math.ceil(need / (facts.tensor ?? 1))}, or lower max-prefill-tokens.`
        : undefined;
    },
  },
  {
    rule: 'dispatch-tokens-exceeded',
    severity: 'warning',
    covers: ['SG-MOE23'],
    keys: ['chunked-prefill-size', 'deepep-mode', A2A, 'dp-size', 'disaggregation-mode'],
    source: ['environ.py', 'Envs.SGLANG_DEEPEP_NUM_MAX_DISPATCH_TOKENS_PER_RANK'],
    says: (facts) => {
      const { word } = facts;
      const chunk = facts.chunk ?? leastChunk(facts);
      const low =
        word('deepep-mode', 'auto') === 'low_latency' ||
        (word(RUNNER, '') === 'flashinfer_cutedsl' && word('deepep-mode', 'auto') === 'auto');
      if (word(A2A, '') !== 'deepep' || !low || chunk === undefined || !prefills(facts)) return undefined;
      const { name, tokens } = limitOf(facts, 'deepep');
      return chunk > tokens
        ? `The first prompt above ${tokens} tokens stops the server: low-latency DeepEP hands out at most ${name} tokens a rank, and a prefill step has ${facts.chunk === undefined ? 'at least ' : ''}${chunk}; use deepep-mode auto, or raise the variable.`
        : undefined;
    },
  },
];

export const expertRules: readonly SglangRule[] = [...KERNEL, ...A2A_RULES, ...TOKENS];
