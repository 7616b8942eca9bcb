import { describe, expect, it } from 'vitest';
import { codeLenses } from '../../../server/src/features/code-lens';
import { estimateAnswer } from '../../../server/src/features/estimate';
import { whyUncounted } from '../../../server/src/features/uncounted';
import { memoryView } from '../../../server/src/features/views/memory';
import { planView } from '../../../server/src/features/views/plan';
import { analyzeText } from './support';

const AXOLOTL = `base_model: meta-llama/Llama-3.1-8B
datasets:
  - path: some/data
    type: alpaca
sequence_len: 4096
micro_batch_size: 1
gradient_accumulation_steps: 4
num_epochs: 1
optimizer: adamw_torch_fused
learning_rate: 0.00002
bf16: true
`;

const why = (text: string, name = 'sft.yaml'): string | undefined => whyUncounted(analyzeText(text, { name }));

describe('why memory is not counted', () => {
  it('is not asked where it is counted', () => {
    expect(why(AXOLOTL)).toBeUndefined();
  });

  it.each([
    ['unfrozen_parameters:\n  - lm_head.weight\n', 'what `unfrozen_parameters` does to memory is not modelled'],
    [
      'deepspeed: deepspeed_configs/zero3.json\n',
      'the DeepSpeed file `deepspeed_configs/zero3.json` is not there to read',
    ],
    [
      'adapter: lora\nlora_r: 16\nlora_target_linear: true\nfsdp_version: 2\nfsdp_config:\n  reshard_after_forward: true\ntensor_parallel_size: 2\ndp_shard_size: 4\n',
      'adapters under tensor or pipeline parallelism are not modelled',
    ],
  ])('names the setting: %s', (rest, expected) => {
    expect(why(AXOLOTL + rest)).toBe(expected);
  });

  it('names a value that another tool fills in', () => {
    const megatron = `MODEL_ARGS:
  --num-layers: 24
  --hidden-size: 2048
  --num-attention-heads: 16
  --vocab-size: 32000
  --seq-length: 4096
  --micro-batch-size: 1
  --global-batch-size: 64
  --tensor-model-parallel-size: 2
  --recompute-granularity: \${RECOMPUTE}
`;
    expect(why(megatron, 'model_config.yaml')).toMatch(
      /`--recompute-granularity` \(line 10\) is filled in by another tool/,
    );
  });

  it('names a model that is not known', () => {
    const reason = (text: string, name = 'sft.yaml'): string => {
      const answer = estimateAnswer(analyzeText(text, { name }));
      return 'reason' in answer ? answer.reason : '';
    };
    const unknown = AXOLOTL.replace('meta-llama/Llama-3.1-8B', 'nobody/no-such-model');
    expect(reason(unknown)).toMatch(/^the model nobody\/no-such-model is not known here: put its config.json beside/);
    expect(why(unknown)).toBe('the model nobody/no-such-model is not known here');
    const draft = { architectures: ['LlamaForCausalLMEagle3'], model_type: 'llama', hidden_size: 4096 };
    const sizes = { intermediate_size: 14336, num_hidden_layers: 1, num_attention_heads: 32, vocab_size: 128256 };
    expect(reason(JSON.stringify({ ...draft, ...sizes, draft_vocab_size: 32000 }), 'config.json')).toMatch(
      /^Nothing is computed from this config: .*draft heads/,
    );
  });

  it('says so in the estimate, the panel, the lens and the status', () => {
    const analysis = analyzeText(`${AXOLOTL}unfrozen_parameters: [lm_head.weight]\n`, { name: 'sft.yaml' });
    const sentence = /not counted: what `unfrozen_parameters` does to memory is not modelled/;
    const answer = estimateAnswer(analysis);
    expect('memory' in answer ? answer.memory.uncounted : '').toMatch(/unfrozen_parameters/);
    const view = memoryView(analysis);
    expect('reason' in view ? view.reason : '').toMatch(sentence);
    const plan = planView(analysis);
    expect('summary' in plan ? plan.summary : '').toMatch(sentence);
    expect(codeLenses(analysis).map(({ command }) => command?.title)).toContainEqual(expect.stringMatching(sentence));
  });
});
