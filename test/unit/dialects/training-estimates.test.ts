import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { analyze } from '../../../server/src/features/analyze';
import { costOf } from '../../../server/src/features/cost';
import { estimateMemory } from '../../../server/src/features/estimates';
import type { Finding } from '../../../server/src/plan/finding';
import { fixed, readAs } from './reading';

function fixture(path: string): string {
  return readFileSync(join(import.meta.dirname, '../../fixtures/dialects', path), 'utf8');
}

describe('quick fixes', () => {
  const trainer = fixture('axolotl/zero3.yaml').replace(
    'deepspeed_configs/zero3.json',
    '{ zero_optimization: { stage: 3 }, gradient_accumulation_steps: 4 }',
  );

  it.each([
    ['verl', fixture('verl/ppo.yaml').replace('mode: async', 'mode: sync'), 'rollout-mode-removed'],
    ['axolotl', fixture('axolotl/qlora-fsdp.yaml').replace('torch_fused', 'bnb_8bit'), 'offload-with-8bit-optimizer'],
    ['axolotl', trainer, 'trainer-disagrees-with-deepspeed'],
    [
      'nemo-rl',
      fixture('nemo-rl/grpo.yaml')
        .replace('context_parallel_size: 1', 'context_parallel_size: 2')
        .replace('sequence_packing:\n    enabled: true', 'sequence_packing:\n    enabled: false'),
      'context-needs-packing',
    ],
  ])('of %s settle what they stand at', (dialect, text, rule) => {
    const told = (from: string): readonly Finding[] =>
      readAs(dialect, from).findings.filter((finding) => finding.rule === rule);
    const [finding] = told(text);
    const better = fixed(text, finding);
    expect(better).toBeDefined();
    expect(told(better ?? '')).toEqual([]);
  });
});

describe('memory of these jobs', () => {
  /** Gibibytes of the first rank. */
  function gib(path: string, from = '', to = ''): number {
    const { resolved } = analyze({
      uri: 'file:///job.yaml',
      languageId: 'yaml',
      version: 1,
      text: fixture(path).replace(from, to),
      settings: { rules: {} },
      files: () => undefined,
    });
    const report = resolved === undefined ? undefined : estimateMemory(resolved);
    const items = report?.classes[0]?.items ?? [];
    expect(items.length).toBeGreaterThan(0);
    return items.reduce((total, { bytes }) => total + bytes, 0) / 2 ** 30;
  }

  it('falls with quantized weights, with adapters and with sharding', () => {
    const quantized = gib('axolotl/qlora-fsdp.yaml');
    const adapters = gib('axolotl/qlora-fsdp.yaml', 'load_in_4bit: true\nadapter: qlora', 'adapter: lora');
    const full = gib('axolotl/qlora-fsdp.yaml', 'load_in_4bit: true\nadapter: qlora\n', '');
    expect(quantized).toBeLessThan(adapters);
    expect(adapters).toBeLessThan(full);
    expect(gib('axolotl/qlora-fsdp.yaml', 'dp_shard_size: 8', 'dp_shard_size: 2')).toBeGreaterThan(quantized);
  });

  it('falls where no kernel ever holds all logits', () => {
    const path = 'axolotl/qlora-fsdp.yaml';
    const plugin = 'plugins:\n  - axolotl.integrations.cut_cross_entropy.CutCrossEntropyPlugin\nval_set_size: 0.05';
    const plain = gib(path);
    const cut = gib(path, 'val_set_size: 0.05', plugin);
    const liger = gib(path, 'val_set_size: 0.05', 'liger_fused_linear_cross_entropy: true\nval_set_size: 0.05');
    // Logits of 8,192 tokens × 128,256 entries in BF16 and FP32, and their log-probabilities in FP32.
    expect(plain - cut).toBeGreaterThan(8);
    expect(liger).toBeLessThan(plain);
    expect(liger).toBeGreaterThanOrEqual(cut);
  });

  it('falls with ranks that share the actor', () => {
    expect(gib('verl/ppo.yaml')).toBeLessThan(gib('verl/ppo.yaml', 'n_gpus_per_node: 8', 'n_gpus_per_node: 2'));
    expect(gib('nemo-rl/grpo.yaml')).toBeLessThan(
      gib('nemo-rl/grpo.yaml', 'tensor_model_parallel_size: 4', 'tensor_model_parallel_size: 2'),
    );
  });
});

describe('time of a step', () => {
  function cost(text: string): ReturnType<typeof costOf> {
    return costOf(
      analyze({
        uri: 'file:///job.yaml',
        languageId: 'yaml',
        version: 1,
        text,
        settings: { rules: {} },
        files: () => undefined,
      }),
    );
  }
  const recipe = (global: number): string => `recipe: TrainFinetuneRecipeForNextTokenPrediction
step_scheduler: { global_batch_size: ${global}, local_batch_size: 4 }
model:
  _target_: nemo_automodel.NeMoAutoModelForCausalLM.from_pretrained
  pretrained_model_name_or_path: Qwen/Qwen3-235B-A22B
distributed:
  strategy: fsdp2
  pp_size: 4
  ep_size: 32
  pipeline: { pp_schedule: 1f1b, pp_microbatch_size: 1 }
`;

  it('grows with every further run of a pipeline that takes only the local batch at once', () => {
    // 128 ranks in 4 stages are 32 data ranks: 128 samples at once.
    const once = cost(recipe(128));
    const often = cost(recipe(2048));
    expect(often?.parts.compute).toBeCloseTo(16 * (once?.parts.compute ?? 0), 6);
    expect(often?.parts.pipeline).toBeCloseTo(16 * (once?.parts.pipeline ?? 0), 6);
    expect(often?.utilisations[0]?.mfu).toBeLessThan(1);
  });
});
