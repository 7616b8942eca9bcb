import type { Finding, SourceReference } from '../../plan/finding';
import type { MapNode } from '../../syntax/tree';
import { checkConditions, coverageOf, type Condition, type Coverage } from '../common/conditions';
import { listed, replaceFix } from '../common/findings';
import { nestedKeyFindings } from '../common/nested-keys';
import { childOf } from '../common/nodes';
import { closest } from '../common/spelling';
import { treeValues, type ConfigValues } from '../common/values';
import type { MegatronArguments } from '../megatron/arguments';
import { coreFindings } from '../megatron/rules';
import { bridgeSchema } from './schema-data';

interface BridgeValues extends ConfigValues {
  /** Set to nothing in so many words, which takes away what a recipe says. */
  readonly nulled: (path: string) => boolean;
}

type Check = Condition<BridgeValues>;

function bridge(fn: string, file = 'config.py'): SourceReference {
  return {
    framework: 'Megatron-Bridge',
    repository: 'NVIDIA-NeMo/Megatron-Bridge',
    file: `src/megatron/bridge/training/${file}`,
    function: fn,
    commit: '067f987d',
  };
}

const CONTAINER = bridge('ConfigContainer.validate');

const RECIPES = [
  'bf16_mixed',
  'fp16_mixed',
  'bf16_with_fp8_delayed_scaling_mixed',
  'fp16_with_fp8_delayed_scaling_mixed',
  'bf16_with_mxfp8_mixed',
  'fp16_with_mxfp8_mixed',
  'bf16_with_fp8_current_scaling_mixed',
  'nemotron_h_bf16_with_fp8_current_scaling_mixed',
  'nanov2_bf16_with_fp8_current_scaling_mixed',
  'fp16_with_fp8_current_scaling_mixed',
  'bf16_with_fp8_subchannel_scaling_mixed',
  'fp16_with_fp8_subchannel_scaling_mixed',
  'bf16_with_nvfp4_mixed',
  'nemotron_3_super_bf16_with_nvfp4_mixed',
];

const given = (values: ConfigValues, name: string): boolean => {
  const number = values.number(name);
  return values.entry(name) !== undefined && values.flag(name) !== false && number !== 0;
};
const above = (values: ConfigValues, name: string): boolean => (values.integer(`model.${name}`) ?? 1) > 1;
const sharded = (values: ConfigValues): boolean =>
  values.flag('dist.use_megatron_fsdp') === true || values.flag('ddp.use_megatron_fsdp') === true;

function exclusive(covers: readonly string[], keys: readonly string[], says: string): Check {
  return {
    rule: 'exclusive-keys',
    severity: 'error',
    covers,
    keys,
    source: CONTAINER,
    onKey: true,
    says: (values) => {
      const set = keys.filter((key) => given(values, key));
      return set.length < 2 ? undefined : `${listed(set.map((key) => `\`${key}\``))} cannot stand together: ${says}.`;
    },
  };
}

const FSDP = ['dist.use_megatron_fsdp', 'ddp.use_megatron_fsdp'];

const counting: readonly Check[] = [
  exclusive(
    ['BRG-002'],
    ['train.train_iters', 'train.train_samples', 'train.num_epochs'],
    'training is counted in steps, samples or epochs',
  ),
  exclusive(['BRG-003'], ['train.train_samples', 'scheduler.lr_decay_iters'], 'training in samples decays in samples'),
  exclusive(
    ['BRG-003'],
    ['train.train_samples', 'scheduler.lr_warmup_iters'],
    'training in samples warms up in samples',
  ),
  exclusive(['BRG-003'], ['train.train_samples', 'scheduler.max_steps'], 'training in samples has no last step'),
  exclusive(['BRG-003'], ['train.train_iters', 'scheduler.lr_decay_samples'], 'training in steps decays in steps'),
  exclusive(['BRG-003'], ['train.train_iters', 'scheduler.lr_warmup_samples'], 'training in steps warms up in steps'),
  exclusive(
    ['BRG-003'],
    ['scheduler.lr_warmup_fraction', 'scheduler.lr_warmup_iters', 'scheduler.lr_warmup_samples'],
    'warm-up is a share or a count',
  ),
  exclusive([], ['dist.use_megatron_fsdp', 'dist.use_torch_fsdp2'], 'there is one way of sharding'),
];

/** What the second version of Megatron FSDP cannot do yet, as far as it is written. */
function unsupported(values: ConfigValues): string | undefined {
  const degrees = [
    'tensor_model_parallel_size',
    'pipeline_model_parallel_size',
    'context_parallel_size',
    'expert_model_parallel_size',
    'virtual_pipeline_model_parallel_size',
  ].filter((name) => above(values, name));
  const rest = [
    'model.num_moe_experts',
    'model.fp8',
    'model.fp4',
    'model.fp16',
    'model.calculate_per_token_loss',
    'dist.use_tp_pp_dp_mapping',
    'rng.data_parallel_random_init',
    'checkpoint.save',
    'checkpoint.load',
    'checkpoint.pretrained_checkpoint',
    'optimizer.clip_grad',
    'optimizer.loss_scale',
    'optimizer.use_precision_aware_optimizer',
    'optimizer.optimizer_cpu_offload',
    'ddp.fp8_param_gather',
  ].filter((name) => given(values, name));
  const graphs = ['none', undefined].includes(values.text('model.cuda_graph_impl')) ? [] : ['model.cuda_graph_impl'];
  const found = [...degrees.map((name) => `model.${name}`), ...rest, ...graphs];
  return found.length === 0 ? undefined : listed(found.map((name) => `\`${name}\``));
}

