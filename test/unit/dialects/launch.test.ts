import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { keyInfo, keysOf } from '../../../server/src/dialects/schema';
import { analyze } from '../../../server/src/features/analyze';
import type { Analysis } from '../../../server/src/features/analysis';
import { hover } from '../../../server/src/features/hover';
import type { Finding } from '../../../server/src/plan/finding';

const FIXTURES = join(import.meta.dirname, '../../fixtures/dialects');

function analysisOf(text: string, name: string): Analysis {
  return analyze({ uri: `file:///w/${name}`, version: 1, text, settings: { rules: {} }, files: () => null });
}

function fixture(path: string): { readonly text: string; readonly analysis: Analysis } {
  const text = readFileSync(join(FIXTURES, path), 'utf8');
  return { text, analysis: analysisOf(text, path.split('/').at(-1) ?? path) };
}

function layout(analysis: Analysis): Record<string, unknown> {
  const entries = Object.entries(analysis.resolved?.plan.layout ?? {});
  return Object.fromEntries(entries.map(([key, sourced]) => [key, sourced.value]));
}

function cluster(analysis: Analysis): Record<string, unknown> {
  const entries = Object.entries(analysis.resolved?.plan.cluster ?? {}).filter(([key]) =>
    /nodes|PerNode|^gpu$/.test(key),
  );
  return Object.fromEntries(entries.map(([key, sourced]) => [key, sourced.value]));
}

function errors(analysis: Analysis): readonly Finding[] {
  return analysis.findings.filter(({ severity }) => severity === 'error');
}

function shown(text: string, finding: Finding | undefined): string {
  return finding?.at === undefined ? '' : text.slice(finding.at.span.start, finding.at.span.end);
}

describe('formats that carry launch commands', () => {
  it.each([
    ['shell/pretrain.sh', 'shell', 'megatron', { tensor: 4, pipeline: 2 }, { nodes: 4, gpusPerNode: 8 }],
    ['shell/serve.sh', 'shell', 'vllm', { tensor: 8 }, {}],
    ['kubernetes/lws.yaml', 'kubernetes', 'sglang', { tensor: 16 }, { nodes: 2, gpusPerNode: 8 }],
    ['dynamo/graph.yaml', 'dynamo', 'sglang', { tensor: 8, expert: 8 }, { nodes: 2, gpusPerNode: 4 }],
    ['dynamo/services.yaml', 'dynamo', 'vllm', { tensor: 2 }, { gpusPerNode: 2 }],
    ['srt-slurm/sweep.yaml', 'srt-slurm', 'sglang', { tensor: 16 }, { nodes: 2, gpusPerNode: 8 }],
    ['sglang-cookbook/vendor.yaml', 'sglang-cookbook', 'sglang', { tensor: 2 }, {}],
  ])('%s is %s, read as %s', (path, dialect, program, degrees, machines) => {
    const { analysis } = fixture(path);
    expect(analysis.detection?.dialect).toBe(dialect);
    expect(analysis.resolved?.plan.dialect).toBe(program);
    expect(layout(analysis)).toMatchObject(degrees);
    expect(cluster(analysis)).toMatchObject(machines);
    expect(errors(analysis).map(({ message }) => message)).toEqual([]);
  });

  it('names the GPU and the model that the file names', () => {
    expect(cluster(fixture('srt-slurm/sweep.yaml').analysis)).toMatchObject({ gpu: 'H200' });
    expect(cluster(fixture('sglang-cookbook/vendor.yaml').analysis)).toMatchObject({ gpu: 'H100' });
    expect(fixture('dynamo/services.yaml').analysis.resolved?.plan.model.name?.value).toBe('Qwen/Qwen3-32B');
    expect(fixture('srt-slurm/sweep.yaml').analysis.resolved?.plan.model.name?.value).toBe('deepseek-ai/DeepSeek-R1');
  });

  it.each([
    'pip install vllm && git clone x/vllm\n',
    'cat vllm.txt\necho "vllm serve x --tensor-parallel-size 8"\n',
    'make -j8\n',
  ])('leaves a script alone that starts nothing: %s', (text) => {
    expect(analysisOf(text, 'build.sh').detection).toBeUndefined();
  });
});

