import { nearestMultiples } from '../../plan/rules/rule-context';
import type { SglangFacts, SglangRule } from './facts';

const ATTENTION = ['server_args.py', 'ServerArgs._handle_attention_backend_compatibility'] as const;
const MLA_CACHE = ['arg_groups/overrides.py', '_mla_kv_cache_dtype_checks'] as const;
const CUTEDSL = ['arg_groups/overrides.py', '_cutedsl_prefill_backend_fill'] as const;
const CACHE4 = ['server_args.py', 'ServerArgs._handle_kv4_compatibility'] as const;
const CACHE_TYPE = ['mem_cache/kv_cache_dtype.py', 'configure_kv_cache_dtype'] as const;
const SPARSE = ['arg_groups/overrides.py', '_dsa_kv_cache_dtype_default'] as const;
const BACKEND = 'attention-backend';
const DECODE = 'decode-attention-backend';
const PREFILL = 'prefill-attention-backend';
const CACHE = 'kv-cache-dtype';
const ALL = [BACKEND, DECODE, PREFILL];

/** The flag that asks for a backend among `flags`. */
function askedBy({ word }: SglangFacts, backend: string, flags: readonly string[]): string | undefined {
  return flags.find((flag) => word(flag, '') === backend);
}

/** The backend of one phase: its own flag before the common one. */
function backendOf({ word }: SglangFacts, flag: string): string {
  return word(flag, word(BACKEND, ''));
}

function isBlackwell(capability: number | undefined): boolean | undefined {
  return capability === undefined ? undefined : capability >= 100 && capability < 130;
}

/** `9.0`, as NVIDIA writes compute capabilities. */
function shown(capability: number): string {
  return (capability / 10).toFixed(1);
}

/** Compute capabilities (their whole part) and cache formats that a backend takes. */
const NEEDS: readonly {
  readonly backend: string;
  readonly flags: readonly string[];
  readonly majors: readonly number[];
  readonly caches?: readonly string[];
  readonly covers: readonly string[];
  readonly source: readonly [string, string];
}[] = [
  {
    backend: 'trtllm_mla',
    flags: [BACKEND, DECODE],
    majors: [10, 12],
    caches: ['fp8_e4m3', 'fp4_e2m1', 'bf16', 'auto'],
    covers: ['SG-ATT06', 'SG-ATT07'],
    source: MLA_CACHE,
  },
  {
    backend: 'tokenspeed_mla',
    flags: [BACKEND, DECODE],
    majors: [10, 12],
    caches: ['fp8_e4m3'],
    covers: ['SG-ATT08'],
    source: MLA_CACHE,
  },
  {
    backend: 'cutedsl_mla',
    flags: [BACKEND, DECODE],
    majors: [10],
    caches: ['fp8_e4m3', 'bf16', 'bfloat16', 'auto'],
    covers: ['SG-ATT09'],
    source: CUTEDSL,
  },
  { backend: 'trtllm_mha', flags: ALL, majors: [9, 10, 12], covers: ['SG-ATT15'], source: ATTENTION },
];

function needRules({ backend, flags, majors, caches, covers, source }: (typeof NEEDS)[number]): SglangRule[] {
  const gpu: SglangRule = {
    rule: 'attention-backend-conflict',
    severity: 'error',
    covers,
    keys: flags,
    source,
    says: (facts) => {
      const flag = askedBy(facts, backend, flags);
      return flag === undefined || facts.capability === undefined || majors.includes(Math.floor(facts.capability / 10))
        ? undefined
        : `${flag} ${backend} runs on compute capability ${majors.map((major) => `${major}.x`).join(', ')} only, and this GPU has ${shown(facts.capability)}.`;
    },
  };
  const cache: SglangRule = {
    rule: 'attention-backend-conflict',
    severity: 'error',
    covers,
    keys: [CACHE, ...flags],
    source,
    says: (facts) => {
      const flag = askedBy(facts, backend, flags);
      const dtype = facts.word(CACHE, 'auto');
      // What auto becomes hangs on the model.
      const open = dtype === 'auto' && facts.model?.indexTopk !== undefined;
      return flag === undefined || open || caches === undefined || caches.includes(dtype)
        ? undefined
        : `${flag} ${backend} takes ${CACHE} ${caches.join(', ')}, not ${dtype}.`;
    },
    fixes: ({ word }) => (word(CACHE, '') === 'bfloat16' && caches?.includes('bf16') === true ? [[CACHE, 'bf16']] : []),
  };
  return caches === undefined ? [gpu] : [gpu, cache];
}

