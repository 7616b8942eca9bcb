import type { KnownModel, ModelRule } from './rules-model';
import type { VllmArguments } from './values';

type Kind = 'dense' | 'mla' | 'sparse';

/** An attention backend: what it is for, cache formats beyond 16 bits, block sizes it takes multiples of, and its GPUs. */
interface Backend {
  readonly kind: Kind;
  readonly formats: readonly string[];
  readonly blocks: readonly number[];
  /** Major compute capabilities; absent: any. */
  readonly majors?: readonly number[];
  /** Also on AMD GPUs, where the same name may take more. */
  readonly amd?: true;
}

const FP8 = ['fp8', 'fp8_e4m3'];
const SIXTEEN = ['auto', 'float16', 'bfloat16'];

/** Backends by name. Source: vllm/v1/attention/backends/*.py, `supported_kv_cache_dtypes` and `get_supported_kernel_block_sizes`. */
const BACKENDS: Readonly<Record<string, Backend>> = {
  FLASH_ATTN: { kind: 'dense', formats: FP8, blocks: [16], majors: [8, 9, 10, 12], amd: true },
  FLASHINFER: {
    kind: 'dense',
    formats: [...FP8, 'fp8_e5m2', 'nvfp4', 'nvfp4_4over6'],
    blocks: [16],
    majors: [8, 9, 10, 12],
  },
  FLEX_ATTENTION: { kind: 'dense', formats: [], blocks: [16] },
  TRITON_ATTN: {
    kind: 'dense',
    formats: [...FP8, 'fp8_e5m2', 'int4_per_token_head', 'int8_per_token_head', 'fp8_per_token_head'],
    blocks: [16],
    amd: true,
  },
  TURBOQUANT: {
    kind: 'dense',
    formats: ['turboquant_k8v4', 'turboquant_4bit_nc', 'turboquant_k3v4_nc', 'turboquant_3bit_nc'],
    blocks: [16],
  },
  CUTLASS_MLA: { kind: 'mla', formats: FP8, blocks: [128], majors: [10] },
  FLASH_ATTN_MLA: { kind: 'mla', formats: [], blocks: [16], majors: [9] },
  FLASHINFER_MLA: { kind: 'mla', formats: FP8, blocks: [32], majors: [10] },
  FLASHMLA: { kind: 'mla', formats: FP8, blocks: [64], majors: [9, 10] },
  TOKENSPEED_MLA: { kind: 'mla', formats: FP8, blocks: [32], majors: [10] },
  TRITON_MLA: { kind: 'mla', formats: FP8, blocks: [16], amd: true },
  ROCM_AITER_MLA: { kind: 'mla', formats: [...FP8, 'fp8_e5m2'], blocks: [1], majors: [], amd: true },
  ROCM_AITER_MLA_SPARSE: { kind: 'sparse', formats: FP8, blocks: [1], majors: [], amd: true },
  FLASH_ATTN_MLA_SPARSE: { kind: 'sparse', formats: [], blocks: [64], majors: [9] },
  FLASHMLA_SPARSE: { kind: 'sparse', formats: ['fp8', 'fp8_ds_mla'], blocks: [64], majors: [9, 10] },
  FLASHINFER_MLA_SPARSE: { kind: 'sparse', formats: FP8, blocks: [32], majors: [10] },
  FLASHINFER_MLA_SPARSE_SM120: { kind: 'sparse', formats: [...FP8, 'fp8_ds_mla'], blocks: [64], majors: [12] },
};
const KIND_NAME: Readonly<Record<Kind, string>> = {
  dense: 'ordinary attention',
  mla: 'latent attention (MLA)',
  sparse: 'sparse latent attention',
};

function kindOf({ model }: KnownModel): Kind {
  return model.attention !== 'mla' ? 'dense' : model.indexHeads !== undefined ? 'sparse' : 'mla';
}

/** Major capability of the GPU that somebody named; undefined while it is our guess, and for GPUs of other vendors. */
function majorOf({ resolved: { plan } }: KnownModel): number | undefined {
  const { gpu, computeCapability } = plan.cluster;
  const value = computeCapability?.value ?? 0;
  return gpu === undefined || gpu.origin === 'assumed' || value <= 0 ? undefined : Math.floor(value / 10);
}

function takes({ formats }: Backend, format: string): boolean {
  return SIXTEEN.includes(format) || formats.includes(format);
}

/** Backends that could be chosen for the model on the GPU. */
function candidates(known: KnownModel): [string, Backend][] {
  const kind = kindOf(known);
  const major = majorOf(known);
  return Object.entries(BACKENDS).filter(
    ([, backend]) =>
      backend.kind === kind && (major === undefined || backend.majors === undefined || backend.majors.includes(major)),
  );
}

