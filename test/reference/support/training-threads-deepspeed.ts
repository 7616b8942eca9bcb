import { modelJson } from '../../unit/dialects/served';
import type { ServingThread } from './serving-thread';

type Made = Pick<ServingThread, 'file' | 'text' | 'files'>;

const json = (value: object, head = ''): string => `${head}${JSON.stringify(value, null, 2)}\n`;

/** A DeepSpeed file, the GPU count from a comment that its readers take. */
const deepspeed = (value: object, gpus?: number): Made => ({
  file: 'ds_config.json',
  text: json(value, gpus === undefined ? '' : `// shardlens: gpus=${gpus}\n`),
});

const stage = (number: number, rest: object = {}): object => ({
  train_micro_batch_size_per_gpu: 2,
  gradient_accumulation_steps: 1,
  bf16: { enabled: true },
  zero_optimization: { stage: number, ...rest },
});

const PIPELINE = { stages: 4, activation_checkpoint_interval: 0 };

/** LLaMA-Factory's file beside the DeepSpeed file that it names. */
const factory = (lines: string, config: object, files: Record<string, string> = {}): Made => ({
  file: 'train.yaml',
  text: `model_name_or_path: ./m
stage: sft
do_train: true
finetuning_type: lora
dataset: alpaca
template: llama3
cutoff_len: 2048
output_dir: out
bf16: true
deepspeed: ds.json
${lines}`,
  files: { 'ds.json': json(config), 'm/config.json': modelJson(), ...files },
});

/** Accelerate's file, with the DeepSpeed file that it names. */
const accelerate = (lines: string, config?: object): Made => ({
  file: 'accelerate.yaml',
  text: `compute_environment: LOCAL_MACHINE
debug: false
machine_rank: 0
main_training_function: main
mixed_precision: bf16
num_machines: 1
rdzv_backend: static
same_network: true
use_cpu: false
${lines}`,
  ...(config === undefined ? {} : { files: { 'ds.json': json(config) } }),
});

const fsdp = (lines: string, processes = 8): Made =>
  accelerate(`num_processes: ${processes}\ndistributed_type: FSDP\nfsdp_config:\n${lines}`);

const OFFLOADED = {
  train_micro_batch_size_per_gpu: 1,
  gradient_accumulation_steps: 1,
  fp16: { enabled: true },
  zero_optimization: { stage: 2, offload_optimizer: { device: 'cpu' } },
};

const BATCHES: readonly ServingThread[] = [
  {
    thread: 'deepspeedai/DeepSpeed#6914',
    symptom: 'train_batch_size is not equal: 8 != 2 × 1 × 1',
    ...deepspeed({ train_batch_size: 8, train_micro_batch_size_per_gpu: 2, gradient_accumulation_steps: 1 }, 1),
    finding: 'error batch-product',
  },
  {
    thread: 'deepspeedai/DeepSpeed#3228',
    symptom: 'the batch is not microbatch × accumulation × ranks',
    ...deepspeed({ train_batch_size: 256, train_micro_batch_size_per_gpu: 24, gradient_accumulation_steps: 1 }, 8),
    finding: 'error batch-product',
  },
  {
    thread: 'bigcode-project/starcoder#77',
    symptom: '64 != 4 × 8 × 1: a file for two ranks or more, started with one',
    ...deepspeed({ train_batch_size: 64, train_micro_batch_size_per_gpu: 4, gradient_accumulation_steps: 8 }, 1),
    finding: 'error batch-product',
  },
  {
    thread: 'haotian-liu/LLaVA#1617',
    symptom: 'the batch is not microbatch × accumulation × ranks',
    ...deepspeed({ train_batch_size: 128, train_micro_batch_size_per_gpu: 16, gradient_accumulation_steps: 1 }, 4),
    finding: 'error batch-product',
  },
];