const BACKENDS: readonly SglangRule[] = [
  {
    rule: 'attention-backend-conflict',
    severity: 'error',
    covers: ['SG-ATT09'],
    keys: [PREFILL],
    source: CUTEDSL,
    says: ({ word }) =>
      word(PREFILL, '') === 'cutedsl_mla'
        ? `cutedsl_mla only decodes; leave ${PREFILL} out, and trtllm_mla prefills.`
        : undefined,
  },
  {
    rule: 'attention-backend-conflict',
    severity: 'error',
    covers: ['SG-ATT15'],
    keys: [PREFILL, BACKEND, CACHE, 'attn-cp-size'],
    source: ATTENTION,
    says: (facts) => {
      const { capability, word, args, count } = facts;
      if (backendOf(facts, PREFILL) !== 'trtllm_mha' || capability === undefined) return undefined;
      if (Math.floor(capability / 10) === 12 && word(CACHE, 'auto') === 'fp8_e4m3')
        return `trtllm_mha does not prefill with ${CACHE} fp8_e4m3 on compute capability 12.x.`;
      const context = args.flag('enable-prefill-context-parallel') || count('attn-cp-size', 1) > 1;
      return context && Math.floor(capability / 10) !== 10
        ? `trtllm_mha prefills under context parallelism on compute capability 10.x only, and this GPU has ${shown(capability)}.`
        : undefined;
    },
  },
  {
    rule: 'attention-backend-replaced',
    severity: 'information',
    covers: ['SG-ATT10'],
    keys: [BACKEND, CACHE],
    source: ['arg_groups/overrides.py', '_attention_backend_fa3_fp8_fallback'],
    says: ({ word }) =>
      word(BACKEND, '') === 'fa3' && word(CACHE, '') === 'fp8_e5m2'
        ? `${BACKEND} fa3 becomes triton: it has no ${CACHE} fp8_e5m2, only fp8_e4m3.`
        : undefined,
  },
  {
    rule: 'attention-backend-replaced',
    severity: 'information',
    covers: ['SG-DSA09'],
    keys: ['page-size', CACHE, 'model-path', ...ALL],
    source: ['arg_groups/overrides.py', '_deepseek_family_overrides'],
    says: ({ model, capability, has }) =>
      model?.family === 'deepseek_v3' &&
      model.indexTopk === undefined &&
      capability !== undefined &&
      Math.floor(capability / 10) === 10 &&
      !ALL.some((flag) => has(flag))
        ? 'Without an attention backend this model runs on trtllm_mla here, which takes pages of 32 or 64 tokens and kv-cache-dtype fp8_e4m3, bf16 or auto.'
        : undefined,
  },
  {
    rule: 'cuda-graphs-off',
    severity: 'information',
    covers: ['SG-ATT14'],
    keys: [BACKEND],
    source: ATTENTION,
    says: ({ word, args }) =>
      ['torch_native', 'flex_attention'].includes(word(BACKEND, '')) && !args.flag('disable-cuda-graph')
        ? `${BACKEND} ${word(BACKEND, '')} switches CUDA graphs off.`
        : undefined,
  },
  {
    rule: 'speculation-invalid',
    severity: 'error',
    covers: ['SG-ATT14'],
    keys: [BACKEND, 'speculative-algorithm'],
    source: ATTENTION,
    says: ({ word, speculation }) =>
      word(BACKEND, '') === 'flex_attention' && speculation !== undefined
        ? `${BACKEND} flex_attention has no speculative decoding.`
        : undefined,
  },
  {
    rule: 'memory-fraction-replaced',
    severity: 'information',
    covers: ['SG-ATT16'],
    keys: ['mem-fraction-static', BACKEND, 'context-length'],
    source: ATTENTION,
    says: ({ word, args, model }) => {
      const asked = args.number('mem-fraction-static');
      const context = args.integer('context-length') ?? model?.maxPositions ?? 0;
      return asked !== undefined && word(BACKEND, '') === 'aiter' && context > 8192
        ? `mem-fraction-static ${asked} becomes ${Number((asked * 0.85).toPrecision(6))}: aiter lowers it to 85 % beyond 8,192 tokens of context.`
        : undefined;
    },
  },
];

