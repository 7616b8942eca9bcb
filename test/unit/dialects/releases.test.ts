import { describe, expect, it } from 'vitest';
import type { Analysis } from '../../../server/src/features/analysis';
import { analyze } from '../../../server/src/features/analyze';

function analysisOf(text: string, name: string): Analysis {
  return analyze({ uri: `file:///w/${name}`, version: 1, text, settings: { rules: {} }, files: () => null });
}

function severities(text: string, name = 'run.sh'): Record<string, string> {
  return Object.fromEntries(analysisOf(text, name).findings.map(({ rule, severity }) => [rule, severity]));
}

const TRAIN =
  'torchrun --nproc-per-node 8 pretrain_gpt.py --num-layers 30 --hidden-size 1024 --num-attention-heads 16 --seq-length 2048 ' +
  '--max-position-embeddings 2048 --micro-batch-size 1 --global-batch-size 16 --train-iters 10 --lr 1e-4 --bf16 ' +
  '--tensor-model-parallel-size 2';

describe('programs that build on Megatron-LM', () => {
  it.each([
    ['its own script stops at stages of unequal size', TRAIN, 'error'],
    ['a flag of another program makes it likely only', `${TRAIN} --use-my-attention --reward-server a`, 'warning'],
    ['DeepSpeed splits layers its own way', `${TRAIN} --deepspeed --zero-stage 1`, 'warning'],
    ['one misspelt flag is a mistake', `${TRAIN} --sequence-paralel`, 'error'],
  ])('%s', (_, command, severity) => {
    expect(severities(`${command} --pipeline-model-parallel-size 4\n`)['layers-not-divisible']).toBe(severity);
  });

  it.each([
    ['tokenizer-type', 'PretrainedFromHF'],
    ['position-embedding-type', 'alibi'],
    ['moe-router-load-balancing-type', 'softmax_topk'],
  ])('take words for --%s that Megatron-LM does not have', (flag, word) => {
    const alone = severities(`${TRAIN} --${flag} ${word}\n`);
    expect(alone['wrong-value']).toBe('warning');
    expect(severities(`${TRAIN} --${flag} ${word} --use-npu-kernels\n`)['wrong-value']).toBe('hint');
  });

  it('take -1 for sizes that the checkpoint says', () => {
    const evaluate =
      'python ./tasks/eval_harness/evaluate.py --load ckpt --num-layers -1 --hidden-size -1 --num-attention-heads -1 ' +
      '--seq-length -1 --micro-batch-size 4 --eval_fp32 --results_path out.json\n';
    expect(severities(evaluate)['size-not-positive']).toBeUndefined();
    expect(severities(TRAIN.replace('--num-layers 30', '--num-layers -1'))['size-not-positive']).toBe('error');
  });

  it('convert checkpoints without a batch', () => {
    const merge =
      'python tools/merge_mp_partitions.py --model-type BERT --tensor-model-parallel-size 1 --num-layers 24 --hidden-size 1024 ' +
      '--num-attention-heads 16 --seq-length 512\n';
    expect(Object.values(severities(merge))).not.toContain('error');
  });
});

describe('what an older release takes', () => {
  const yaml = (rows: string): string =>
    `MODEL_ARGS:\n  --num-layers: 12\n  --hidden-size: 512\n  --num-attention-heads: 8\n  --micro-batch-size: 1\n` +
    `  --seq-length: 1024\n  --max-position-embeddings: 1024\n${rows}`;

  it.each([
    ['run.sh', `${TRAIN} --checkpoint-activations\n`, 'removed-key', 'warning'],
    ['model_config.yaml', yaml('  --checkpoint-activations: true\n'), 'removed-key', 'error'],
    [
      'model_config.yaml',
      yaml('  --num-experts: 4\n  --tensor-model-parallel-size: 2\n  --sequence-parallel: true\n'),
      'expert-bias-with-tensor',
      'warning',
    ],
    [
      'ppo_trainer.yaml',
      'actor_rollout_ref:\n  actor: { strategy: fsdp }\n  rollout: { mode: sync }\n',
      'rollout-mode-removed',
      'warning',
    ],
  ])('in %s is told with the certainty that there is: %#', (name, text, rule, severity) => {
    expect(severities(text, name)[rule]).toBe(severity);
  });

  it('is no fault: vision models without a vocabulary, sequence parallelism that is switched off', () => {
    const told = severities(`${TRAIN.replace('size 2', 'size 1')} --vocab-size 0 --sequence-parallel\n`);
    expect(told['size-not-positive']).toBeUndefined();
    expect(told['setting-without-effect']).toBe('information');
  });
});