const ZERO_WITH_PIPELINE = (
  [
    ['DeepSpeed', 568, 2],
    ['DeepSpeed', 823, 3],
    ['DeepSpeed', 1629, 2],
    ['Megatron-DeepSpeed', 474, 3],
  ] as const
).map(([repository, number, level]): ServingThread => ({
  thread: `deepspeedai/${repository}#${number}`,
  symptom: `ZeRO stage ${level} is incompatible with pipeline parallelism`,
  ...deepspeed({ ...stage(level), pipeline: PIPELINE }),
  finding: 'warning zero-with-pipeline',
}));

const KEYS: readonly ServingThread[] = [
  {
    thread: 'deepspeedai/DeepSpeed#2721',
    symptom: 'aio inside zero_optimization: extra fields not permitted',
    ...deepspeed(stage(3, { aio: { block_size: 1048576 } })),
    finding: 'error unknown-key',
    marks: '"aio"',
  },
  {
    thread: 'Lightning-AI/pytorch-lightning#17790',
    kind: 'pull',
    symptom: 'offload_optimizer: true is not a valid dict',
    ...deepspeed(stage(2, { offload_optimizer: true })),
    finding: 'error wrong-type',
    marks: 'true',
  },
  {
    thread: 'OpenRLHF/OpenRLHF#63',
    symptom: 'zero_hpz_partition_size: extra fields not permitted',
    ...deepspeed(stage(3, { zero_hpz_partition_size: 8 })),
    because: 'The key is right; the installed release was older, and no file says which one it is.',
  },
  {
    thread: 'deepspeedai/DeepSpeed#1270',
    symptom: 'gradient_clipping: auto outside of the Hugging Face trainer',
    ...deepspeed({ ...stage(2), gradient_clipping: 'auto' }),
    finding: 'warning auto-not-filled',
    marks: '"auto"',
  },
  {
    thread: 'huggingface/transformers#16495',
    symptom: 'reduce_bucket_size: auto stays a word below stage 3',
    ...deepspeed(stage(2, { reduce_bucket_size: 'auto' })),
    because: 'Later releases of the trainer fill it at every stage; no file says which one is installed.',
  },
  {
    thread: 'huggingface/accelerate#1644',
    symptom: 'sub_group_size: auto',
    ...deepspeed(stage(3, { sub_group_size: 'auto' })),
    finding: 'warning auto-not-filled',
    marks: '"auto"',
  },
];

const AGREEMENT: readonly ServingThread[] = [
  {
    thread: 'hiyouga/LlamaFactory#201',
    symptom: 'gradient_accumulation_steps 4 in one file and 2 in the other',
    ...factory('per_device_train_batch_size: 1\ngradient_accumulation_steps: 2\n', {
      ...stage(2),
      train_micro_batch_size_per_gpu: 'auto',
      gradient_accumulation_steps: 4,
    }),
    finding: 'error trainer-disagrees-with-deepspeed',
    marks: '2',
  },
  {
    thread: 'hiyouga/LlamaFactory#1116',
    symptom: 'the word "8" is not the number 8',
    ...factory('per_device_train_batch_size: 1\ngradient_accumulation_steps: 8\n', {
      ...stage(2),
      train_micro_batch_size_per_gpu: 'auto',
      gradient_accumulation_steps: '8',
    }),
    finding: 'error trainer-disagrees-with-deepspeed',
    marks: '8',
  },
  {
    thread: 'shibing624/MedicalGPT#191',
    symptom: 'batch sizes in both places differ',
    ...factory('per_device_train_batch_size: 4\ngradient_accumulation_steps: 1\n', stage(2)),
    finding: 'error trainer-disagrees-with-deepspeed',
    marks: '4',
  },
  {
    thread: 'CarperAI/trlx#376',
    symptom: 'the learning rate in both places differs',
    ...factory('per_device_train_batch_size: 2\ngradient_accumulation_steps: 1\nlearning_rate: 1.0e-4\n', {
      ...stage(2),
      optimizer: { type: 'AdamW', params: { lr: 0.001 } },
    }),
    finding: 'error trainer-disagrees-with-deepspeed',
    marks: '1.0e-4',
  },
  {
    thread: 'CarperAI/trlx#316',
    symptom: 'keys beside the DeepSpeed file that is named',
    ...accelerate(
      'num_processes: 8\ndistributed_type: DEEPSPEED\ndeepspeed_config:\n  deepspeed_config_file: ds.json\n  zero3_init_flag: false\n  gradient_accumulation_steps: 4\n',
      stage(2),
    ),
    finding: 'error owned-by-deepspeed-file',
    marks: 'gradient_accumulation_steps',
  },
  {
    thread: 'huggingface/accelerate#3203',
    symptom: 'settings of the plugin have no effect',
    ...accelerate(
      'num_processes: 8\ndistributed_type: DEEPSPEED\ndeepspeed_config:\n  zero_stage: 2\n  gradient_accumulation_step: 4\n',
    ),
    finding: 'warning unknown-key',
  },
];

