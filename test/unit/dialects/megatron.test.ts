import { describe, expect, it } from 'vitest';
import { unevenStages } from '../../../server/src/dialects/megatron/layout';
import { listExpression, moeLayers } from '../../../server/src/dialects/megatron/patterns';
import { layoutFault, parsePipelineLayout } from '../../../server/src/dialects/megatron/pipeline-layout';
import type { Plan } from '../../../server/src/plan/plan';
import { dialectOf, fixed, readAs, textAt, told } from './reading';

function args(body: string): string {
  return `ENV_VARS:\n  A: 1\nMODEL_ARGS:\n${body
    .trim()
    .split('\n')
    .map((line) => `  ${line.trim()}`)
    .join('\n')}\n`;
}

function planOf(body: string): Plan {
  return readAs('megatron', args(body)).plan;
}

function said(body: string): string[] {
  return told(readAs('megatron', args(body)).findings);
}

describe('detection', () => {
  it('knows all forms by their content', () => {
    expect(dialectOf(args('--num-layers: 2'), 'a.yaml')).toBe('megatron');
    expect(
      dialectOf('language_model: { num_layers: 2 }\nmodel_parallel: { tensor_model_parallel_size: 1 }\n', 'a.yaml'),
    ).toBe('megatron');
    expect(
      dialectOf('tensor_model_parallel_size: 2\npipeline_model_parallel_size: 2\nmicro_batch_size: 1\n', 'a.yaml'),
    ).toBe('megatron');
  });
  it('leaves frameworks that pass its arguments on alone', () => {
    expect(dialectOf('model:\n  tensor_model_parallel_size: 2\ntrainer: { devices: 8 }\n', 'a.yaml')).toBeUndefined();
    expect(
      dialectOf(
        'stage: sft\nfinetuning_type: full\ntensor_model_parallel_size: 2\npipeline_model_parallel_size: 2\n',
        'a.yaml',
      ),
    ).not.toBe('megatron');
    expect(dialectOf('MODEL_ARGS: none\n', 'a.yaml')).toBeUndefined();
  });
});

describe('layout', () => {
  it('has the defaults of validate_args', () => {
    const { layout } = planOf(
      '--tensor-model-parallel-size: 4\n--expert-model-parallel-size: 8\n--sequence-parallel: true',
    );
    expect(layout).toMatchObject({
      tensor: { value: 4, origin: 'file', label: '--tensor-model-parallel-size' },
      pipeline: { value: 1, origin: 'default' },
      expertTensor: { value: 4, origin: 'default' },
      sequenceParallel: { value: true },
    });
  });
  it('switches sequence parallelism off for TP 1', () => {
    expect(planOf('--sequence-parallel: true').layout.sequenceParallel).toMatchObject({
      value: false,
      origin: 'derived',
    });
  });
  it('derives virtual stages from layers a chunk and from layouts', () => {
    expect(
      planOf('--num-layers: 32\n--pipeline-model-parallel-size: 4\n--num-layers-per-virtual-pipeline-stage: 2').layout
        .virtualPipeline,
    ).toMatchObject({ value: 4, origin: 'derived' });
    const layout = planOf(
      '--pipeline-model-parallel-size: 4\n--pipeline-model-parallel-layout: Et*2|(tt|)*5t|tmL',
    ).layout;
    expect(layout.virtualPipeline?.value).toBe(2);
    expect(layout.stageLayers?.value).toEqual([2, 2, 2, 2, 2, 2, 1, 1]);
    expect(
      planOf('--pipeline-model-parallel-size: 4\n--num-virtual-stages-per-pipeline-rank: 2').pipeline.kind,
    ).toMatchObject({ value: 'interleaved', origin: 'derived' });
  });
  it('deals layers out unevenly', () => {
    expect(
      planOf(
        '--num-layers: 61\n--pipeline-model-parallel-size: 16\n--decoder-first-pipeline-num-layers: 4\n--decoder-last-pipeline-num-layers: 1',
      ).layout.stageLayers?.value,
    ).toEqual([...new Array<number>(15).fill(4), 1]);
    expect(unevenStages({ layers: 6, ranks: 4, chunks: 2, embedding: true, loss: true })).toEqual([
      0, 1, 1, 1, 1, 1, 1, 0,
    ]);
    expect(unevenStages({ layers: 8, ranks: 4, chunks: 1, embedding: false, loss: false })).toBeUndefined();
    expect(unevenStages({ layers: 9, ranks: 4, chunks: 1, first: 1, embedding: false, loss: false })).toBeUndefined();
  });
  it('reads launcher keys', () => {
    expect(
      readAs('megatron', 'ENV_VARS:\n  GPUS_PER_NODE: 8\n  NNODES: 4\nMODEL_ARGS:\n  --num-layers: 2\n').plan.cluster,
    ).toMatchObject({ nodes: { value: 4 }, gpusPerNode: { value: 8 } });
  });
  it('keeps interpolations unknown, by plan field', () => {
    const plan = planOf('--tensor-model-parallel-size: ${TP}\n--micro-batch-size: ${MBS}');
    expect(plan.layout.tensor).toBeUndefined();
    expect(plan.unresolved.map(({ path }) => path)).toEqual(['layout.tensor', 'batch.microBatch']);
  });
});