const PAGES: readonly SglangRule[] = [
  {
    rule: 'page-size-replaced',
    severity: 'information',
    covers: ['SG-ATT01', 'SG-ATT02', 'SG-ATT03', 'SG-ATT04', 'SG-ATT05', 'SG-DSA01'],
    keys: ['page-size', ...ALL, 'speculative-draft-attention-backend'],
    source: ['arg_groups/overrides.py', '_mla_backend_page_constraints'],
    says: ({ args, resolved }) => {
      const asked = args.integer('page-size');
      const page = resolved.plan.serving.pageSize;
      return asked === undefined || page === undefined || page.value === asked || page.origin !== 'derived'
        ? undefined
        : `page-size ${asked} becomes ${page.value}: ${page.note ?? ''}.`;
    },
  },
  {
    rule: 'page-not-dividing-chunk',
    severity: 'error',
    covers: ['SG-ATT17'],
    keys: ['chunked-prefill-size', 'page-size', 'dp-size', ...ALL, 'disaggregation-mode'],
    source: ['server_args.py', 'ServerArgs.check_server_args'],
    says: ({ chunk, page, word, data, degrees: { attentionData } }) => {
      if (chunk === undefined || chunk <= 0 || page === undefined || page < 1 || chunk % page === 0) return undefined;
      if (word('disaggregation-mode', 'null') === 'decode') return undefined;
      const share = attentionData && (data ?? 1) > 1 ? ` (chunked-prefill-size ÷ dp-size ${data ?? ''})` : '';
      return `A prefill step of ${chunk} tokens${share} is no multiple of the page of ${page} tokens.`;
    },
    fixes: ({ args, page, data, degrees: { attentionData } }) => {
      const unit = (page ?? 1) * (attentionData ? (data ?? 1) : 1);
      return nearestMultiples(args.integer('chunked-prefill-size') ?? 0, unit).map((size) => [
        'chunked-prefill-size',
        size,
      ]);
    },
  },
];

function isFp4(dtype: string): boolean {
  return dtype === 'nvfp4' || dtype === 'fp4_mx_block16';
}

/** Backends that read an FP4 cache, by attention and by whether fa4 prefills. */
const CACHE4_BACKENDS = {
  mla: ['cutlass_mla', 'flashinfer', 'trtllm_mla'],
  gqa: ['triton', 'torch_native', 'flex_attention', 'trtllm_mha'],
  fa4: ['triton', 'torch_native', 'flex_attention'],
} as const;