const OFFLOAD = (
  [
    'deepspeedai/DeepSpeed#7524',
    'OptimalScale/LMFlow#693',
    'deepspeedai/Megatron-DeepSpeed#298',
    'Lightning-AI/pytorch-lightning#17603',
    'OpenMOSS/MOSS#272',
  ] as const
).map((thread): ServingThread => ({
  thread,
  symptom: "ZeRO-Offload with an optimizer of the client's own",
  ...deepspeed(OFFLOADED),
  finding: 'warning offload-needs-cpu-optimizer',
}));

const WRAPPING = (
  [
    'huggingface/accelerate#2872',
    'pixeli99/SVD_Xtend#55',
    'hiyouga/LlamaFactory#8279',
    'tatsu-lab/stanford_alpaca#58',
  ] as const
).map((thread): ServingThread => ({
  thread,
  symptom: 'the layer class to wrap is of another architecture',
  ...fsdp(
    '  fsdp_version: 1\n  fsdp_auto_wrap_policy: TRANSFORMER_BASED_WRAP\n  fsdp_sharding_strategy: FULL_SHARD\n  fsdp_state_dict_type: FULL_STATE_DICT\n  fsdp_transformer_layer_cls_to_wrap: BertLayer\n',
  ),
  because: 'The model is chosen by the script that Accelerate starts; no file names it.',
}));

const SHARDING: readonly ServingThread[] = [
  {
    thread: 'instructlab/training#678',
    symptom: 'a group of 8 must not exceed the world of 2',
    ...fsdp(
      '  fsdp_version: 1\n  fsdp_auto_wrap_policy: NO_WRAP\n  fsdp_sharding_strategy: HYBRID_SHARD\n  fsdp_state_dict_type: FULL_STATE_DICT\n',
      2,
    ),
    finding: 'warning hybrid-group-too-large',
  },
  {
    thread: 'RLinf/RLinf#366',
    symptom: 'out of memory: a sharding strategy that keeps parameters',
    ...fsdp('  fsdp_version: 1\n  fsdp_sharding_strategy: SHARD_GRAD_OP\n'),
    because: 'The strategy is legal; the file of that framework names no model whose memory could be counted.',
  },
  {
    thread: 'axolotl-ai-cloud/axolotl#1892',
    symptom: 'an example offloads under FSDP with an 8-bit optimizer',
    file: 'config.yaml',
    text: `base_model: ./m
datasets:
  - path: tatsu-lab/alpaca
    type: alpaca
val_set_size: 0.05
sequence_len: 2048
sample_packing: true
adapter: qlora
load_in_4bit: true
lora_r: 8
micro_batch_size: 2
gradient_accumulation_steps: 4
num_epochs: 1
optimizer: adamw_bnb_8bit
learning_rate: 2.0e-5
fsdp:
  - full_shard
  - auto_wrap
fsdp_config:
  fsdp_offload_params: true
  fsdp_state_dict_type: FULL_STATE_DICT
`,
    finding: 'error offload-with-8bit-optimizer',
  },
  {
    thread: 'axolotl-ai-cloud/axolotl#3077',
    symptom: 'the loss is NaN: weights are not loaded efficiently under FSDP',
    ...fsdp(
      '  fsdp_version: 1\n  fsdp_auto_wrap_policy: TRANSFORMER_BASED_WRAP\n  fsdp_sharding_strategy: FULL_SHARD\n  fsdp_cpu_ram_efficient_loading: false\n  fsdp_state_dict_type: FULL_STATE_DICT\n',
    ),
    because: 'Loading weights in full on every rank is legal; that release lost them on the way.',
  },
  {
    thread: 'hiyouga/LlamaFactory#6898',
    symptom: 'an FP8 checkpoint under ZeRO stage 3',
    ...factory('per_device_train_batch_size: 2\ngradient_accumulation_steps: 1\n', stage(3), {
      'm/config.json': modelJson({
        quantization_config: { quant_method: 'fp8', activation_scheme: 'dynamic', weight_block_size: [128, 128] },
      }),
    }),
    because: 'Later releases shard FP8 checkpoints; no file says which one is installed.',
  },
  {
    thread: 'hiyouga/LlamaFactory#8482',
    symptom: 'quantization to 4 bits under ZeRO stage 3 with offloading',
    ...factory(
      'per_device_train_batch_size: 2\ngradient_accumulation_steps: 1\nquantization_bit: 4\n',
      stage(3, { offload_param: { device: 'cpu' } }),
    ),
    because: 'Later releases train 4-bit weights under ZeRO stage 3; no file says which one is installed.',
  },
];

