import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { DialectReading } from '../../../server/src/dialects/dialect';
import { dialects } from '../../../server/src/dialects/registry';
import { parseConfig } from '../../../server/src/syntax/parse';
import { findingsOf } from './cases';
import { dialectOf, readAs } from './reading';

function fixture(path: string): string {
  return readFileSync(join(import.meta.dirname, '../../fixtures/dialects', path), 'utf8');
}

const ZERO3 = `{
  "train_micro_batch_size_per_gpu": "auto",
  "gradient_accumulation_steps": "auto",
  "gradient_clipping": "auto",
  "bf16": { "enabled": "auto" },
  "fp16": { "enabled": "auto" },
  "zero_optimization": { "stage": 3, "reduce_bucket_size": "auto", "stage3_param_persistence_threshold": "auto" }
}`;

/** Reads YAML with companions of any language, by the path that the file itself would use. */
function readWith(dialect: string, text: string, files: Readonly<Record<string, string>>): DialectReading {
  const found = dialects.find(({ id }) => id === dialect);
  if (found === undefined) throw new Error(`no dialect ${dialect}`);
  return found.read(parseConfig(text, 'yaml'), (path) => {
    const body = files[path];
    const language = path.endsWith('.json') ? 'json' : 'yaml';
    return body === undefined ? undefined : { uri: `file:///${path}`, tree: parseConfig(body, language) };
  });
}

const FILES = [
  ['deepspeed', 'deepspeed/zero2.json'],
  ['accelerate', 'accelerate/fsdp2.yaml'],
  ['accelerate', 'accelerate/fsdp1.yaml'],
  ['accelerate', 'accelerate/deepspeed.yaml'],
  ['axolotl', 'axolotl/qlora-fsdp.yaml'],
  ['axolotl', 'axolotl/zero3.yaml'],
  ['llama-factory', 'llama-factory/lora-zero3.yaml'],
  ['llama-factory', 'llama-factory/bridge.yaml'],
  ['trl', 'trl/grpo.yaml'],
  ['verl', 'verl/ppo.yaml'],
  ['verl', 'verl/megatron.yaml'],
  ['nemo-rl', 'nemo-rl/grpo.yaml'],
] as const;

describe('training files', () => {
  it.each(FILES)('of %s are known by content: %s', (dialect, path) => {
    const language = path.endsWith('.json') ? 'json' : 'yaml';
    expect(dialectOf(fixture(path), `some.${language}`, language)).toBe(dialect);
  });

  it.each(FILES)('of %s bring no finding when they are good: %s', (dialect, path) => {
    const found = findingsOf(dialect, fixture(path), path.split('.').at(-1) ?? '');
    const advice = ['out-of-memory', 'logits-dominate-memory'];
    expect(found.filter(({ rule }) => !advice.includes(rule)).map(({ message }) => message)).toEqual([]);
  });
});

describe('DeepSpeed', () => {
  it('reads batch, precision, stage and buckets', () => {
    expect(readAs('deepspeed', fixture('deepspeed/zero2.json'), 'json').plan).toMatchObject({
      batch: { globalBatch: { value: 64 }, microBatch: { value: 2 }, microbatches: { value: 4 } },
      layout: { data: { value: 8, origin: 'derived' } },
      precision: { weights: { value: 'BF16' }, gradients: { value: 'BF16' } },
      optimizer: { zeroStage: { value: 2, origin: 'file' }, stack: { value: 'deepspeed' } },
      details: { reduceBucketSize: 2e8, overlapComm: true },
    });
  });

  it('leaves the words that a script fills into a template alone', () => {
    const text =
      '{ "train_batch_size": CONFIG_BATCH, "fp16": { "enabled": Fp16_On }, "zero_optimization": { "stage": ZERO } }';
    expect(dialectOf(text, 'x.json', 'json')).toBe('deepspeed');
    expect(findingsOf('deepspeed', text, 'json')).toEqual([]);
    expect(readAs('deepspeed', text, 'json').plan.unresolved.map(({ path }) => path)).toContain('optimizer.zeroStage');
  });

  it('takes `auto` for a value that is not there yet', () => {
    const { plan, findings } = readAs('deepspeed', ZERO3, 'json');
    expect(plan.batch).toEqual({});
    expect(plan.precision).toEqual({});
    expect(plan.optimizer.zeroStage?.value).toBe(3);
    expect(findings).toEqual([]);
  });
});

