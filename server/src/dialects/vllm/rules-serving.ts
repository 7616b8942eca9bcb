import { wordFix } from '../common/findings';
import type { Condition } from '../common/conditions';
import { degreeOf, switchOf } from './layout';
import { vllmSource } from './source';
import type { VllmArguments } from './values';

type Rule = Condition<VllmArguments>;

const SCHEDULER = vllmSource('config/scheduler.py', 'SchedulerConfig.verify_max_model_len');
const SPECULATIVE = vllmSource('config/speculative.py', 'SpeculativeConfig');
const TOKENS = 'max-num-batched-tokens';
const LENGTH = 'max-model-len';

const SCHEDULING: readonly Rule[] = [
  {
    rule: 'batch-limits-conflict',
    severity: 'error',
    covers: ['VL-SCH01'],
    keys: [TOKENS, LENGTH, 'enable-chunked-prefill'],
    source: SCHEDULER,
    says: (args) => {
      const [tokens, length] = [args.size(TOKENS), args.size(LENGTH)];
      const whole =
        args.entry('enable-chunked-prefill') !== undefined && switchOf(args, 'enable-chunked-prefill') === false;
      return whole && tokens !== undefined && length !== undefined && length > 0 && tokens < length
        ? `${TOKENS} ${tokens} is less than ${LENGTH} ${length}, and without chunked prefill a prompt has to fit one step; raise it to ${length}, or let prefill be chunked.`
        : undefined;
    },
  },
  {
    rule: 'batch-limits-conflict',
    severity: 'error',
    covers: ['VL-SCH02'],
    keys: [TOKENS, 'max-num-seqs'],
    source: SCHEDULER,
    fixes: (args) => wordFix(args.entry(TOKENS), String(args.size('max-num-seqs') ?? '')),
    says: (args) => {
      const [tokens, sequences] = [args.size(TOKENS), args.size('max-num-seqs')];
      return tokens !== undefined && sequences !== undefined && tokens < sequences
        ? `${TOKENS} ${tokens} is less than max-num-seqs ${sequences}: every sequence needs a token in a step; raise it to ${sequences} at least.`
        : undefined;
    },
  },
  {
    rule: 'batch-limits-conflict',
    severity: 'error',
    covers: ['VL-SCH03'],
    keys: ['long-prefill-token-threshold', LENGTH],
    source: SCHEDULER,
    says: (args) => {
      const [threshold, length] = [args.size('long-prefill-token-threshold'), args.size(LENGTH)];
      return threshold !== undefined && length !== undefined && length > 0 && threshold > length
        ? `long-prefill-token-threshold ${threshold} is more than ${LENGTH} ${length}.`
        : undefined;
    },
  },
  {
    rule: 'graph-sizes-conflict',
    severity: 'error',
    covers: ['VL-SCH05'],
    keys: [
      'max-cudagraph-capture-size',
      'cudagraph-capture-sizes',
      'compilation-config.max_cudagraph_capture_size',
      'compilation-config.cudagraph_capture_sizes',
    ],
    source: vllmSource('config/vllm.py', 'VllmConfig._set_cudagraph_sizes'),
    says: (args) => {
      const most =
        args.integer('max-cudagraph-capture-size') ?? args.integer('compilation-config.max_cudagraph_capture_size');
      const words = args.words('cudagraph-capture-sizes') ?? args.words('compilation-config.cudagraph_capture_sizes');
      const sizes = words?.map(Number).filter((size) => Number.isFinite(size)) ?? [];
      const largest = sizes.length === 0 ? undefined : Math.max(...sizes);
      return most !== undefined && largest !== undefined && most !== largest
        ? `The largest captured size is said twice: ${most} as the maximum and ${largest} in the list; leave one of them out.`
        : undefined;
    },
  },
  {
    rule: 'compilation-config-invalid',
    severity: 'error',
    covers: ['VL-SCH06'],
    keys: ['compilation-config.custom_ops'],
    source: vllmSource('config/compilation.py', 'CompilationConfig.__post_init__'),
    says: (args) => {
      const operators = args.words('compilation-config.custom_ops') ?? [];
      const bad = operators.find((name) => !/^(all|none|[+-]\S+)$/.test(name));
      if (bad !== undefined) return `\`${bad}\` in custom_ops is none of all, none, +name and -name.`;
      if (operators.includes('all') && operators.includes('none')) return 'custom_ops holds both all and none.';
      const both = operators.find((name) => name.startsWith('+') && operators.includes(`-${name.slice(1)}`));
      return both === undefined ? undefined : `custom_ops switches ${both.slice(1)} on and off.`;
    },
  },
  {
    rule: 'compilation-config-invalid',
    severity: 'error',
    covers: ['VL-SCH07'],
    keys: ['compilation-config.mode'],
    source: vllmSource('config/compilation.py', 'CompilationConfig.validate_mode_before'),
    says: (args) => {
      const mode = args.text('compilation-config.mode');
      return mode !== undefined && !/^([0-3]|none|stock_torch_compile|dynamo_trace_once|vllm_compile)$/i.test(mode)
        ? `\`mode: ${mode}\` is none of NONE, STOCK_TORCH_COMPILE, DYNAMO_TRACE_ONCE, VLLM_COMPILE and 0 to 3.`
        : undefined;
    },
  },
];