const VERL = (lines: string): Made => ({ file: 'ppo_trainer.yaml', text: lines });

const REINFORCEMENT: readonly ServingThread[] = [
  {
    thread: 'insait-institute/open-proof-corpus#2',
    symptom: 'train_batch_size must be at least ppo_mini_batch_size',
    ...VERL(
      'data:\n  train_batch_size: 16\n  max_prompt_length: 1024\n  max_response_length: 1024\nactor_rollout_ref:\n  actor:\n    strategy: fsdp\n    ppo_mini_batch_size: 128\n    ppo_micro_batch_size_per_gpu: 1\n  rollout:\n    name: vllm\n    tensor_model_parallel_size: 1\n    log_prob_micro_batch_size_per_gpu: 1\ntrainer:\n  n_gpus_per_node: 8\n  nnodes: 1\n',
    ),
    finding: 'error mini-batch-too-large',
  },
  {
    thread: 'verl-project/verl#1136',
    kind: 'pull',
    symptom: 'sequence parallelism of 2 halves the gradient without a word',
    ...VERL(
      'data:\n  train_batch_size: 128\nactor_rollout_ref:\n  actor:\n    strategy: fsdp\n    ppo_mini_batch_size: 128\n    ppo_micro_batch_size_per_gpu: 1\n    ulysses_sequence_parallel_size: 2\n  rollout:\n    name: vllm\n    tensor_model_parallel_size: 1\n    log_prob_micro_batch_size_per_gpu: 1\ntrainer:\n  n_gpus_per_node: 8\n  nnodes: 1\n',
    ),
    because: 'A fault of the trainer: the configuration is right.',
  },
  {
    thread: 'verl-project/verl#552',
    kind: 'pull',
    symptom: 'an endless loop: the mini batch of a rank becomes 0',
    ...VERL(
      'data:\n  train_batch_size: 64\nactor_rollout_ref:\n  actor:\n    strategy: fsdp\n    ppo_mini_batch_size: 4\n    ppo_micro_batch_size_per_gpu: 1\n  rollout:\n    name: vllm\n    tensor_model_parallel_size: 1\n    n: 1\n    log_prob_micro_batch_size_per_gpu: 1\ntrainer:\n  n_gpus_per_node: 8\n  nnodes: 1\n',
    ),
    finding: 'error mini-batch-below-ranks',
    marks: '4',
  },
];

export const DEEPSPEED_THREADS: readonly ServingThread[] = [
  ...BATCHES,
  ...ZERO_WITH_PIPELINE,
  ...KEYS,
  ...AGREEMENT,
  ...OFFLOAD,
  ...WRAPPING,
  ...SHARDING,
  ...REINFORCEMENT,
];