describe('Accelerate', () => {
  it('reads FSDP2, its world and its precision', () => {
    expect(readAs('accelerate', fixture('accelerate/fsdp2.yaml')).plan).toMatchObject({
      layout: { worldSize: { value: 8 } },
      optimizer: { stack: { value: 'fsdp2' }, zeroStage: { value: 3 }, reshardAfterForward: { value: true } },
      precision: { weights: { value: 'F32' }, compute: { value: 'BF16' }, masterWeights: { value: 'none' } },
    });
  });

  it('reads its own ZeRO options', () => {
    expect(readAs('accelerate', fixture('accelerate/deepspeed.yaml')).plan).toMatchObject({
      cluster: { nodes: { value: 2 }, gpusPerNode: { value: 8 } },
      optimizer: { stack: { value: 'deepspeed' }, zeroStage: { value: 3 }, offloadOptimizer: { value: false } },
      batch: { microbatches: { value: 4 } },
    });
  });

  it('shares one copy out over shard and context ranks', () => {
    const mesh = '\nparallelism_config:\n  parallelism_config_dp_shard_size: 4\n  parallelism_config_cp_size: 2\n';
    const { plan } = readAs('accelerate', fixture('accelerate/fsdp2.yaml') + mesh);
    expect(plan.layout).toMatchObject({ context: { value: 2 }, dataShard: { value: 8, origin: 'derived' } });
  });

  it('goes on with the DeepSpeed file that it names, and shows both lines of a contradiction', () => {
    const text = `compute_environment: LOCAL_MACHINE
deepspeed_config:
  deepspeed_config_file: ds/zero3.json
  gradient_accumulation_steps: 2
distributed_type: DEEPSPEED
num_machines: 1
num_processes: 8
`;
    const json = ZERO3.replace('"gradient_accumulation_steps": "auto"', '"gradient_accumulation_steps": 4');
    const { plan, findings, references } = readWith('accelerate', text, { 'ds/zero3.json': json });
    expect(plan.optimizer.zeroStage).toMatchObject({
      value: 3,
      origin: 'companion',
      at: { uri: 'file:///ds/zero3.json' },
    });
    expect(references).toMatchObject([{ target: 'ds/zero3.json', kind: 'config' }]);
    const both = findings.find(({ rule }) => rule === 'trainer-disagrees-with-deepspeed');
    expect(text.slice(both?.at?.span.start, both?.at?.span.end)).toBe('2');
    const [place] = both?.related ?? [];
    expect(place?.at.uri).toBe('file:///ds/zero3.json');
    expect(json.slice(place?.at.span.start, place?.at.span.end)).toBe('4');
  });
});

describe('a trainer with a DeepSpeed file', () => {
  const text = fixture('axolotl/zero3.yaml');
  const path = 'deepspeed_configs/zero3.json';

  it.each(['2e-5', '0.00002', '2.0e-05'])('takes a rate of %s that fills `auto` for one value', (rate) => {
    const own = text.replace(/^learning_rate:.*$/m, `learning_rate: ${rate}`);
    expect(own).toContain(rate);
    const auto =
      '{ "optimizer": { "type": "AdamW", "params": { "lr": "auto" } }, "zero_optimization": { "stage": 3 } }';
    const { findings } = readWith('axolotl', own, { [path]: auto });
    expect(findings.filter(({ rule }) => rule === 'trainer-disagrees-with-deepspeed')).toEqual([]);
  });

  it('fills `auto` from the file that is open, at its place there', () => {
    const { plan } = readWith('axolotl', text, { [path]: ZERO3 });
    expect(plan.batch.microBatch).toMatchObject({ value: 1, origin: 'file', label: 'micro_batch_size' });
    expect(plan.batch.microbatches).toMatchObject({ value: 8, origin: 'file' });
    expect(plan.precision).toMatchObject({ weights: { value: 'BF16' }, gradients: { value: 'BF16' } });
    expect(plan.optimizer.zeroStage).toMatchObject({ value: 3, at: { uri: `file:///${path}` } });
  });

  it('sizes `auto` buckets by the model, as the Trainer does', () => {
    const { plan, complete } = readWith('axolotl', text, { [path]: ZERO3 });
    const model = { hiddenSize: { value: 4096, origin: 'default' as const } };
    expect(complete?.(plan, { model }).details).toMatchObject({
      reduceBucketSize: 4096 ** 2,
      persistenceThreshold: 40_960,
    });
  });

  it('finds the file from the folder that the tool is started in', () => {
    const { plan } = readWith('axolotl', text, { [`../../${path}`]: ZERO3 });
    expect(plan.optimizer.zeroStage?.value).toBe(3);
  });

  it('does not guess the stage while the file is not at hand', () => {
    const { plan } = readWith('axolotl', text, {});
    expect(plan.unresolved.map(({ path: field }) => field)).toContain('optimizer.zeroStage');
  });
});