describe('values of verl', () => {
  it('take fractions for a temperature', () => {
    const text =
      'python3 -m verl.trainer.main_ppo actor_rollout_ref.rollout.val_kwargs.temperature=0.6 actor_rollout_ref.rollout.n=4\n';
    expect(severities(text)).toEqual({});
  });
});

describe('what a file leaves to others', () => {
  it("is the launcher's, not the program's: options of python -m torch.distributed.run", () => {
    const text = `python -u -m torch.distributed.run --nproc_per_node 8 --nnodes 2 --tee 3 ${TRAIN.slice(TRAIN.indexOf('pretrain'))}\n`;
    const analysis = analysisOf(text, 'run.sh');
    expect(analysis.findings.filter(({ rule }) => rule === 'unknown-key')).toEqual([]);
    expect(analysis.resolved?.plan.cluster).toMatchObject({ nodes: { value: 2 }, gpusPerNode: { value: 8 } });
  });

  it('fills words in capitals into JSON before anyone parses it', () => {
    const model = (width: string): string =>
      `{"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": ${width}, "num_hidden_layers": CONFIG_LAYERS,\n` +
      '"num_attention_heads": 8, "vocab_size": 32000}';
    expect(severities(model('CONFIG_WIDTH'), 'config_TEMPLATE.json')).toEqual({});
    expect(severities(model('None'), 'config.json')['syntax']).toBe('error');
  });

  it('is overridden where NeMo is started', () => {
    const text =
      'trainer: { devices: 1, num_nodes: 1, precision: 16 }\nexp_manager: { name: a }\n' +
      'model:\n  micro_batch_size: 4\n  global_batch_size: 8\n  tensor_model_parallel_size: 2\n  pipeline_model_parallel_size: 1\n' +
      '  num_layers: 12\n  hidden_size: 768\n  num_attention_heads: 12\n  encoder_seq_length: 512\n';
    expect(severities(text, 'megatron.yaml')['world-not-divisible']).toBe('warning');
  });

  const pod = (rows: string): string =>
    'apiVersion: apps/v1\nkind: Deployment\nspec:\n  template:\n    spec:\n      containers:\n      - name: server\n' +
    `        command: ["python3", "-m", "sglang.launch_server"]\n${rows}`;

  it('is decided by a template: arguments of another server in one of its branches', () => {
    const rows = (open: string): string =>
      `        args:\n${open}        - --tokenizer\n        - a\n${open === '' ? '' : '        {{- end }}\n'}        - --model-path\n        - b\n`;
    expect(severities(pod(rows('        {{- if eq .Values.kind "vLLM" }}\n')), 'deployment.yaml')).toEqual({});
    expect(severities(pod(rows('')), 'deployment.yaml')['ambiguous-key']).toBe('error');
  });

  it.each([
    ['nvidia.com/gpu', 'warning'],
    ['google.com/tpu', undefined],
  ])('is how many ranks a chip runs: %s', (resource, severity) => {
    const text =
      'apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - name: server\n    command: ["vllm", "serve", "m"]\n' +
      `    args: ["--tensor-parallel-size=8"]\n    resources: { limits: { ${resource}: 4 } }\n`;
    expect(severities(text, 'pod.yaml')['launch-exceeds-gpus']).toBe(severity);
  });

  it('counts the pods of a group that an operator carries under another name', () => {
    const container = (indent: string): string =>
      `${indent}spec:\n${indent}  containers:\n${indent}  - name: a\n` +
      `${indent}    command: ["python3", "-m", "sglang.launch_server", "--model-path", "m", "--tp", "2", "--nnodes", "$(LWS_GROUP_SIZE)"]\n` +
      `${indent}    resources: { limits: { nvidia.com/gpu: "1" } }\n`;
    const text =
      'apiVersion: inference.llmaz.io/v1alpha1\nkind: Service\nspec:\n  workloadTemplate:\n    size: 2\n    leaderTemplate:\n' +
      `${container('      ')}    workerTemplate:\n${container('      ')}`;
    expect(severities(text, 'service.yaml')['launch-exceeds-gpus']).toBeUndefined();
  });
});

it('takes no flat dump of Megatron-LM for a file of GPT-NeoX', () => {
  const text =
    'num_layers: 24\nhidden_size: 1024\nnum_attention_heads: 16\nseq_length: 2048\nmodel_parallel_size: 1\ntrain_iters: 10\n' +
    'tokenizer_type: GPT2BPETokenizer\ntensor_model_parallel_size: 1\nmax_position_embeddings: 2048\n';
  expect(analysisOf(text, 'language_model.yaml').detection?.dialect).not.toBe('gpt-neox');
});
