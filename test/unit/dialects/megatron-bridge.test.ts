import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { megatronBridgeCoverage } from '../../../server/src/dialects/megatron-bridge/conditions';
import { planCoverage } from '../../../server/src/plan/rules/coverage';
import { parameterCounts } from '../../../server/src/engine/model/parameters';
import { analyze } from '../../../server/src/features/analyze';
import type { Analysis } from '../../../server/src/features/analysis';
import { changed, findingsOf, itJudges, ruleLines } from './cases';
import { dialectOf, readAs, told } from './reading';

const FIXTURE = readFileSync(
  join(import.meta.dirname, '../../fixtures/dialects/megatron-bridge/pretrain.yaml'),
  'utf8',
);

const CASES = ruleLines('megatron-bridge').map((entry) => ({
  ...entry,
  fires: changed(FIXTURE, entry.fires),
  silent: changed(FIXTURE, entry.silent),
}));

const OVERRIDE = `model:
  tensor_model_parallel_size: 4
  sequence_parallel: true
train:
  train_iters: 10
  global_batch_size: 8
  micro_batch_size: 1
scheduler:
  lr_warmup_iters: 3
dist:
  use_megatron_fsdp: false
`;

function analysisOf(text: string): Analysis {
  return analyze({
    uri: 'file:///run_config.yaml',
    languageId: 'yaml',
    version: 1,
    text,
    settings: { rules: {} },
    files: () => undefined,
  });
}

function parametersOf(text: string): number | undefined {
  const model = analysisOf(text).resolved?.model;
  return model === undefined ? undefined : parameterCounts(model).total;
}

describe('Megatron-Bridge', () => {
  it('is known by its sections and reads its plan', () => {
    expect(dialectOf(FIXTURE, 'conf.yaml')).toBe('megatron-bridge');
    expect(dialectOf(OVERRIDE, 'conf.yaml')).toBe('megatron-bridge');
    const { plan } = readAs('megatron-bridge', FIXTURE);
    expect(plan).toMatchObject({
      model: { layers: { value: 24 }, experts: { value: 16 }, kvHeads: { value: 8 } },
      layout: {
        tensor: { value: 2 },
        pipeline: { value: 2 },
        context: { value: 2 },
        expert: { value: 4 },
        expertTensor: { value: 1 },
      },
      batch: { microBatch: { value: 1 }, globalBatch: { value: 256 }, sequenceLength: { value: 4096 } },
      precision: { weights: { value: 'BF16' } },
      optimizer: { zeroStage: { value: 1 } },
    });
  });

  it('says nothing of good files', () => {
    for (const text of [FIXTURE, OVERRIDE]) {
      const found = findingsOf('megatron-bridge', text, 'yaml').filter(({ rule }) => rule !== 'out-of-memory');
      expect(found.map(({ message }) => message)).toEqual([]);
    }
  });

  it('concludes nothing from what an override leaves to its recipe', () => {
    const { plan, findings } = readAs('megatron-bridge', OVERRIDE);
    expect(plan.layout.pipeline).toMatchObject({ value: 1, origin: 'assumed' });
    expect(plan.layout.tensor).toMatchObject({ value: 4, origin: 'file' });
    expect(findings).toEqual([]);
    // A recipe that saves is overridden by a key that stands there without a value.
    const nulled = `${OVERRIDE}checkpoint:\n  async_save: true\n  save: null\n`;
    expect(told(readAs('megatron-bridge', nulled).findings)).toEqual(['error async-save-prerequisite']);
    expect(told(readAs('megatron-bridge', nulled.replace('  save: null\n', '')).findings)).toEqual([]);
  });

  itJudges('megatron-bridge', 'yaml', CASES);

  it('has a case for every rule of its coverage table, and covers every gathered rule', () => {
    const tried = new Set(CASES.map(({ rule }) => rule));
    expect(megatronBridgeCoverage.map(({ rule }) => rule).filter((rule) => !tried.has(rule))).toEqual([]);
    const ids = [...megatronBridgeCoverage, ...planCoverage].flatMap(({ covers }) => covers);
    expect(new Set(ids.filter((id) => id.startsWith('BRG-'))).size).toBe(14);
  });

  const container = (model: string, length = 1024): string =>
    `# shardlens: gpus=8\nmodel:\n  _target_: megatron.bridge.models.${model}\ndataset: { _target_: megatron.bridge.training.config.GPTDatasetConfig, sequence_length: ${length} }\ntrain: { train_iters: 10, global_batch_size: 512, micro_batch_size: 1 }\n`;

  it('reads the sizes of a model from the provider that names them', () => {
    const parameters = (model: string): number | undefined => parametersOf(container(model));
    expect(parameters('llama.llama_provider.Llama31ModelProvider70B')).toBe(70_553_706_496);
    expect(parameters('qwen.qwen_provider.Qwen3MoEModelProvider30B_A3B')).toBe(30_532_122_624);
    expect(parameters('llama.llama_provider.Llama32ModelProvider3B')).toBe(3_212_749_824);
    expect(parameters('qwen.qwen_provider.Qwen25ModelProvider14B')).toBe(14_770_033_664);
    expect(parameters('gpt_provider.GPTModelProvider')).toBeUndefined();
  });

  it('lets fields beside the class win, in its own names', () => {
    const smaller = container('llama.llama_provider.Llama31ModelProvider8B\n  num_layers: 4\n  vocab_size: null');
    expect(analysisOf(smaller).resolved?.model).toMatchObject({ layers: 4, vocabSize: 128_256, normBias: false });
    const whole = container(
      'gpt_provider.GPTModelProvider\n  num_layers: 16\n  hidden_size: 2048\n  ffn_hidden_size: 8192\n  num_attention_heads: 32\n  num_query_groups: 8\n  kv_channels: 64\n  vocab_size: 128256\n  normalization: RMSNorm\n  add_bias_linear: false\n  position_embedding_type: rope\n  gated_linear_unit: true\n  share_embeddings_and_output_weights: true\n  seq_length: 131072\n  num_moe_experts: null',
    );
    const { resolved, memory } = analysisOf(whole);
    // 1.24 billion parameters and 12,003.6 MiB at most were reported by this very run on eight H100s.
    expect(parametersOf(whole)).toBe(1_235_814_400);
    expect(resolved?.batch?.sequenceLength).toBe(1024);
    expect((memory?.classes[0]?.allocated ?? 0) / 2 ** 20 / 12_003.6).toBeCloseTo(1, 2);
    expect(parametersOf(whole.replace('weights: true', 'weights: false'))).toBe(1_498_482_688);
  });
});