describe('model', () => {
  it('fills the inner width, heads and groups as Megatron does', () => {
    const plain = planOf('--num-layers: 2\n--hidden-size: 1024\n--num-attention-heads: 16');
    expect(plain.model).toMatchObject({
      intermediateSize: { value: 4096, origin: 'default' },
      kvHeads: { value: 16 },
      headDim: { value: 64 },
      gatedMlp: { value: false },
      mlpBias: { value: true },
      tiedEmbeddings: { value: true },
      normBias: { value: true },
    });
    const gated = planOf(
      '--num-layers: 2\n--hidden-size: 1000\n--num-attention-heads: 10\n--swiglu: true\n--disable-bias-linear: true\n--group-query-attention: true\n--num-query-groups: 2\n--normalization: RMSNorm\n--untie-embeddings-and-output-weights: true',
    );
    expect(gated.model).toMatchObject({
      intermediateSize: { value: 2624 },
      kvHeads: { value: 2 },
      mlpBias: { value: false, origin: 'file' },
      normBias: { value: false },
      tiedEmbeddings: { value: false },
    });
  });
  it('reads latent attention and experts', () => {
    const { model } = planOf(
      '--num-layers: 4\n--hidden-size: 64\n--num-attention-heads: 4\n--ffn-hidden-size: 128\n--multi-latent-attention: true\n--kv-lora-rank: 512\n--num-experts: 8\n--moe-layer-freq: ([0]*1+[1]*3)\n--moe-ffn-hidden-size: 32\n--moe-shared-expert-intermediate-size: 64',
    );
    expect(model).toMatchObject({
      attention: { value: 'mla' },
      kvLoraRank: { value: 512 },
      qkNopeHeadDim: { value: 128, origin: 'default' },
      experts: { value: 8 },
      expertsPerToken: { value: 2, origin: 'default' },
      sharedExperts: { value: 2, origin: 'derived' },
      moeLayers: { value: [false, true, true, true] },
    });
  });
  it('gives hybrid stacks no sizes', () => {
    expect(planOf('--num-layers: 4\n--hidden-size: 64\n--hybrid-layer-pattern: M*-M').model).toEqual({});
  });
});