describe('findings on the argument itself', () => {
  it('points into the array that holds the argument', () => {
    const { text } = fixture('shell/pretrain.sh');
    const broken = text.replace('--num-attention-heads 32', '--num-attention-heads 30');
    const [first] = errors(analysisOf(broken, 'pretrain.sh'));
    expect(first?.rule).toBe('head-width-not-whole');
    expect(shown(broken, first)).toBe('4096');
  });

  it('points at the variable where the argument is one', () => {
    const { text } = fixture('shell/pretrain.sh');
    const broken = text.replace('TP:-4', 'TP:-3');
    const [first] = errors(analysisOf(broken, 'pretrain.sh'));
    expect(first?.rule).toBe('world-not-divisible');
    expect(errors(analysisOf(broken, 'pretrain.sh')).map((finding) => shown(broken, finding))).toContain('$TP');
  });

  it.each([
    ['dynamo/graph.yaml', '--tp-size, "8"', '--tp-size, "3"', '--tp-size, "4"'],
    ['kubernetes/lws.yaml', '--tp=16', '--tp=3', '--tp=4'],
  ])('keeps the quotes of what a fix replaces: %s', (path, before, broken, after) => {
    const text = fixture(path).text.replace(before, broken);
    const answers = analysisOf(text, 'x.yaml')
      .findings.flatMap(({ fixes }) => fixes ?? [])
      .map(({ edits: [edit] }) =>
        edit === undefined ? '' : text.slice(0, edit.at.span.start) + edit.newText + text.slice(edit.at.span.end),
      );
    expect(answers.some((answer) => answer.includes(after))).toBe(true);
  });

  it('points into the text that a variable holds', () => {
    const { text } = fixture('shell/pretrain.sh');
    const broken = text.replace('--micro-batch-size 1', '--micro-batch-size x');
    const [first] = errors(analysisOf(broken, 'pretrain.sh'));
    expect(first?.rule).toBe('wrong-type');
    expect(shown(broken, first)).toBe('x');
  });

  it('points into the script inside quotes', () => {
    const { text } = fixture('shell/serve.sh');
    const broken = text.replace('--tensor-parallel-size 8', '--tensor-parallel-size 7');
    const [first] = errors(analysisOf(broken, 'serve.sh'));
    expect(first?.rule).toBe('heads-not-divisible');
    expect(shown(broken, first)).toBe('7');
  });

  it('judges every launch of a document, not only the largest', () => {
    const { text } = fixture('shell/serve.sh');
    const broken = text.replace('--tp 4', '--tp 3');
    expect(errors(analysisOf(broken, 'serve.sh')).map((finding) => shown(broken, finding))).toContain('3');
  });

  it('points at the item of a zipped list', () => {
    const { text } = fixture('srt-slurm/sweep.yaml');
    const broken = text.replace('[8, 16]', '[8, 12]');
    const found = errors(analysisOf(broken, 'sweep.yaml'));
    expect(found.map(({ rule }) => rule)).toContain('heads-not-divisible');
    expect(found.map((finding) => shown(broken, finding))).toContain('12');
  });

  it('merges the base first: what an override replaces is no fault', () => {
    const { text, analysis } = fixture('srt-slurm/sweep.yaml');
    expect(errors(analysis)).toEqual([]);
    const alone = text.slice(0, text.indexOf('zip_override_wide'));
    expect(errors(analysisOf(alone, 'sweep.yaml')).map(({ rule }) => rule)).toContain('dp-attention-not-divisible');
  });

  it('says where a pod holds fewer GPUs than its server needs', () => {
    const { text } = fixture('kubernetes/lws.yaml');
    const broken = text.replace('size: 2', 'size: 1');
    const room = analysisOf(broken, 'lws.yaml').findings.filter(({ rule }) => rule === 'launch-exceeds-gpus');
    expect(room.map((finding) => shown(broken, finding))).toEqual(['16']);
  });

  it('says where CUDA_VISIBLE_DEVICES leaves too few GPUs', () => {
    const text = 'export CUDA_VISIBLE_DEVICES=0,1\nvllm serve Qwen/Qwen3-32B --tensor-parallel-size 4\n';
    const room = (body: string): readonly Finding[] =>
      analysisOf(body, 'run.sh').findings.filter(({ rule }) => rule === 'launch-exceeds-gpus');
    expect(room(text).map((finding) => shown(text, finding))).toEqual(['4']);
    expect(room(text)[0]?.message).toMatch(/CUDA_VISIBLE_DEVICES leaves 2/);
    expect(room(text.replace('0,1', '0,1,2,3'))).toEqual([]);
    expect(room(text.replace('0,1', '$GPUS'))).toEqual([]);
  });

  it('stays silent about what a variable from outside decides', () => {
    const { text } = fixture('shell/pretrain.sh');
    const open = text.replace('TP=${TP:-4}', '').replace('PP=2', 'PP=3');
    expect(errors(analysisOf(open, 'pretrain.sh'))).toEqual([]);
  });

  it('takes an argument from a branch as possible, not as certain', () => {
    const text =
      'ARGS="--tensor-parallel-size 8"\nif x; then ARGS="$ARGS --pipeline-parallel-size 3"; fi\nvllm serve m $ARGS\n';
    expect(layout(analysisOf(text, 'run.sh'))).toMatchObject({ tensor: 8 });
    expect(layout(analysisOf(text, 'run.sh'))).not.toMatchObject({ pipeline: 3 });
  });

  it.each([
    ['cat > $CFG <<EOF', 'CFG=/tmp/options.yml'],
    ["cat <<'EOF' > $CFG", 'CFG=/tmp/options.yml'],
    ['cat << EOF > /tmp/options.yml', 'CFG=/tmp/options.yml'],
  ])('reads the file that the script writes: %s', (cat, variable) => {
    const text = `${variable}\n${cat}\nmoe_expert_parallel_size: 8\nenable_attention_dp: true\nkv_cache_config:\n  free_gpu_memory_fraction: 2.5\nEOF\ntrtllm-serve Qwen/Qwen3-30B-A3B --tp_size 8 --extra_llm_api_options $CFG\n`;
    const analysis = analysisOf(text, 'run.sh');
    expect(layout(analysis)).toMatchObject({ tensor: 8, expert: 8, attentionData: 8 });
    expect(analysis.findings.map((finding) => shown(text, finding))).toContain('2.5');
  });

  it('takes the default of a variable for its value, but not where a scheduler sets it', () => {
    const text = (variable: string): string =>
      `NODES=\${${variable}:-"1"}\nvllm serve m --tensor-parallel-size 8 --nnodes $NODES\n`;
    expect(cluster(analysisOf(text('MY_NODES'), 'run.sh'))).toMatchObject({ nodes: 1 });
    expect(cluster(analysisOf(text('SLURM_NNODES'), 'run.sh'))).not.toHaveProperty('nodes');
  });

  it('reads the overrides of a verl command as its configuration', () => {
    const text =
      'TP=4\npython3 -m verl.trainer.main_ppo \\\n  actor_rollout_ref.model.path=Qwen/Qwen3-8B actor_rollout_ref.rollout.tensor_model_parallel_size=$TP \\\n  actor_rollout_ref.actor.ppo_mini_batch_size=x trainer.n_gpus_per_node=8 trainer.nnodes=2\n';
    const analysis = analysisOf(text, 'run_grpo.sh');
    expect(analysis.detection?.dialect).toBe('shell');
    expect(analysis.resolved?.plan.dialect).toBe('verl');
    expect(cluster(analysis)).toMatchObject({ nodes: 2, gpusPerNode: 8 });
    expect(analysis.findings.map((finding) => shown(text, finding))).toContain('x');
  });

  it.each([
    ['torchrun --nproc_per_node 8 --nnodes 2 train.py', { nodes: 2, gpusPerNode: 8 }],
    ['accelerate launch --num_processes 16 --num_machines 2 train.py', { nodes: 2, gpusPerNode: 8 }],
    ['deepspeed --num_gpus 4 train.py --deepspeed ds.json', { gpusPerNode: 4 }],
    ['python -m torch.distributed.run --nproc-per-node=2 train.py', { gpusPerNode: 2 }],
  ])('reads the arguments of a Trainer behind %s', (launcher, machines) => {
    const text = `${launcher} --model_name_or_path Qwen/Qwen3-8B \\\n  --per_device_train_batch_size 2 --gradient_accumulation_steps 4 --learning_rate 1e-5 --gradient_checkpointing True\n`;
    const analysis = analysisOf(text, 'train.sh');
    expect(analysis.detection?.dialect).toBe('shell');
    expect(analysis.resolved?.plan.task).toBe('training');
    expect(analysis.resolved?.plan.batch.microBatch?.value).toBe(2);
    expect(cluster(analysis)).toMatchObject(machines);
  });

  it('leaves a script of the Trainer alone that nothing spreads over GPUs', () => {
    const text = 'python run_glue.py --model_name_or_path bert --per_device_train_batch_size 2 --learning_rate 1e-5\n';
    expect(analysisOf(text, 'train.sh').detection).toBeUndefined();
  });

  it('links the configs that trainers are started with', () => {
    const text = 'HERE=$(dirname "$0")\ndeepspeed --num_gpus 8 train.py --deepspeed_config $HERE/zero3.json\n';
    const analysis = analysisOf(text, 'run.sh');
    expect(analysis.detection?.dialect).toBe('shell');
    expect(analysis.references.map(({ uri }) => uri)).toEqual(['file:///w/zero3.json']);
  });
});