const sharding: readonly Check[] = [
  {
    rule: 'fsdp-conflict',
    severity: 'error',
    covers: ['BRG-004'],
    keys: ['checkpoint.ckpt_format', 'checkpoint.save', 'checkpoint.load', ...FSDP],
    source: CONTAINER,
    says: (values) => {
      const format = values.text('checkpoint.ckpt_format');
      const used = given(values, 'checkpoint.save') || given(values, 'checkpoint.load');
      return sharded(values) && used && format !== undefined && format !== 'fsdp_dtensor'
        ? `Megatron FSDP saves as fsdp_dtensor, not ${format}.`
        : undefined;
    },
  },
  {
    rule: 'environment-conflict',
    severity: 'error',
    covers: ['BRG-005'],
    keys: ['env_vars.CUDA_DEVICE_MAX_CONNECTIONS', ...FSDP],
    source: CONTAINER,
    says: (values) =>
      sharded(values) && values.text('env_vars.CUDA_DEVICE_MAX_CONNECTIONS') === '1'
        ? 'FSDP hides its gathers behind compute, which needs more than one queue: CUDA_DEVICE_MAX_CONNECTIONS must not be 1.'
        : undefined,
  },
  {
    rule: 'fsdp-conflict',
    severity: 'error',
    covers: ['BRG-007'],
    keys: ['ddp.megatron_fsdp_version', ...FSDP],
    source: bridge('ConfigContainer._validate_and_apply_megatron_fsdp_v2_configs'),
    says: (values) => {
      const refused = values.integer('ddp.megatron_fsdp_version') === 2 ? unsupported(values) : undefined;
      return refused === undefined || !sharded(values)
        ? undefined
        : `Version 2 of Megatron FSDP is for plain data-parallel BF16 training so far; it refuses ${refused}.`;
    },
  },
];

const saving: readonly Check[] = [
  {
    rule: 'async-save-prerequisite',
    severity: 'error',
    covers: ['BRG-008'],
    keys: ['checkpoint.async_save', 'checkpoint.save', 'checkpoint.use_persistent_ckpt_worker'],
    source: bridge('CheckpointConfig.finalize'),
    says: (values) => {
      if (values.flag('checkpoint.async_save') !== true) return undefined;
      if (values.flag('checkpoint.use_persistent_ckpt_worker') === false)
        return 'Checkpoints are saved in the background by a lasting worker: `use_persistent_ckpt_worker` must stay true.';
      const absent = values.entry('checkpoint.save') === undefined && values.complete !== false;
      return absent || values.nulled('checkpoint.save')
        ? '`async_save` needs `checkpoint.save`, the path to save to.'
        : undefined;
    },
  },
];

const FINETUNING = /SFTDatasetConfig|SquadConfig|FinetuningDatasetConfig|EnergonDatasetConfig/;

