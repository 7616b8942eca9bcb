import type { Condition } from '../common/conditions';
import { replaceFix } from '../common/findings';
import type { TitanJob } from './job';
import { titan } from './source';

type Check = Condition<TitanJob>;

/** Names that the converter registry holds since v0.2.0, and those of v0.1.0. */
const REGISTERED = [
  'quantize.linear.float8',
  'quantize.grouped_mm.float8',
  'quantize.linear.mx',
  'quantize.grouped_mm.mx',
];
const FIRST_NAMES: Readonly<Record<string, string>> = { float8: 'quantize.linear.float8', mx: 'quantize.linear.mx' };

const converters = (job: TitanJob): readonly string[] => job.words('model.converters') ?? [];
const hasConverter = (job: TitanJob, pattern: RegExp): boolean => converters(job).some((name) => pattern.test(name));
const degreeAbove = (job: TitanJob, concept: 'tensor' | 'pipeline' | 'context'): boolean =>
  (job.degree(concept, 1) ?? 1) > 1;

/** True when the keys leave only releases that renamed the converters (v0.2.0 and later). */
const renamed = (job: TitanJob): boolean => job.versions.length > 0 && job.versions.every((version) => version >= 2);

const converterNames: Check = {
  rule: 'unknown-converter',
  severity: 'error',
  covers: ['TT-002'],
  keys: ['model.converters'],
  source: titan('protocols/model_converter.py', 'ModelConvertersContainer.__init__'),
  says: (job) => {
    if (
      job.entry('experimental.custom_import') !== undefined ||
      job.entry('experimental.custom_args_module') !== undefined
    )
      return undefined;
    const wrong = renamed(job) ? converters(job).find((name) => FIRST_NAMES[name] !== undefined) : undefined;
    return wrong === undefined
      ? undefined
      : `Converter \`${wrong}\` is not registered in these releases; since v0.2.0 its name is \`${FIRST_NAMES[wrong] ?? ''}\` (registered: ${REGISTERED.join(', ')}).`;
  },
  fixes: (job) => {
    const list = job.node('model.converters');
    const items = list?.kind === 'list' ? list.items : [];
    return items.flatMap((item) => {
      const next = item.kind === 'scalar' && typeof item.value === 'string' ? FIRST_NAMES[item.value] : undefined;
      return next === undefined ? [] : [replaceFix(`Change to \`${next}\``, item.span, `"${next}"`)];
    });
  },
};