describe('Axolotl', () => {
  it('reads QLoRA over FSDP2 and the mesh', () => {
    expect(readAs('axolotl', fixture('axolotl/qlora-fsdp.yaml')).plan).toMatchObject({
      model: { name: { value: 'meta-llama/Llama-3.1-8B' } },
      layout: { worldSize: { value: 8 }, dataShard: { value: 8 } },
      batch: { microBatch: { value: 2 }, microbatches: { value: 4 }, sequenceLength: { value: 4096 } },
      optimizer: { stack: { value: 'fsdp2' }, zeroStage: { value: 3 } },
      recompute: { granularity: { value: 'full' } },
      details: { lora: { rank: 16, targets: ['q_proj', 'v_proj'] }, quantizedBase: true },
    });
  });

  it('reads the words of FSDP1', () => {
    const text = fixture('axolotl/qlora-fsdp.yaml')
      .replace('fsdp_version: 2', 'fsdp: [shard_grad_op, offload]')
      .replace('  offload_params: false\n', '')
      .replace('  reshard_after_forward: true\n', '');
    expect(readAs('axolotl', text).plan.optimizer).toMatchObject({
      stack: { value: 'fsdp1' },
      zeroStage: { value: 2 },
      offloadParameters: { value: true },
    });
  });
});

describe('LLaMA-Factory', () => {
  it('keeps frozen weights narrow and raises what trains', () => {
    const flat = fixture('llama-factory/lora-zero3.yaml').replace(/deepspeed: .*\n/, '');
    expect(readAs('llama-factory', flat).plan).toMatchObject({
      precision: { weights: { value: 'BF16' } },
      details: { lora: { rank: 16 } },
      optimizer: { stack: { value: 'ddp', origin: 'assumed' } },
    });
    expect(readAs('llama-factory', flat.replace('type: lora', 'type: full')).plan).toMatchObject({
      precision: { weights: { value: 'F32' }, compute: { value: 'BF16' } },
      details: { autocast: true },
    });
    expect(
      readAs('llama-factory', flat.replace('type: lora', 'type: full').replace('bf16', 'pure_bf16')).plan,
    ).toMatchObject({ precision: { weights: { value: 'BF16' }, firstMoment: { value: 'BF16' } } });
  });

  it('gives no memory for ways to train that are not modelled', () => {
    const flat = fixture('llama-factory/lora-zero3.yaml').replace(/deepspeed: .*\n/, '');
    const fields = (text: string): string[] => readAs('llama-factory', text).plan.unresolved.map(({ path }) => path);
    expect(fields(flat)).toEqual([]);
    expect(fields(flat.replace('type: lora', 'type: freeze'))).toEqual(['optimizer.kind']);
    expect(fields(flat.replace('type: lora', 'type: full\nuse_badam: true'))).toEqual(['optimizer.kind']);
    expect(fields(`${flat}optim: galore_adamw\n`)).toEqual(['optimizer.kind']);
    expect(fields(`${flat}optim: adamw_8bit\n`)).toEqual([]);
  });

  it('reads the Megatron launch', () => {
    expect(readAs('llama-factory', fixture('llama-factory/bridge.yaml')).plan).toMatchObject({
      layout: { tensor: { value: 2 }, sequenceParallel: { value: true } },
      optimizer: { stack: { value: 'megatron' }, zeroStage: { value: 1 } },
    });
  });

  it('sees that chat and export train nothing', () => {
    const text = 'model_name_or_path: Qwen/Qwen3-4B\ntemplate: qwen3\ninfer_backend: huggingface\n';
    const { plan, findings } = readAs('llama-factory', text);
    expect(plan).toMatchObject({ task: 'model', model: { name: { value: 'Qwen/Qwen3-4B' } }, batch: {} });
    expect(findings).toEqual([]);
  });

  it('reads the sectioned form', () => {
    const text = `model: Qwen/Qwen3-4B
dist_config:
  name: fsdp2
  offload_params: true
peft_config:
  name: lora
  r: 32
train_dataset: data.yaml
micro_batch_size: 2
cp_size: 2
`;
    expect(dialectOf(text, 'x.yaml')).toBe('llama-factory');
    expect(readAs('llama-factory', text).plan).toMatchObject({
      model: { name: { value: 'Qwen/Qwen3-4B' } },
      layout: { context: { value: 2 } },
      batch: { microBatch: { value: 2 }, sequenceLength: { value: 2048 } },
      optimizer: { stack: { value: 'fsdp2' }, offloadParameters: { value: true } },
      details: { lora: { rank: 32 } },
    });
  });
});