/** The backend that is asked for; undefined where the table has none, or where an AMD GPU may run another of that name. */
function chosenBackend(args: VllmArguments, known: KnownModel): readonly [string, Backend] | undefined {
  const name = (args.text('attention-backend') ?? args.text('attention-config.backend'))?.toUpperCase();
  const backend = name === undefined ? undefined : BACKENDS[name];
  if (name === undefined || backend === undefined) return undefined;
  return backend.amd === true && majorOf(known) === undefined ? undefined : [name, backend];
}

function isBackendStated(args: VllmArguments): boolean {
  return args.entry('attention-backend') !== undefined || args.entry('attention-config.backend') !== undefined;
}

/** Every format that some backend knows: another one is a spelling matter, which the parser judges. */
const KNOWN_FORMATS = new Set(Object.values(BACKENDS).flatMap(({ formats }) => formats));

function formatsOf(backends: readonly (readonly [string, Backend])[]): string {
  const formats = new Set(backends.flatMap(([, { formats: own }]) => own));
  return ['auto', 'bfloat16', ...formats].join(', ');
}

/** Rules on the KV cache: format, block size and the attention backend that has to take both. */
export const cacheRules: readonly ModelRule[] = [
  {
    rule: 'kv-format-unsupported',
    severity: 'error',
    covers: ['VL-KV01', 'VL-KV02', 'VL-KV05'],
    keys: ['kv-cache-dtype', 'attention-backend', 'attention-config.backend'],
    source: ['platforms/cuda.py', 'CudaPlatform.get_attn_backend_cls'],
    says: (args, known) => {
      const format = args.text('kv-cache-dtype');
      if (format === undefined || SIXTEEN.includes(format) || !KNOWN_FORMATS.has(format)) return undefined;
      const chosen = chosenBackend(args, known);
      if (chosen !== undefined)
        return takes(chosen[1], format)
          ? undefined
          : `${chosen[0]} has no kernel for \`kv-cache-dtype: ${format}\`; it takes ${formatsOf([chosen])}.`;
      // A backend that is not in the table is another vendor's, or newer than the table.
      if (isBackendStated(args)) return undefined;
      // Families with caches of their own may be described by fields that look like ordinary attention.
      if (kindOf(known) === 'dense' && /deepseek|kimi|dsa|longcat/i.test(known.model.family ?? '')) return undefined;
      const open = candidates(known);
      return open.length === 0 || open.some(([, backend]) => takes(backend, format))
        ? undefined
        : `No attention backend for ${KIND_NAME[kindOf(known)]}${majorOf(known) === undefined ? '' : ` on ${known.resolved.plan.cluster.gpu?.value ?? 'this GPU'}`} takes \`kv-cache-dtype: ${format}\`; they take ${formatsOf(open)}.`;
    },
  },
  {
    rule: 'attention-backend-unsupported',
    severity: 'error',
    covers: ['VL-KV02'],
    keys: ['attention-backend', 'attention-config.backend'],
    source: ['platforms/cuda.py', 'CudaPlatform.get_attn_backend_cls'],
    says: (args, known) => {
      const stated = chosenBackend(args, known);
      if (stated === undefined) return undefined;
      const [name, chosen] = stated;
      const names = candidates(known).map(([other]) => other);
      if (names.includes(name) || names.length === 0) return undefined;
      const kind = kindOf(known);
      return chosen.kind === kind
        ? `${name} has no kernels for ${known.resolved.plan.cluster.gpu?.value ?? 'this GPU'}; ${KIND_NAME[kind]} runs there with ${names.join(', ')}.`
        : `${name} is for ${KIND_NAME[chosen.kind]}, and ${known.model.name} has ${KIND_NAME[kind]}: ${names.join(', ')}.`;
    },
  },
  {
    rule: 'block-size-unsupported',
    severity: 'error',
    covers: ['VL-KV02'],
    keys: ['block-size', 'attention-backend', 'attention-config.backend'],
    source: ['platforms/cuda.py', 'CudaPlatform.get_attn_backend_cls'],
    says: (args, known) => {
      const stated = chosenBackend(args, known);
      const size = args.integer('block-size');
      if (stated === undefined || size === undefined || size <= 0) return undefined;
      const [name, chosen] = stated;
      return chosen.blocks.some((unit) => size % unit === 0)
        ? undefined
        : `block-size ${size} is not a multiple of ${chosen.blocks.join(' or ')}, which the kernels of ${name} read at once.`;
    },
  },
  {
    rule: 'cache-transfer-allocator',
    severity: 'error',
    covers: ['VL-MEM04'],
    keys: ['kv-transfer-config'],
    source: ['config/vllm.py', 'VllmConfig'],
    says: (args, { environment }) =>
      args.entry('kv-transfer-config') !== undefined &&
      /expandable_segments:\s*true/i.test(environment['PYTORCH_CUDA_ALLOC_CONF'] ?? '')
        ? 'kv-transfer-config registers the cache with the network, which `PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True` would move; unset it.'
        : undefined,
  },
];