const lowPrecision: readonly Check[] = [
  {
    rule: 'fp8-options-conflict',
    severity: 'error',
    covers: ['TT-024'],
    keys: [
      'quantize.linear.float8.recipe_name',
      'quantize.linear.float8.enable_fsdp_float8_all_gather',
      'float8.recipe_name',
      'float8.enable_fsdp_float8_all_gather',
    ],
    source: titan('components/quantization/float8.py', 'Float8LinearConverter.__init__'),
    says: (job) => {
      const clash = ['quantize.linear.float8', 'float8'].some(
        (section) =>
          job.flag(`${section}.enable_fsdp_float8_all_gather`) === true &&
          (job.text(`${section}.recipe_name`) ?? 'none') !== 'none' &&
          hasConverter(job, /float8$/),
      );
      return clash
        ? 'A named FP8 recipe sets everything itself: enable_fsdp_float8_all_gather must stay off (it belongs to tensorwise scaling, which is chosen by leaving recipe_name out).'
        : undefined;
    },
  },
  {
    rule: 'fp8-experts-with-pipeline-or-context',
    severity: 'error',
    covers: ['TT-025'],
    keys: ['model.converters', 'parallelism.pipeline_parallel_degree', 'parallelism.context_parallel_degree'],
    source: titan('components/quantization/float8.py', 'Float8GroupedMMConverter.__init__'),
    says: (job) =>
      hasConverter(job, /^quantize\.grouped_mm\.float8$/) &&
      (degreeAbove(job, 'pipeline') || degreeAbove(job, 'context'))
        ? 'FP8 experts work with neither pipeline nor context parallelism.'
        : undefined,
  },
  {
    rule: 'mxfp8-with-compiled-tensor-parallel',
    severity: 'error',
    covers: ['TT-027'],
    keys: ['model.converters', 'parallelism.tensor_parallel_degree', 'compile.enable'],
    source: titan('components/quantization/mx.py', 'MXLinearConverter.__init__'),
    says: (job) =>
      hasConverter(job, /^(?:quantize\.linear\.)?mx$/) && degreeAbove(job, 'tensor') && job.compiled === true
        ? 'MXFP8 linears do not work with tensor parallelism in a compiled model.'
        : undefined,
  },
  {
    rule: 'converters-conflict',
    severity: 'error',
    covers: ['TT-028'],
    keys: ['model.converters'],
    source: titan('components/quantization/__init__.py', 'validate_converters'),
    says: (job) =>
      hasConverter(job, /float8$/) && hasConverter(job, /(^|\.)mx$/)
        ? 'FP8 and MX converters cannot be combined; keep one kind.'
        : undefined,
  },
  {
    rule: 'fp8-without-effect',
    severity: 'information',
    covers: ['TT-FP8TP'],
    keys: ['model.converters', 'parallelism.tensor_parallel_degree'],
    source: titan('models/llama3/infra/parallelize.py', 'parallelize_llama'),
    says: (job) =>
      hasConverter(job, /^quantize\.linear\.float8$/) && degreeAbove(job, 'tensor')
        ? 'Tensor-parallel communication stays in BF16: torchtitan looks for a converter named exactly `float8`, which no longer exists, so products run in FP8 but their gathers do not.'
        : undefined,
  },
  {
    rule: 'fp8-without-effect',
    severity: 'warning',
    covers: [],
    keys: [
      'quantize.linear.float8.recipe_name',
      'quantize.linear.float8.enable_fsdp_float8_all_gather',
      'quantize.linear.mx.recipe_name',
    ],
    source: titan('protocols/model_converter.py', 'ModelConvertersContainer.__init__'),
    says: (job) => {
      if (job.unknown('model.converters')) return undefined;
      const asked = job.flag('quantize.linear.float8.enable_fsdp_float8_all_gather') === true;
      return asked &&
        converters(job).length === 0 &&
        job.entry('model.converters') !== undefined &&
        job.node('model.converters')?.kind === 'list'
        ? 'No converter is listed in model.converters, so these FP8 options have no effect.'
        : undefined;
    },
  },
];

/** Flavors whose attention is FlexAttention or variable-length attention by their own table. */
function flexible(job: TitanJob): boolean {
  const word = job.text('model.flavor') ?? '';
  return /flex|varlen|irope/.test(word) || (job.family === 'deepseek_v3' && /^(?:16B|236B|671B)$/.test(word));
}

const attention: Check = {
  rule: 'attention-without-context-parallel',
  severity: 'error',
  covers: ['TT-018'],
  keys: ['parallelism.context_parallel_degree', 'model.flavor'],
  source: titan('models/llama3/model/args.py', 'TransformerModelArgs.update_from_config'),
  says: (job) =>
    job.family !== undefined &&
    ['llama3', 'llama4', 'deepseek_v3', 'qwen3'].includes(job.family) &&
    flexible(job) &&
    degreeAbove(job, 'context')
      ? `Flavor ${job.text('model.flavor') ?? ''} attends by FlexAttention or variable-length attention, which context parallelism does not support.`
      : undefined,
};

const positions: Check = {
  rule: 'sequence-beyond-model',
  severity: 'warning',
  covers: ['TT-039'],
  keys: ['training.seq_len', 'model.flavor'],
  source: titan('models/llama3/model/args.py', 'TransformerModelArgs.update_from_config'),
  says: (job) => {
    const most = job.flavor?.['maxPositions'];
    const length = job.integer('training.seq_len');
    return typeof most === 'number' && length !== undefined && length > most
      ? `seq_len ${length} is beyond the ${most} positions that ${job.family ?? ''} ${job.text('model.flavor') ?? ''} was made for.`
      : undefined;
  },
};

const unknownFlavor: Check = {
  rule: 'unknown-flavor',
  severity: 'hint',
  covers: [],
  keys: ['model.flavor'],
  source: titan('models/llama3/__init__.py', 'llama3_args'),
  says: (job) =>
    job.family !== undefined &&
    ['llama3', 'llama4', 'deepseek_v3', 'qwen3'].includes(job.family) &&
    job.flavor === undefined &&
    job.entry('model.flavor') !== undefined
      ? `${job.family} has no flavor \`${job.text('model.flavor') ?? ''}\` in the releases up to v0.2.2, so its sizes are not known here.`
      : undefined,
};

export const modelConditions: readonly Check[] = [converterNames, ...lowPrecision, attention, positions, unknownFlavor];
