import type { ServingThread } from './serving-thread';
import { DEEPSPEED_THREADS } from './training-threads-deepspeed';
import { CODE_THREADS } from './training-threads-code';

/** A training launch that failed in public, rebuilt as small as it fails. */
export type TrainingThread = ServingThread;

const BASE =
  '--num-layers 12 --hidden-size 1024 --num-attention-heads 16 --seq-length 1024 --max-position-embeddings 1024 --micro-batch-size 1 --train-iters 100 --lr 1e-4 --bf16 --disable-bias-linear';

/** A script that starts Megatron-LM on so many nodes and GPUs; later arguments win over those of a small GPT. */
function megatron(options: string, nodes = 1, each = 8): Pick<TrainingThread, 'file' | 'text'> {
  const table = new Map<string, string>();
  for (const argument of `${BASE} ${options}`.split(/\s+--/)) {
    const [name = '', ...value] = argument.replace(/^--/, '').trim().split(' ');
    if (name.length > 0) table.set(name, value.join(' '));
  }
  const lines = [...table].map(([name, value]) => `    --${name}${value.length > 0 ? ` ${value}` : ''}`);
  return {
    file: 'train.sh',
    text: `#!/bin/bash\ntorchrun --nnodes ${nodes} --nproc_per_node ${each} pretrain_gpt.py \\\n${lines.join(' \\\n')}\n`,
  };
}

const nemo = (model: string, devices = 8, nodes = 1): Pick<TrainingThread, 'file' | 'text'> => ({
  file: 'train.yaml',
  text: `trainer:
  devices: ${devices}
  num_nodes: ${nodes}
  precision: bf16
exp_manager:
  name: megatron_gpt
model:
  mcore_gpt: true
  num_layers: 48
  hidden_size: 4096
  num_attention_heads: 32
  max_position_embeddings: 8192
  ${model.trim().replaceAll('; ', '\n  ')}
`,
});

const titan = (parallelism: string, rest = ''): Pick<TrainingThread, 'file' | 'text'> => ({
  file: 'train.toml',
  text: `[job]
dump_folder = "./outputs"

[model]
name = "llama3"
flavor = "8B"

[training]
local_batch_size = 8
seq_len = 8192

[parallelism]
${parallelism.replaceAll('; ', '\n')}
${rest}`,
});

function nanotron(parallelism: string, accumulation: number, head = ''): Pick<TrainingThread, 'file' | 'text'> {
  return {
    file: 'config.yaml',
    text: `${head}checkpoints: { checkpoint_interval: 10, checkpoints_path: out }
data_stages:
  - { name: main, start_training_step: 1, data: { dataset: null, num_loading_workers: 1, seed: 1 } }
general: { project: p, run: r, seed: 1 }
model:
  dtype: bfloat16
  init_method: { std: 0.02 }
  model_config: { hidden_size: 512, intermediate_size: 1024, num_hidden_layers: 16, num_attention_heads: 8, num_key_value_heads: 8, max_position_embeddings: 1024, vocab_size: 32000 }
optimizer:
  accumulate_grad_in_fp32: true
  zero_stage: 0
  learning_rate_scheduler: { learning_rate: 0.0003, lr_warmup_steps: 2, lr_warmup_style: linear, lr_decay_style: cosine }
parallelism:
  ${parallelism.replaceAll('; ', '\n  ')}
tokenizer: { tokenizer_name_or_path: t }
tokens:
  sequence_length: 1024
  micro_batch_size: 1
  batch_accumulation_per_replica: ${accumulation}
  train_steps: 10
`,
  };
}

const MOE = '--num-experts 8 --moe-router-topk 2 --moe-router-load-balancing-type aux_loss';