const CACHE: readonly Rule[] = [
  {
    rule: 'cache-setting-conflict',
    severity: 'error',
    covers: ['VL-KV03'],
    keys: ['mamba-block-size', 'enable-prefix-caching'],
    source: vllmSource('config/vllm.py', 'VllmConfig'),
    says: (args) =>
      args.integer('mamba-block-size') !== undefined &&
      args.entry('enable-prefix-caching') !== undefined &&
      switchOf(args, 'enable-prefix-caching') === false
        ? 'mamba-block-size is about cached prefixes, and prefix caching is off.'
        : undefined,
  },
  {
    rule: 'exclusive-keys',
    severity: 'error',
    covers: ['VL-KV04'],
    keys: ['attention-backend', 'attention-config.backend'],
    source: vllmSource('engine/arg_utils.py', 'EngineArgs.create_engine_config'),
    says: (args) =>
      args.text('attention-backend') !== undefined && args.text('attention-config.backend') !== undefined
        ? 'attention-backend and attention-config.backend say the same thing; vLLM takes one of them.'
        : undefined,
  },
];

const DRAFT = 'speculative-config';
const NEEDS_COUNT = ['ngram', 'eagle', 'eagle3'];
/** Methods whose drafts are made on the CPU between steps, which overlapped scheduling leaves no time for. */
const NOT_ASYNC = ['ngram', 'suffix', 'medusa', 'mlp_speculator'];