const CACHES: readonly SglangRule[] = [
  {
    rule: 'cache-format-conflict',
    severity: 'error',
    covers: ['SG-ATT18'],
    keys: [CACHE],
    source: CACHE_TYPE,
    says: ({ word }) =>
      word(CACHE, '') === 'fp4_e2m1'
        ? `${CACHE} fp4_e2m1 is still listed and stops the server once the weights are loaded; write fp4_mx_block16.`
        : undefined,
    fixes: () => [[CACHE, 'fp4_mx_block16']],
  },
  {
    rule: 'cache-format-conflict',
    severity: 'error',
    covers: ['SG-ATT11', 'SG-ATT12'],
    keys: [CACHE],
    source: CACHE4,
    says: ({ word, capability }) => {
      const dtype = word(CACHE, '');
      return (dtype === 'mxfp8' || dtype === 'nvfp4') && isBlackwell(capability) === false && capability !== undefined
        ? `${CACHE} ${dtype} needs a Blackwell GPU, and this one has compute capability ${shown(capability)}.`
        : undefined;
    },
  },
  {
    rule: 'cache-format-conflict',
    severity: 'error',
    covers: ['SG-ATT13'],
    keys: [CACHE, ...ALL],
    source: CACHE4,
    says: (facts) => {
      const { word, model } = facts;
      const dtype = word(CACHE, '');
      const [prefill, decode] = [backendOf(facts, PREFILL), backendOf(facts, DECODE)];
      if (!isFp4(dtype) || model === undefined || (prefill !== decode && prefill !== 'fa4') || decode === '')
        return undefined;
      const legal: readonly string[] =
        model.attention === 'mla' ? CACHE4_BACKENDS.mla : CACHE4_BACKENDS[prefill === 'fa4' ? 'fa4' : 'gqa'];
      return legal.includes(decode)
        ? undefined
        : `${CACHE} ${dtype} is read by ${legal.join(', ')} only, not by ${decode}.`;
    },
  },
  {
    rule: 'cache-format-conflict',
    severity: 'error',
    covers: ['SG-DSA03', 'SG-DSA08'],
    keys: [CACHE],
    source: SPARSE,
    says: ({ word, model, family, resolved: { plan } }) => {
      const dtype = word(CACHE, 'auto');
      const four = (family ?? model?.family) === 'deepseek_v4';
      const name = model?.name ?? plan.model.name?.value ?? 'this model';
      const legal = four ? ['auto', 'fp8_e4m3', 'bfloat16'] : ['auto', 'bf16', 'bfloat16', 'fp8_e4m3'];
      return (model?.indexTopk !== undefined || four) && !legal.includes(dtype)
        ? `The sparse attention of ${name} takes ${CACHE} ${legal.join(', ')}, not ${dtype}.`
        : undefined;
    },
  },
  {
    rule: 'cache-format-conflict',
    severity: 'error',
    covers: ['SG-DSA07'],
    keys: [CACHE, 'dsa-prefill-backend', 'dsa-decode-backend'],
    source: ['arg_groups/overrides.py', '_check_tilelang_dsa_fp8_kv'],
    says: ({ word, model, capability }) => {
      const tilelang = ['dsa-prefill-backend', 'dsa-decode-backend'].find((flag) => word(flag, '') === 'tilelang');
      return tilelang !== undefined &&
        model?.indexTopk !== undefined &&
        capability !== undefined &&
        word(CACHE, '') === 'fp8_e4m3'
        ? `${tilelang} tilelang reads a BF16 cache on NVIDIA GPUs; write ${CACHE} bfloat16.`
        : undefined;
    },
  },
  {
    rule: 'cache-format-replaced',
    severity: 'information',
    covers: ['SG-DSA02', 'SG-Q08'],
    keys: [CACHE],
    source: SPARSE,
    says: ({ args, has, model, capability, resolved: { plan } }) => {
      const fp8 = plan.serving.kvDType?.value === 'F8_E4M3';
      if (has(CACHE) && args.text(CACHE) !== 'auto') return undefined;
      if (model?.indexTopk !== undefined && capability !== undefined)
        return `${CACHE} auto becomes ${capability >= 100 ? 'fp8_e4m3' : 'bfloat16'} for the sparse attention of ${model.name} on this GPU.`;
      return fp8 && plan.serving.kvDType?.origin !== 'file' && model !== undefined
        ? `${CACHE} auto becomes fp8_e4m3: the checkpoint of ${model.name} asks for it.`
        : undefined;
    },
  },
];

export const attentionRules: readonly SglangRule[] = [...NEEDS.flatMap(needRules), ...BACKENDS, ...PAGES, ...CACHES];