describe('TRL', () => {
  it('trains on prompt and completion, and looks for a local model where it says', () => {
    const text = fixture('trl/grpo.yaml').replace('Qwen/Qwen2.5-1.5B-Instruct', './models/tiny');
    const { plan, references } = readAs('trl', text);
    expect(plan).toMatchObject({
      model: { name: { value: 'tiny' } },
      batch: { sequenceLength: { value: 2048 }, microBatch: { value: 8 } },
      details: { lora: { rank: 16, targets: ['q_proj', 'v_proj'] } },
    });
    expect(references).toMatchObject([{ target: './models/tiny/config.json', kind: 'model-config' }]);
  });
});

describe('a job whose launcher may shard it', () => {
  it('is never called too large for certain', () => {
    const text = fixture('trl/grpo.yaml').replace('use_peft: true\nlora_r: 16\n', '');
    const large = `# shardlens: gpu=H100 gpus=8\n${text}`.replace('Qwen/Qwen2.5-1.5B-Instruct', 'Qwen/Qwen3-32B');
    const found = findingsOf('trl', large, 'yaml').filter(({ rule }) => rule === 'out-of-memory');
    expect(found.map(({ severity }) => severity)).toEqual(['information']);
    expect(found[0]?.message).toContain('unless the launcher shards it');
  });
});

describe('verl', () => {
  it('reads the actor of both engines', () => {
    expect(readAs('verl', fixture('verl/ppo.yaml')).plan).toMatchObject({
      cluster: { nodes: { value: 1 }, gpusPerNode: { value: 8 } },
      batch: { globalBatch: { value: 512 }, microBatch: { value: 4 }, sequenceLength: { value: 2048 } },
      optimizer: { stack: { value: 'fsdp2' } },
      precision: { weights: { value: 'F32' }, compute: { value: 'BF16' } },
      recompute: { granularity: { value: 'full' } },
    });
    expect(readAs('verl', fixture('verl/megatron.yaml')).plan).toMatchObject({
      layout: { tensor: { value: 2 }, pipeline: { value: 2 }, expert: { value: 8 }, expertTensor: { value: 1 } },
      recompute: { granularity: { value: 'full' }, method: { value: 'uniform' }, layers: { value: 1 } },
    });
  });

  it('packs tokens where batches are dynamic', () => {
    const text = fixture('verl/ppo.yaml').replace(
      'ppo_micro_batch_size_per_gpu: 4',
      'use_dynamic_bsz: true\n    ppo_max_token_len_per_gpu: 16384',
    );
    expect(readAs('verl', text.replace('parallel_size: 1', 'parallel_size: 2')).plan.batch).toMatchObject({
      microBatch: { value: 1 },
      sequenceLength: { value: 32_768 },
    });
  });

  it('goes on with the groups of its bases, and follows references in the whole', () => {
    const text = `defaults:
  - ppo_trainer
  - _self_
trainer: {n_gpus_per_node: 8, nnodes: 2}
actor_rollout_ref:
  rollout: {n: 8, tensor_model_parallel_size: 4}
`;
    const files = {
      'ppo_trainer.yaml':
        'defaults:\n  - actor@actor_rollout_ref.actor: dp_actor\n  - _self_\ndata: {train_batch_size: 64}\n',
      'actor/dp_actor.yaml':
        'defaults:\n  - ../engine@fsdp_config: fsdp\n  - _self_\nstrategy: fsdp\nppo_mini_batch_size: 32\nrollout_n: ${oc.select:actor_rollout_ref.rollout.n,1}\nppo_micro_batch_size_per_gpu: ${actor_rollout_ref.actor.rollout_n}\n',
      'engine/fsdp.yaml': '_target_: verl.workers.config.FSDPEngineConfig\nfsdp_size: 4\n',
    };
    const { plan, references } = readWith('verl', text, files);
    expect(plan).toMatchObject({
      layout: { dataShard: { value: 4, at: { uri: 'file:///engine/fsdp.yaml' } } },
      batch: { globalBatch: { value: 256 }, microBatch: { value: 8 } },
      optimizer: { stack: { value: 'fsdp1' } },
    });
    expect(references.map(({ target }) => target)).toEqual(['ppo_trainer.yaml']);
  });

  it('draws nothing from what an absent base may hold', () => {
    const { findings } = readAs(
      'verl',
      'defaults:\n  - ppo_trainer\n  - _self_\nactor_rollout_ref:\n  actor: {strategy: fsdp}\n',
    );
    expect(findings).toEqual([]);
  });
});