describe('training', () => {
  it('accumulates in FP32 under BF16 unless told otherwise', () => {
    expect(planOf('--bf16: true').precision).toMatchObject({
      weights: { value: 'BF16' },
      gradients: { value: 'F32', origin: 'default' },
      masterWeights: { value: 'F32' },
      fp8Recipe: { value: 'none' },
    });
    expect(planOf('--bf16: true\n--grad-reduce-in-bf16: true').precision.gradients).toMatchObject({
      value: 'BF16',
      origin: 'file',
    });
    expect(planOf('--num-layers: 2').precision).toMatchObject({
      weights: { value: 'F32' },
      masterWeights: { value: 'none' },
    });
  });
  it('takes moments in other formats from the precision-aware optimizer only', () => {
    expect(
      planOf('--bf16: true\n--use-precision-aware-optimizer: true\n--exp-avg-dtype: bf16').precision.firstMoment,
    ).toMatchObject({ value: 'BF16', origin: 'file' });
    expect(planOf('--bf16: true\n--exp-avg-dtype: bf16').precision.firstMoment).toMatchObject({
      value: 'F32',
      origin: 'default',
    });
  });
  it('knows FP8 recipes and their default', () => {
    expect(planOf('--bf16: true\n--fp8-format: hybrid').precision).toMatchObject({
      fp8Recipe: { value: 'delayed', origin: 'default' },
      compute: { value: 'F8_E4M3' },
    });
    expect(
      planOf('--bf16: true\n--fp8-format: e4m3\n--fp8-recipe: blockwise\n--fp8-param-gather: true').precision,
    ).toMatchObject({
      fp8Recipe: { value: 'blockwise' },
      fp8Weights: { value: true },
      fp8Activations: { value: true },
    });
  });
  it('maps data-parallel sharding to ZeRO stages', () => {
    expect(planOf('--use-distributed-optimizer: true').optimizer.zeroStage?.value).toBe(1);
    expect(planOf('--use-megatron-fsdp: true').optimizer.zeroStage?.value).toBe(3);
    expect(
      planOf('--use-megatron-fsdp: true\n--data-parallel-sharding-strategy: optim_grads').optimizer.zeroStage?.value,
    ).toBe(2);
    expect(planOf('--use-torch-fsdp2: true').optimizer).toMatchObject({
      zeroStage: { value: 3 },
      stack: { value: 'fsdp2' },
    });
    expect(planOf('--no-gradient-accumulation-fusion: true').optimizer.gradientAccumulationFusion).toMatchObject({
      value: false,
      origin: 'file',
    });
  });
  it('reads recompute and batch', () => {
    expect(planOf('--recompute-granularity: selective').recompute).toMatchObject({
      granularity: { value: 'selective' },
      modules: { value: ['core_attn'], origin: 'default' },
    });
    expect(
      planOf('--recompute-granularity: selective\n--recompute-modules: mla_up_proj moe_act').recompute.modules?.value,
    ).toEqual(['mla_up_proj', 'moe_act']);
    expect(planOf('--micro-batch-size: 2\n--seq-length: 4096').batch).toMatchObject({
      microBatch: { value: 2 },
      microbatches: { value: 1, origin: 'default' },
      sequenceLength: { value: 4096 },
    });
  });
  it('reads the same from flat and sectioned YAML', () => {
    const flat = readAs(
      'megatron',
      'tensor_model_parallel_size: 2\nnum_layers: 4\nhidden_size: 64\nnum_attention_heads: 4\nbf16: true\nno_gradient_accumulation_fusion: true\n',
    ).plan;
    const sections = readAs(
      'megatron',
      'language_model: { num_layers: 4, hidden_size: 64, num_attention_heads: 4, num_query_groups: null }\nmodel_parallel: { tensor_model_parallel_size: 2, bf16: true, gradient_accumulation_fusion: false }\n',
    ).plan;
    for (const plan of [flat, sections]) {
      expect(plan.layout.tensor).toMatchObject({ value: 2, label: 'tensor_model_parallel_size' });
      expect(plan.model.layers?.value).toBe(4);
      expect(plan.precision.weights?.value).toBe('BF16');
      expect(plan.optimizer.gradientAccumulationFusion?.value).toBe(false);
    }
  });
  it("takes ms-swift's own defaults and says that adapters leave the optimizer unknown", () => {
    const { plan } = readAs(
      'megatron',
      'model: Qwen/Qwen3-8B\ntuner_type: lora\ntensor_model_parallel_size: 2\nexpert_model_parallel_size: 4\nmax_length: 2048\n',
    );
    expect(plan).toMatchObject({
      model: { name: { value: 'Qwen/Qwen3-8B' } },
      layout: { expertTensor: { value: 1, note: "ms-swift's default" } },
      optimizer: { zeroStage: { value: 1 } },
      recompute: { granularity: { value: 'selective' } },
      batch: { globalBatch: { value: 16, origin: 'default' }, sequenceLength: { value: 2048 } },
    });
    expect(plan.unresolved.map(({ path }) => path)).toEqual(['optimizer.trainable']);
  });
  it('keeps the details that only this stack has', () => {
    expect(
      planOf('--transformer-impl: local\n--hidden-dropout: 0.0\n--make-vocab-size-divisible-by: 64').details,
    ).toMatchObject({
      transformerImpl: 'local',
      attentionKernel: 'unfused',
      hiddenDropout: false,
      attentionDropout: true,
      vocabDivisor: 64,
      positions: 'learned',
    });
  });
});

