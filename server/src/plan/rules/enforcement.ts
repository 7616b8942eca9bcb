import type { SourceReference } from '../finding';
import { megatron, type Enforcement } from './rule-context';

type PerDialect = Readonly<Record<string, Enforcement>>;

function error(framework: string, repository: string, file: string, fn: string, commit: string): Enforcement {
  const source: SourceReference = { framework, repository, file, function: fn, commit };
  return { severity: 'error', source };
}

const bridge = (fn = 'ConfigContainer.validate'): Enforcement =>
  error('Megatron-Bridge', 'NVIDIA-NeMo/Megatron-Bridge', 'src/megatron/bridge/training/config.py', fn, '067f987d');
const titan = (file: string, fn: string): Enforcement =>
  error('torchtitan', 'pytorch/torchtitan', `torchtitan/${file}`, fn, '73a0e697');
const nanotron = (file: string, fn: string): Enforcement =>
  error('nanotron', 'huggingface/nanotron', `src/nanotron/${file}`, fn, '2411b022');
const automodel = (file: string, fn: string): Enforcement =>
  error('NeMo Automodel', 'NVIDIA-NeMo/Automodel', `nemo_automodel/${file}`, fn, '36044ad3d');
const neox = (fn: string): Enforcement =>
  error('GPT-NeoX', 'EleutherAI/gpt-neox', 'megatron/neox_arguments/arguments.py', fn, 'ea7aefd8');
const core = (file: string, fn: string): Enforcement => ({ severity: 'error', source: megatron(file, fn) });

/** NeMo's files are Hydra's defaults, and the command that starts a run states its nodes and GPUs anew. */
const overridden = (enforcement: Enforcement): Enforcement => ({ ...enforcement, severity: 'warning' });

const STATE = 'megatron/core/parallel_state.py';
const CALCULATOR = 'megatron/core/num_microbatches_calculator.py';
const CONFIG = 'megatron/core/transformer/transformer_config.py';

/** Training frameworks that refuse a world which TP × PP × CP does not divide. NeMo 1 builds Megatron's own groups. */
export const TRAINING_WORLD: PerDialect = {
  'megatron-bridge': bridge(),
  nemo: overridden(core(STATE, 'initialize_model_parallel')),
  verl: error('verl', 'volcengine/verl', 'verl/utils/config.py', 'validate_config', 'b178a3cd'),
  'nemo-rl': error('NeMo-RL', 'NVIDIA-NeMo/RL', 'nemo_rl/models/policy/lm_policy.py', 'Policy.__init__', '7ea279ab'),
  'nemo-automodel': automodel('components/distributed/mesh_utils.py', '_infer_dp_size'),
  'gpt-neox': neox('NeoXArgs.calculate_derived'),
};

/** Those that refuse a world which the expert groups do not divide. */
export const TRAINING_EXPERT_WORLD: PerDialect = {
  verl: core(STATE, 'initialize_model_parallel'),
  'nemo-rl': core(STATE, 'initialize_model_parallel'),
  'megatron-bridge': core(STATE, 'initialize_model_parallel'),
  nemo: core(STATE, 'initialize_model_parallel'),
  torchtitan: titan('distributed/parallel_dims.py', 'ParallelDims._validate'),
  'nemo-automodel': automodel('components/distributed/mesh_utils.py', '_create_fsdp2_device_mesh'),
};

/** Those that refuse degrees which do not multiply to the world, data parallelism included. */
export const TRAINING_PRODUCT: PerDialect = {
  shardlens: { severity: 'error' },
  torchtitan: titan('distributed/parallel_dims.py', 'ParallelDims._validate'),
  nanotron: nanotron('parallel/context.py', 'ParallelContext.__init__'),
};

/** Those that refuse a global batch which is no multiple of microbatch × data parallelism. */
export const TRAINING_BATCH: PerDialect = {
  'megatron-bridge': core(CALCULATOR, 'ConstantNumMicroBatchesCalculator'),
  nemo: overridden(core(CALCULATOR, 'ConstantNumMicroBatchesCalculator')),
  torchtitan: titan('train.py', 'Trainer.__init__'),
  'nemo-automodel': automodel('components/training/step_scheduler.py', 'StepScheduler.__init__'),
  'gpt-neox': neox('NeoXArgs.check_batch_parameters'),
};