const data: readonly Check[] = [
  {
    rule: 'finetuning-with-context-parallel',
    severity: 'error',
    covers: ['BRG-011'],
    keys: [
      'model.calculate_per_token_loss',
      'ddp.average_in_collective',
      'model.context_parallel_size',
      'dataset._target_',
    ],
    source: CONTAINER,
    says: (values) => {
      if (!above(values, 'context_parallel_size') || !FINETUNING.test(values.text('dataset._target_') ?? ''))
        return undefined;
      const loss = values.flag('model.calculate_per_token_loss');
      if (loss === false || (loss === undefined && values.complete !== false))
        return 'Finetuning with context parallelism needs `model.calculate_per_token_loss: true`: ranks hold unequal numbers of answer tokens.';
      return values.flag('ddp.average_in_collective') === true
        ? 'Finetuning with context parallelism sums over tokens: `ddp.average_in_collective` must be false.'
        : undefined;
    },
  },
  {
    rule: 'sequence-length-mismatch',
    severity: 'error',
    covers: ['BRG-012'],
    keys: ['dataset.seq_length', 'model.seq_length'],
    source: CONTAINER,
    says: (values) => {
      const model = values.integer('model.seq_length');
      const length = values.integer('dataset.seq_length');
      return model === undefined || length === undefined || model === length
        ? undefined
        : `The model is built for ${model} tokens and the dataset makes samples of ${length}: both must be the same.`;
    },
    fixes: (values) => {
      const node = values.node('dataset.seq_length');
      const length = values.integer('model.seq_length');
      return node === undefined || length === undefined
        ? []
        : [replaceFix(`Set dataset.seq_length to ${length}`, node.span, String(length))];
    },
  },
  {
    rule: 'setting-without-effect',
    severity: 'warning',
    covers: ['BRG-013'],
    keys: ['comm_overlap.tp_comm_overlap', 'model.sequence_parallel', 'model.tensor_model_parallel_size'],
    source: bridge('CommOverlapConfig', 'comm_overlap.py'),
    says: (values) => {
      if (values.flag('comm_overlap.tp_comm_overlap') !== true) return undefined;
      if (values.integer('model.tensor_model_parallel_size') === 1)
        return 'There is no tensor-parallel communication to overlap with TP 1: Megatron-Bridge switches the overlap off.';
      return values.flag('model.sequence_parallel') === false
        ? 'Tensor-parallel communication is overlapped under sequence parallelism only: Megatron-Bridge switches the overlap off.'
        : undefined;
    },
  },
  {
    rule: 'setting-without-effect',
    severity: 'information',
    covers: [],
    keys: ['model.sequence_parallel', 'model.tensor_model_parallel_size'],
    source: { ...bridge('TransformerConfig.finalize'), file: 'src/megatron/bridge/models/transformer_config.py' },
    says: (values) =>
      values.flag('model.sequence_parallel') === true && values.integer('model.tensor_model_parallel_size') === 1
        ? 'Sequence parallelism shares the work of tensor-parallel ranks: with TP 1 Megatron-Bridge switches it off.'
        : undefined,
  },
  {
    rule: 'wrong-value',
    severity: 'error',
    covers: ['BRG-014'],
    keys: ['mixed_precision'],
    source: bridge('get_mixed_precision_config', 'mixed_precision.py'),
    says: (values) => {
      const name = values.text('mixed_precision');
      if (name === undefined || RECIPES.includes(name.replaceAll('-', '_'))) return undefined;
      const meant = closest(name, RECIPES);
      return `\`${name}\` is no mixed-precision recipe; ${meant === undefined ? `there are ${RECIPES.join(', ')}` : `\`${meant}\` is the nearest`}.`;
    },
  },
];

export const bridgeConditions: readonly Check[] = [...counting, ...sharding, ...saving, ...data];

/** Keys that no class has are merged in and then left out: one line in the log, and the recipe stays as it was. */
function unknownKeys(root: MapNode): Finding[] {
  // A file that names its classes is built from them, whichever they are.
  if (childOf(root, '_target_') !== undefined) return [];
  const plain = root.entries.filter(
    ({ key, value }) => !key.startsWith('_') && childOf(value, '_target_') === undefined,
  );
  return nestedKeyFindings({ ...root, entries: plain }, bridgeSchema, {
    framework: 'Megatron-Bridge',
    source: bridge('_apply_overrides', 'utils/omegaconf_utils.py'),
    refuses: 'which leaves it out with a line in the log',
    near: 'warning',
    far: 'hint',
    value: 'warning',
  });
}

/** What Megatron-Bridge refuses, changes or leaves out, and what Megatron-Core says to the model it builds. */
export function bridgeFindings(root: MapNode, args: MegatronArguments): readonly Finding[] {
  const values: BridgeValues = {
    ...treeValues(root, args.complete),
    nulled: (path) => {
      const [section = '', key = ''] = path.split('.');
      const node = childOf(childOf(root, section), key);
      return node?.kind === 'scalar' && node.value === null;
    },
  };
  const own = checkConditions(bridgeConditions, values);
  const told = new Set(own.map(({ at }) => at?.span.start));
  // A pair of keys that both refuse is said once.
  const core = coreFindings(args).filter(({ rule, at }) => rule !== 'exclusive-keys' || !told.has(at?.span.start));
  return [...unknownKeys(root), ...own, ...core];
}

/** Gathered rules by the rule that implements them; those that the Plan decides stand in the coverage of the shared rules. */
export const megatronBridgeCoverage: readonly Coverage[] = [
  ...coverageOf(bridgeConditions),
  { rule: 'exclusive-keys', covers: ['BRG-006'] },
];