describe('findings', () => {
  it('offer the flag that was meant, and know those of entry scripts', () => {
    const text = args('--tensor-model-paralel-size: 2\n--flextron: true\n--linear-thing-nobody-knows: 1');
    const { findings } = readAs('megatron', text);
    expect(told(findings)).toEqual(['warning unknown-key', 'hint unknown-key']);
    expect(fixed(text, findings[0])).toContain('--tensor-model-parallel-size: 2');
  });
  it('stop at flags that Megatron keeps to refuse', () => {
    expect(said('--model-parallel-size: 2')).toEqual(['error removed-key']);
    expect(said('--moe-enable-deepep: true\n--moe-token-dispatcher-type: flex')).toEqual(['hint deprecated-key']);
  });
  it('judge values as the argument parser does', () => {
    expect(said('--num-layers: twelve')).toEqual(['error wrong-type']);
    expect(said('--num-layers: "12"')).toEqual([]);
    expect(said('--num-layers: ${N}')).toEqual([]);
    expect(said('--fp8-format: e4m')).toEqual(['error wrong-value']);
    expect(said('--fp8-format: hybrid\n--fp8-recipe: fancy')).toEqual(['warning wrong-value']);
    expect(said('--swiglu: "true"')).toEqual([]);
    expect(said('--finetune: false')).toEqual([]);
    expect(said('--context-parallel-size: 4\n--hierarchical-context-parallel-sizes: 2 2')).toEqual([]);
    expect(said('--hierarchical-context-parallel-sizes: 2 x')).toEqual(['error wrong-type']);
  });
  it('say so where a number is no number at all', () => {
    expect(said('--num-layers: true')).toEqual(['error wrong-type']);
    expect(said('--num-layers: []')).toEqual(['error wrong-type']);
    expect(said('--num-layers:')).toEqual(['error null-value']);
    expect(said('--num-layers: {}')).toEqual(['error wrong-type']);
    expect(said('--num-layers: false')).toEqual([]);
    expect(said('--transformer-impl: true')).toEqual(['error wrong-type']);
    expect(said('--auto-detect-ckpt-format:')).toEqual([]);
    const flat = 'tensor_model_parallel_size: true\npipeline_model_parallel_size: 2\nnum_layers: [2]\nhidden_size:\n';
    expect(told(readAs('megatron', flat).findings)).toEqual(['warning wrong-type', 'warning wrong-type']);
  });
  it('name forms that exclude one another, at the first and related to the others', () => {
    const text = args(
      '--num-layers-per-virtual-pipeline-stage: 1\n--num-virtual-stages-per-pipeline-rank: 2\n--num-layers: 8\n--pipeline-model-parallel-size: 4',
    );
    const [finding] = readAs('megatron', text).findings;
    expect(finding).toMatchObject({ rule: 'exclusive-keys', severity: 'error' });
    expect(textAt(text, finding)).toBe('--num-layers-per-virtual-pipeline-stage');
    expect(finding?.related).toHaveLength(1);
    expect(said('--fp16: true\n--bf16: true')).toEqual(['error exclusive-keys']);
    expect(said('--fp16: false\n--bf16: true')).toEqual([]);
    expect(said('--train-iters: 10\n--lr-warmup-fraction: 0.1\n--lr-warmup-iters: 0')).toEqual([]);
    expect(said('--train-iters: 10\n--lr-warmup-fraction: 0.1\n--lr-warmup-iters: 5')).toEqual([
      'error exclusive-keys',
    ]);
    expect(said('--recompute-granularity: selective\n--recompute-method: uniform')).toEqual(['error exclusive-keys']);
    expect(said('--multi-latent-attention: true\n--group-query-attention: true')).toEqual(['error exclusive-keys']);
  });
  it('tell layouts that cannot be read', () => {
    expect(said('--pipeline-model-parallel-size: 2\n--pipeline-model-parallel-layout: Et|tL')).toEqual([]);
    expect(said('--pipeline-model-parallel-size: 2\n--pipeline-model-parallel-layout: Et|xL')).toEqual([
      'error pipeline-layout',
    ]);
  });
});