const SPECULATION: readonly Rule[] = [
  {
    rule: 'speculation-invalid',
    severity: 'error',
    covers: ['VL-SPEC02'],
    keys: [`${DRAFT}.num_speculative_tokens`, `${DRAFT}.method`, DRAFT],
    source: SPECULATIVE,
    says: (args) => {
      const count = args.integer(`${DRAFT}.num_speculative_tokens`);
      if (count !== undefined) return count <= 0 ? `num_speculative_tokens ${count} has to be positive.` : undefined;
      const method = args.text(`${DRAFT}.method`) ?? '';
      return args.entry(`${DRAFT}.num_speculative_tokens`) === undefined && NEEDS_COUNT.includes(method)
        ? `\`method: ${method}\` needs num_speculative_tokens: nothing else says how many tokens to draft.`
        : undefined;
    },
  },
  {
    rule: 'speculation-invalid',
    severity: 'error',
    covers: ['VL-SPEC03'],
    keys: [`${DRAFT}.draft_tensor_parallel_size`, 'tensor-parallel-size'],
    source: SPECULATIVE,
    says: (args) => {
      const draft = args.integer(`${DRAFT}.draft_tensor_parallel_size`);
      const tensor = degreeOf(args, 'tensor-parallel-size');
      return draft !== undefined && tensor !== undefined && draft !== 1 && draft !== tensor
        ? `draft_tensor_parallel_size ${draft} has to be 1 or the target's ${tensor}.`
        : undefined;
    },
  },
  {
    rule: 'speculation-invalid',
    severity: 'error',
    covers: ['VL-SPEC04'],
    keys: [`${DRAFT}.tensor_parallel_size`],
    source: SPECULATIVE,
    onKey: true,
    says: (args) =>
      args.entry(`${DRAFT}.tensor_parallel_size`) === undefined
        ? undefined
        : 'tensor_parallel_size is not for drafts; write draft_tensor_parallel_size.',
  },
  {
    rule: 'speculation-invalid',
    severity: 'error',
    covers: ['VL-SPEC05'],
    keys: [`${DRAFT}.method`, `${DRAFT}.prompt_lookup_max`, `${DRAFT}.prompt_lookup_min`],
    source: SPECULATIVE,
    says: (args) => {
      if (args.text(`${DRAFT}.method`) !== 'ngram') return undefined;
      const [least, most] = [args.integer(`${DRAFT}.prompt_lookup_min`), args.integer(`${DRAFT}.prompt_lookup_max`)];
      return least !== undefined && most !== undefined && least > most
        ? `prompt_lookup_min ${least} is more than prompt_lookup_max ${most}.`
        : undefined;
    },
  },
  {
    rule: 'speculation-invalid',
    severity: 'error',
    covers: ['VL-SPEC06'],
    keys: ['async-scheduling', `${DRAFT}.method`],
    source: vllmSource('config/vllm.py', 'VllmConfig.__post_init__'),
    says: (args) => {
      const method = args.text(`${DRAFT}.method`) ?? '';
      return args.entry('async-scheduling') !== undefined &&
        switchOf(args, 'async-scheduling') === true &&
        NOT_ASYNC.includes(method)
        ? `async-scheduling cannot go with drafts of \`method: ${method}\`; EAGLE, MTP and draft models can.`
        : undefined;
    },
  },
];

const METHODS: readonly Rule[] = [
  {
    rule: 'quantization-deprecated',
    severity: 'error',
    covers: ['VL-Q04'],
    keys: ['quantization', 'allow-deprecated-quantization'],
    source: vllmSource('config/model.py', 'ModelConfig._verify_quantization'),
    says: (args) => {
      const word = args.text('quantization') ?? '';
      return ['fbgemm_fp8', 'fp_quant'].includes(word) && switchOf(args, 'allow-deprecated-quantization') === false
        ? `\`quantization: ${word}\` is on its way out, and vLLM starts with it only under allow-deprecated-quantization.`
        : undefined;
    },
  },
  {
    rule: 'quantization-dtype-conflict',
    severity: 'error',
    covers: ['VL-Q03'],
    keys: ['dtype', 'quantization'],
    source: vllmSource('config/vllm.py', 'VllmConfig._get_quantization_config'),
    says: (args) => {
      const [dtype, word] = [args.text('dtype') ?? '', args.text('quantization') ?? ''];
      if (['float', 'float32'].includes(dtype) && /^(fp8|gptq|awq|auto_gptq|auto_awq|modelopt|fbgemm|mxfp)/.test(word))
        return `\`quantization: ${word}\` computes in 16 bits; \`dtype: ${dtype}\` is refused, bfloat16 and float16 are not.`;
      return dtype === 'bfloat16' && word === 'gptq'
        ? '`quantization: gptq` computes in float16 only; gptq_marlin takes bfloat16.'
        : undefined;
    },
  },
  {
    rule: 'config-file-suffix',
    severity: 'error',
    covers: ['VL-CFG01'],
    keys: ['config'],
    source: vllmSource('utils/argparse_utils.py', 'FlexibleArgumentParser.load_config_file'),
    says: (args) => {
      const path = args.text('config');
      return path !== undefined && /\.\w+$/.test(path) && !/\.ya?ml$/.test(path)
        ? `\`${path}\` has to be YAML by its name: vLLM reads .yaml and .yml only.`
        : undefined;
    },
  },
];

export const servingRules: readonly Rule[] = [...SCHEDULING, ...CACHE, ...SPECULATION, ...METHODS];