describe('the short form of the cookbook', () => {
  it('is every GPU with every configuration', () => {
    const text = [
      'vendor: qwen',
      'defaults:',
      '  hardware:',
      '    H200: { tp: 8 }',
      '    MI300X: { tp: 4, extra_args: ["--kv-cache-dtype", "fp8_e4m3"] }',
      '  configurations:',
      '    - name: default',
      '    - name: wide',
      '      dp: 8',
      '      enable_dp_attention: true',
      'families:',
      '  - name: Qwen3',
      '    models:',
      '      - name: Qwen3-32B',
      '        model_path: Qwen/Qwen3-32B',
      '',
    ].join('\n');
    const analysis = analysisOf(text, 'qwen.yaml');
    expect(analysis.detection?.dialect).toBe('sglang-cookbook');
    expect(layout(analysis)).toMatchObject({ tensor: 8 });
    const broken = errors(analysis).filter(({ rule }) => rule === 'dp-attention-not-divisible');
    expect(broken.map((finding) => shown(text, finding))).toEqual(['8']);
  });
});

describe('pods of one training job', () => {
  const container = (indent: string): string =>
    [
      'spec:',
      '  containers:',
      '    - name: train',
      '      image: x/megatron',
      '      command: [torchrun, pretrain_gpt.py, --tensor-model-parallel-size, "2", --num-layers, "8", --hidden-size, "512", --num-attention-heads, "8", --seq-length, "512", --max-position-embeddings, "512", --micro-batch-size, "1"]',
      '      resources: { limits: { nvidia.com/gpu: 8 } }',
    ]
      .map((line) => indent + line)
      .join('\n');

  it.each([
    [
      'a PyTorchJob',
      `apiVersion: kubeflow.org/v1\nkind: PyTorchJob\nspec:\n  pytorchReplicaSpecs:\n    Master:\n      replicas: 1\n    Worker:\n      replicas: 3\n      template:\n${container('        ')}\n`,
    ],
    [
      'an indexed Job',
      `apiVersion: batch/v1\nkind: Job\nspec:\n  completionMode: Indexed\n  parallelism: 4\n  completions: 4\n  template:\n${container('    ')}\n`,
    ],
  ])('are the nodes of %s', (_kind, text) => {
    const analysis = analysisOf(text, 'job.yaml');
    expect(analysis.detection?.dialect).toBe('kubernetes');
    expect(analysis.resolved?.plan.dialect).toBe('megatron');
    expect(cluster(analysis)).toMatchObject({ nodes: 4, gpusPerNode: 8 });
  });
});