describe('NeMo-RL', () => {
  it('reads the backend that is enabled', () => {
    const text = fixture('nemo-rl/grpo.yaml');
    expect(readAs('nemo-rl', text).plan).toMatchObject({
      layout: { tensor: { value: 4 }, pipeline: { value: 2 } },
      optimizer: { stack: { value: 'megatron' }, zeroStage: { value: 1 } },
      recompute: { granularity: { value: 'full' } },
    });
    const other = text
      .replace('dtensor_cfg:\n    enabled: false', 'dtensor_cfg:\n    enabled: true\n    tensor_parallel_size: 2')
      .replace('megatron_cfg:\n    enabled: true', 'megatron_cfg:\n    enabled: false');
    expect(readAs('nemo-rl', other).plan).toMatchObject({
      layout: { tensor: { value: 2 } },
      optimizer: { stack: { value: 'fsdp2' } },
      precision: { weights: { value: 'F32' } },
    });
  });

  it('deals layers out once the model is known', () => {
    const text = fixture('nemo-rl/grpo.yaml').replace(
      'pipeline_model_parallel_size: 2',
      'pipeline_model_parallel_size: 4\n    num_layers_in_first_pipeline_stage: 7\n    num_layers_in_last_pipeline_stage: 5',
    );
    const { plan, complete } = readAs('nemo-rl', text);
    expect(plan.unresolved.map(({ path }) => path)).toEqual(['layout.pipeline']);
    const known = complete?.(plan, { model: { layers: { value: 32, origin: 'default' } } });
    expect(known).toMatchObject({
      layout: { pipeline: { value: 4 }, stageLayers: { value: [7, 10, 10, 5] } },
      unresolved: [],
    });
    expect(complete?.(plan, { model: { layers: { value: 31, origin: 'default' } } })).toEqual(plan);
  });

  it('shards the states as every base does while the base is not at hand', () => {
    const text = `defaults: grpo_math_1B.yaml\n${fixture('nemo-rl/grpo.yaml')
      .replace(/^defaults:.*\n/m, '')
      .replace(/^ *use_distributed_optimizer:.*\n/m, '')}`;
    expect(readAs('nemo-rl', text).plan.optimizer.zeroStage).toMatchObject({ value: 1, origin: 'default' });
    const whole = text.replace(/^defaults:.*\n/m, '');
    expect(readAs('nemo-rl', whole).plan.optimizer.zeroStage).toBeUndefined();
  });

  it('leaves the GPUs of generation out of the world of training', () => {
    const apart = fixture('nemo-rl/grpo.yaml').replace(
      'colocated:\n      enabled: true',
      'colocated:\n      enabled: false\n      resources: {num_nodes: 1, gpus_per_node: 8}',
    );
    expect(readAs('nemo-rl', apart).plan.layout.worldSize?.value).toBe(8);
  });

  it('takes a reference of the base for what the recipe above it sets', () => {
    const base = fixture('nemo-rl/grpo.yaml');
    const child = 'defaults: base.yaml\npolicy:\n  train_micro_batch_size: 2\n';
    const { plan, findings } = readWith('nemo-rl', child, { 'base.yaml': base });
    expect(plan.batch.microBatch?.value).toBe(2);
    expect(plan.layout.tensor).toMatchObject({ value: 4, origin: 'companion' });
    expect(findings).toEqual([]);
  });
});