const MEGATRON: readonly TrainingThread[] = [
  {
    thread: 'NVIDIA/Megatron-LM#1304',
    symptom: '30 layers over 4 pipeline ranks: the model trained with 28 of them',
    ...megatron('--num-layers 30 --pipeline-model-parallel-size 4'),
    finding: 'error layers-not-divisible',
    marks: '4',
  },
  {
    thread: 'THUDM/slime#1486',
    symptom: 'sizes of the first and last stage have no effect',
    ...megatron('--pipeline-model-parallel-size 4 --decoder-first-pipeline-num-layers 3'),
    because: 'The arguments are right; the library handed them on under a name of before.',
  },
  {
    thread: 'NVIDIA-NeMo/Megatron-Bridge#4007',
    symptom: 'TP 2 with EP 4 needs 8 ranks, not 4',
    file: 'conf.yaml',
    text: `model:
  num_layers: 24
  hidden_size: 2048
  num_attention_heads: 16
  vocab_size: 128000
  seq_length: 4096
  num_moe_experts: 16
  add_bias_linear: false
  tensor_model_parallel_size: 2
  expert_model_parallel_size: 4
  sequence_parallel: true
train:
  train_iters: 100
  global_batch_size: 64
  micro_batch_size: 1
dataset:
  seq_length: 4096
# shardlens: gpus=4
`,
    finding: 'error expert-world-not-divisible',
    marks: '4',
  },
  {
    thread: 'NVIDIA-NeMo/Speech#14838',
    symptom: 'a world of 4 is not divisible by expert × tensor × pipeline ranks of 8',
    ...nemo(
      'num_moe_experts: 8; encoder_seq_length: 4096; micro_batch_size: 1; global_batch_size: 32; tensor_model_parallel_size: 2; expert_model_parallel_size: 4; pipeline_model_parallel_size: 1; sequence_parallel: true; bias: false',
      4,
    ),
    finding: 'error expert-world-not-divisible',
    marks: '4',
  },
  {
    thread: 'NVIDIA-NeMo/Speech#12103',
    symptom: 'expert tensor parallelism is not taken over',
    ...nemo(
      'num_moe_experts: 8; encoder_seq_length: 4096; micro_batch_size: 1; global_batch_size: 32; tensor_model_parallel_size: 2; expert_model_parallel_size: 4; expert_tensor_parallel_size: 1; sequence_parallel: true; bias: false',
    ),
    because: 'The installed container was older than the option, and no file says which one it is.',
  },
  {
    thread: 'THUDM/slime#2077',
    kind: 'pull',
    symptom: 'a script for 16 GPUs was cut to 8 without its expert parallelism',
    ...megatron(
      `${MOE} --num-layers 46 --tensor-model-parallel-size 2 --sequence-parallel --pipeline-model-parallel-size 2 --expert-model-parallel-size 8 --expert-tensor-parallel-size 1 --global-batch-size 64`,
    ),
    finding: 'error expert-world-not-divisible',
    marks: '8',
  },
  {
    thread: 'modelscope/ms-swift#8219',
    symptom: '2 key/value groups and TP 8, on a release that wanted a multiple',
    ...megatron('--group-query-attention --num-query-groups 2 --tensor-model-parallel-size 8 --sequence-parallel'),
    finding: 'information kv-heads-copied',
    marks: '2',
  },
  {
    thread: 'NVIDIA-NeMo/Speech#14288',
    symptom: 'the message `should range in [PP=6 , M=3]` was not understood',
    ...nemo(
      'encoder_seq_length: 4096; micro_batch_size: 1; global_batch_size: 12; tensor_model_parallel_size: 2; pipeline_model_parallel_size: 6; virtual_pipeline_model_parallel_size: 2; sequence_parallel: true',
      8,
      6,
    ),
    finding: 'error schedule-constraint',
  },
  {
    thread: 'NVIDIA/Megatron-LM#1587',
    symptom: 'experts with tensor parallelism stop at the first forward pass',
    ...megatron(`${MOE} --tensor-model-parallel-size 2 --expert-model-parallel-size 4 --global-batch-size 64`),
    finding: 'error experts-need-sequence-parallel',
    marks: '2',
  },
  {
    thread: 'NVIDIA/Megatron-LM#1357',
    symptom: 'four experts ranks on four nodes of one GPU fail where two work',
    ...megatron(
      `${MOE} --num-attention-heads 8 --expert-model-parallel-size 4 --pipeline-model-parallel-size 1 --global-batch-size 8`,
      4,
      1,
    ),
    because: 'The arguments are legal; the network between the four machines failed.',
  },
  {
    thread: 'NVIDIA/Megatron-LM#743',
    symptom: 'the first dimension is not divisible by the tensor-parallel size',
    ...megatron('--tensor-model-parallel-size 8 --sequence-parallel --seq-length 1020 --global-batch-size 8'),
    finding: 'error sequence-not-divisible',
    marks: '1020',
  },
  {
    thread: 'NVIDIA/Megatron-LM#708',
    symptom: 'sequences longer than 1024 cannot be trained',
    ...megatron('--tensor-model-parallel-size 1 --seq-length 4096 --global-batch-size 8'),
    finding: 'error positions-fewer-than-sequence',
    marks: '1024',
  },
  {
    thread: 'NVIDIA-NeMo/Speech#8869',
    kind: 'pull',
    symptom: 'FP8 with context parallelism: a rank holds no multiple of 16 tokens',
    ...nemo(
      'encoder_seq_length: 4104; micro_batch_size: 1; global_batch_size: 16; tensor_model_parallel_size: 1; pipeline_model_parallel_size: 1; context_parallel_size: 4; fp8: true',
    ),
    finding: 'error fp8-not-aligned',
    marks: '4104',
  },
  {
    thread: 'NVIDIA/TransformerEngine#1422',
    symptom: 'FP8 over a layer of 712 inputs',
    ...megatron(
      '--tensor-model-parallel-size 1 --hidden-size 712 --num-attention-heads 8 --ffn-hidden-size 896 --fp8-format hybrid --global-batch-size 8',
    ),
    finding: 'error fp8-not-aligned',
    marks: '712',
  },
  {
    thread: 'NVIDIA-NeMo/Megatron-Bridge#1697',
    symptom: 'the run stops at its first evaluation: the batch cannot be split into microbatches',
    file: 'conf.yaml',
    text: `# shardlens: gpus=16
model:
  tensor_model_parallel_size: 1
  pipeline_model_parallel_size: 1
  context_parallel_size: 1
train:
  train_iters: 100
  global_batch_size: 128
  micro_batch_size: 4
validation:
  eval_global_batch_size: 96
  eval_micro_batch_size: 4
`,
    finding: 'error evaluation-batch-not-divisible',
    marks: '96',
  },
];