describe('hover on an argument', () => {
  const shownAt = (path: string, needle: string): string => {
    const { text, analysis } = fixture(path);
    const answer = hover(analysis, analysis.lines.positionAt(text.indexOf(needle) + 3));
    return answer === null ? '' : JSON.stringify(answer.contents);
  };

  it.each([
    ['shell/pretrain.sh', '--seq-length'],
    ['shell/serve.sh', '--max-model-len'],
    ['kubernetes/lws.yaml', '--trust-remote-code'],
    ['srt-slurm/sweep.yaml', 'data-parallel-size'],
  ])('says in %s what %s means', (path, needle) => {
    expect(shownAt(path, needle).length).toBeGreaterThan(40);
  });
});

describe('the vocabulary of srt-slurm', () => {
  it('is that of the engine below its role, in overrides too', () => {
    const at = ['zip_override_a', 'backend', 'sglang_config', 'decode'];
    expect(keyInfo('srt-slurm', [...at, 'tp_size'])?.key).toBe('tp-size');
    expect(keyInfo('srt-slurm', ['backend', 'trtllm_config', 'decode', 'kv_cache_config', 'dtype'])).toBeDefined();
    expect(keyInfo('srt-slurm', ['backend', 'type'])).toBeUndefined();
    expect(keysOf('srt-slurm', at).map(({ key }) => key)).toContain('mem-fraction-static');
    expect(keysOf('srt-slurm', ['resources'])).toEqual([]);
  });
});