/** Those that refuse heads which tensor parallelism does not divide. */
export const TRAINING_HEADS: PerDialect = {
  verl: core(CONFIG, 'TransformerConfig.__post_init__'),
  'nemo-rl': core(CONFIG, 'TransformerConfig.__post_init__'),
  'llama-factory': core(CONFIG, 'TransformerConfig.__post_init__'),
  'megatron-bridge': core(CONFIG, 'TransformerConfig.__post_init__'),
  nemo: core(CONFIG, 'TransformerConfig.__post_init__'),
  nanotron: nanotron('config/config.py', 'Config.__post_init__'),
  'gpt-neox': { severity: 'error' },
  // torch.distributed.tensor shards unevenly and fails where heads are viewed.
  torchtitan: { ...titan('models/llama3/infra/parallelize.py', 'apply_tp'), severity: 'warning' },
};

/** Those that refuse experts which expert parallelism does not divide. */
export const TRAINING_EXPERTS: PerDialect = {
  verl: core('megatron/core/transformer/moe/moe_layer.py', 'BaseMoELayer.__init__'),
  'nemo-rl': core('megatron/core/transformer/moe/moe_layer.py', 'BaseMoELayer.__init__'),
  'llama-factory': core('megatron/core/transformer/moe/moe_layer.py', 'BaseMoELayer.__init__'),
  'megatron-bridge': core('megatron/core/transformer/moe/moe_layer.py', 'BaseMoELayer.__init__'),
  nemo: core('megatron/core/transformer/moe/moe_layer.py', 'BaseMoELayer.__init__'),
  'nemo-automodel': automodel('components/moe/parallelizer.py', 'parallelize_model'),
  torchtitan: { ...titan('distributed/expert_parallel.py', 'ExpertParallel'), severity: 'warning' },
};

/** Those that refuse layers which the pipeline does not divide and no uneven split settles. */
export const TRAINING_LAYERS: PerDialect = {
  'megatron-bridge': core('megatron/core/transformer/transformer_block.py', 'get_num_layers_to_build'),
  nemo: core('megatron/core/transformer/transformer_block.py', 'get_num_layers_to_build'),
};

const MEGATRON_FAMILY = ['megatron', 'megatron-bridge', 'nemo'] as const;

function family(enforcement: Enforcement): PerDialect {
  return Object.fromEntries(MEGATRON_FAMILY.map((dialect) => [dialect, enforcement]));
}

/** Those that refuse sequences which their ranks cannot share evenly. */
export const TRAINING_SEQUENCE: PerDialect = {
  megatron: core('megatron/training/arguments.py', 'validate_args'),
  'megatron-bridge': bridge(),
  nemo: core('megatron/core/utils.py', 'get_batch_on_this_cp_rank'),
  nanotron: nanotron('models/qwen.py', 'Qwen2Model.forward'),
  torchtitan: titan('models/llama3/infra/parallelize.py', 'parallelize_llama'),
};

/** Those whose expert layers stop in training with tensor parallelism and without sequence parallelism. */
export const TRAINING_EXPERT_SEQUENCE: PerDialect = {
  ...family(core('megatron/core/transformer/moe/moe_layer.py', 'MoELayer.forward')),
  // Releases of 2023 had no such check, and their files are still around.
  nemo: { ...core('megatron/core/transformer/moe/moe_layer.py', 'MoELayer.forward'), severity: 'warning' },
};

/** Those that build uneven stages from a few numbers: what they build is worth a word. */
export const TRAINING_STAGES: PerDialect = family({
  ...core('megatron/core/transformer/transformer_block.py', 'get_num_layers_to_build'),
  severity: 'information',
});

/** Those that share optimizer states over instances of equal size. */
export const TRAINING_INSTANCES: PerDialect = family(core(STATE, 'initialize_model_parallel'));

/** Those that refuse evaluation batches which are no multiple of their microbatch × data parallelism. */
export const TRAINING_EVALUATION: PerDialect = {
  megatron: core('megatron/training/arguments.py', 'validate_args'),
  'megatron-bridge': bridge(),
};