const TITAN: readonly TrainingThread[] = [
  {
    thread: 'pytorch/torchtitan#963',
    symptom: 'an uneven number of layers: a pipeline left the last ones out',
    ...titan('pipeline_parallel_degree = 4'),
    because: 'An experiment cut the layers in its own code; the trainer deals every layer out.',
  },
  {
    thread: 'pytorch/torchtitan#1184',
    symptom: 'shards of 8 and context parallelism of 8 on 8 GPUs',
    ...titan('data_parallel_shard_degree = 8; context_parallel_degree = 8', '# shardlens: gpus=8\n'),
    finding: 'error world-product-mismatch',
  },
  {
    thread: 'pytorch/torchtitan#775',
    symptom: 'the pipeline hangs with fewer microbatches than stages',
    ...titan(
      'pipeline_parallel_degree = 4; pipeline_parallel_schedule = "1F1B"; pipeline_parallel_microbatch_size = 8',
    ),
    finding: 'warning fewer-microbatches-than-stages',
  },
  {
    thread: 'pytorch/torchtitan#774',
    symptom: 'ZBVZeroBubble with a number of stages a rank that is not 2',
    ...titan(
      'pipeline_parallel_degree = 4; pipeline_parallel_schedule = "ZBVZeroBubble"; pipeline_parallel_layers_per_stage = 3',
    ),
    finding: 'error stages-do-not-fit-schedule',
  },
  {
    thread: 'pytorch/torchtitan#1763',
    kind: 'pull',
    symptom: 'converters under the names of before',
    file: 'train.toml',
    text: `[model]
name = "llama3"
flavor = "8B"
hf_assets_path = "./assets"
converters = ["float8"]

[training]
local_batch_size = 8
seq_len = 8192
`,
    finding: 'error unknown-converter',
    marks: '["float8"]',
  },
];

const NANOTRON: readonly TrainingThread[] = [
  {
    thread: 'huggingface/nanotron#347',
    symptom: 'one microbatch for eight pipeline ranks',
    ...nanotron('dp: 1; pp: 8; tp: 1; pp_engine: 1f1b', 1),
    finding: 'error fewer-microbatches-than-stages',
    marks: '1',
  },
  {
    thread: 'huggingface/nanotron#250',
    symptom: 'degrees for 8 ranks on 4 GPUs',
    ...nanotron('dp: 2; pp: 2; tp: 2; pp_engine: 1f1b', 4, '# shardlens: gpus=4\n'),
    finding: 'error world-product-mismatch',
  },
];

export const TRAINING_THREADS: readonly TrainingThread[] = [
  ...MEGATRON,
  ...TITAN,
  ...NANOTRON,
  ...DEEPSPEED_THREADS,
  ...CODE_THREADS,
];