describe('pipeline layout', () => {
  const stages = (text: string): string[] => {
    const layout = parsePipelineLayout(text);
    return 'fault' in layout
      ? [layout.fault]
      : layout.stages.map(
          ({ embedding, layers, mtp, loss }) =>
            'E'.repeat(embedding) + 't'.repeat(layers) + 'm'.repeat(mtp) + 'L'.repeat(loss),
        );
  };
  it('unrolls groups before signs', () => {
    expect(stages('Et*3|(tt|)*3,m|L')).toEqual(['Ettt', 'tt', 'tt', 'tt', 'm', 'L']);
    expect(stages('Et|(tt|)*30mL')).toHaveLength(32);
    expect(stages('E|(t|)*3L')).toEqual(['E', 't', 't', 't', 'L']);
  });
  it('refuses strange signs and endless repetition', () => {
    expect(stages('Eq|L')[0]).toContain('`q` is no layer');
    expect(stages('Et*999999999|L')[0]).toContain('at most');
    expect(stages('E((t|)*3L')[0]).toContain('is no layer');
  });
  it('checks what the framework checks', () => {
    const fault = (text: string, ranks?: number): string | undefined => layoutFault(parsePipelineLayout(text), ranks);
    expect(fault('Et|tL', 2)).toBeUndefined();
    expect(fault('t|tL')).toContain('embedding');
    expect(fault('Et|Lt')).toContain('loss');
    expect(fault('Em|tL')).toContain('before');
    expect(fault('Et|t|L', 2)).toContain('do not divide');
    expect(fault('Etm|m|L')).toContain('one stage');
    expect(fault('Etm|L|', 1)).toBeDefined();
  });
});

describe('list expressions', () => {
  it('evaluate sums and products of lists, and nothing else', () => {
    expect(listExpression('([0]*3+[1]*2)')).toEqual([0, 0, 0, 1, 1]);
    expect(listExpression('([1]*2 + [0]) * 2')).toEqual([1, 1, 0, 1, 1, 0]);
    expect(listExpression('[0,1, 1]')).toEqual([0, 1, 1]);
    for (const text of ['[0]*99999999', '__import__("os")', '[0', '(([0])', '[a]', '', '[0]*-1'])
      expect(listExpression(text)).toBeUndefined();
  });
  it('become one flag a layer', () => {
    expect(moeLayers(2, 4)).toEqual([true, false, true, false]);
    expect(moeLayers([0, 1], 2)).toEqual([false, true]);
    expect(moeLayers([0, 1], 3)).toBeUndefined();
    expect(moeLayers(0, 3)).toBeUndefined();
  });
  it('are not drawn from what ms-swift fills by itself', () => {
    const swift = 'model: Qwen/Qwen3-8B\ntensor_model_parallel_size: 2\nmicro_batch_size: 1\nmax_length: 2048\n';
    expect(told(readAs('megatron', `${swift}save: out\nrecompute_granularity: full\n`).findings)).toEqual([]);
    // A strategy in words, and no scale of FP16.
    expect(told(readAs('megatron', `${swift}loss_scale: ignore_empty_think\n`).findings)).toEqual([]);
    expect(told(readAs('megatron', `${swift}fp16: true\nbf16: true\n`).findings)).toEqual(['error exclusive-keys']);
  });
});
