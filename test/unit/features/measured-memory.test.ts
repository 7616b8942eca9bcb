import { describe, expect, it } from 'vitest';
import type { Finding } from '../../../server/src/plan/finding';
import { memoryView } from '../../../server/src/features/views/memory';
import { analyzeText, DENSE } from './support';

const MOE = DENSE.replace(
  'heads: 32',
  'experts: 8\n  experts_per_token: 2\n  expert_intermediate_size: 2048\n  heads: 32',
);

function torch(more: string, model = DENSE, nodes = 1): string {
  return `${model.replace('nodes: 1', `nodes: ${nodes}`)}${more}\n`;
}

function found(text: string, rule: string, name = 'plan.shardlens.yaml'): Finding | undefined {
  return analyzeText(text, { name }).findings.find((finding) => finding.rule === rule);
}

const FSDP = 'optimizer: { stack: fsdp2, zero: 3 }';

describe('findings of measured memory', () => {
  it.each([
    [
      'logits-dominate-memory',
      torch(`batch: { micro: 3, global: 24, sequence: 8192 }\nrecompute: full\n${FSDP}`),
      torch(
        'batch: { micro: 3, global: 24, sequence: 8192 }\nrecompute: full\noptimizer: { stack: megatron, zero: 1 }',
      ),
    ],
    [
      'zero-bubble-undoes-recompute',
      torch(
        `parallelism: { pipeline: 4, virtual_pipeline: 2 }\nschedule: interleaved-zb-torch\nbatch: { micro: 1, global: 32, sequence: 4096 }\nrecompute: full\n${FSDP}`,
      ),
      torch(
        `parallelism: { pipeline: 4, virtual_pipeline: 2 }\nschedule: interleaved-torch\nbatch: { micro: 1, global: 32, sequence: 4096 }\nrecompute: full\n${FSDP}`,
      ),
    ],
    [
      'unsharded-state-in-pipeline',
      torch(
        `parallelism: { pipeline: 2 }\nbatch: { micro: 1, global: 32, sequence: 4096 }\nrecompute: full\n${FSDP}`,
        DENSE.replace('gpu: H100', 'gpu: A100-SXM4-40GB'),
      ),
      torch(`batch: { micro: 1, global: 32, sequence: 4096 }\nrecompute: full\n${FSDP}`),
    ],
    [
      'experts-below-shards',
      torch(`batch: { micro: 1, global: 32, sequence: 4096 }\n${FSDP}`, MOE, 2),
      torch(`batch: { micro: 1, global: 32, sequence: 4096 }\n${FSDP}`, MOE, 1),
    ],
  ])('%s fires where it must and nowhere else', (rule, fires, silent) => {
    expect(found(fires, rule)?.message).toMatch(/\d/);
    expect(found(fires, rule)?.severity).not.toBe('error');
    expect(found(silent, rule)).toBeUndefined();
  });

  it('says what another schedule would save', () => {
    const text = torch(
      `parallelism: { pipeline: 4, virtual_pipeline: 2 }\nschedule: interleaved-zb-torch\nbatch: { micro: 1, global: 32, sequence: 8192 }\nrecompute: full\n${FSDP}`,
    );
    expect(found(text, 'zero-bubble-undoes-recompute')?.message).toMatch(
      /interleaved 1F1B would take \d+\.\d GiB less/,
    );
  });

  it('asks for expandable segments where lengths vary and the device is nearly full', () => {
    const file = (packing: boolean): string => `base_model: meta-llama/Llama-3.1-8B
datasets:
  - path: some/data
    type: alpaca
sequence_len: 12288
sample_packing: ${packing}
micro_batch_size: 2
gradient_accumulation_steps: 4
num_epochs: 1
optimizer: adamw_torch_fused
learning_rate: 0.00002
bf16: true
gradient_checkpointing: true
adapter: lora
lora_r: 16
lora_target_linear: true
# shardlens: gpu=H100 gpus=8
`;
    const analysis = analyzeText(file(false), { name: 'sft.yaml' });
    const names = analysis.findings.map(({ rule }) => rule);
    expect(analysis.dialect?.id).toBe('axolotl');
    expect(names).toContain('variable-lengths-fragment-memory');
    const packed = analyzeText(file(true), { name: 'sft.yaml' }).findings.map(({ rule }) => rule);
    expect(packed).not.toContain('variable-lengths-fragment-memory');
    // How many GPUs share the states is not known without a word of it.
    const alone = analyzeText(file(false).replace(' gpus=8', ''), { name: 'sft.yaml' }).findings;
    expect(alone.map(({ rule }) => rule)).not.toContain('variable-lengths-fragment-memory');
  });

  it('counts the communicators in the panel', () => {
    const view = memoryView(
      analyzeText(torch('parallelism: { tensor: 2, pipeline: 2 }\nbatch: { micro: 1, global: 8 }')),
    );
    expect('outside' in view ? view.outside : '').toMatch(/^\d communicators hold \d\.\d GiB$/);
  });

  it('takes a compiled loss out of the count, and only where the file compiles it', () => {
    const job = (components: string): number | undefined =>
      analyzeText(
        `[model]\nname = "llama3"\nflavor = "8B"\n[training]\nlocal_batch_size = 1\nseq_len = 8192\n[compile]\nenable = true\n${components}[activation_checkpoint]\nmode = "full"\n# shardlens: gpu=H100 gpus=8\n`,
        { name: 'train.toml' },
      ).memory?.peak.bytes;
    const both = job('');
    expect(both).toBeGreaterThan(0);
    expect(job('components = ["model", "loss"]\n')).toBe(both);
    expect(job('components = ["model"]\n')).toBeGreaterThan(1.2 * (both ?? 0));
  });
});
