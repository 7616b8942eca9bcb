import { describe, expect, it } from 'vitest';
import { memoryView } from '../../../server/src/features/views/memory';
import { placementView } from '../../../server/src/features/views/placement';
import { timelineView } from '../../../server/src/features/views/timeline';
import { estimateAnswer } from '../../../server/src/features/estimate';
import { analyzeText, sampleText } from './support';

/** Everything that panels and commands ask of a text; each of these texts once took minutes or all memory. */
function everything(text: string, name: string): { readonly rules: readonly string[]; readonly answers: unknown[] } {
  const analysis = analyzeText(text, { name });
  const params = { uri: analysis.uri };
  return {
    rules: analysis.findings.map(({ rule }) => rule),
    answers: [
      estimateAnswer(analysis),
      memoryView(analysis),
      timelineView(analysis, params),
      placementView(analysis, params, () => undefined),
    ],
  };
}

const TITAN = `
[model]
name = "llama3"
flavor = "8B"
[training]
local_batch_size = 8
seq_len = 8192
[parallelism]
pipeline_parallel_degree = 65536
pipeline_parallel_schedule = "1F1B"
`;

describe('sizes that no machine has', () => {
  it('are judged and not counted rank by rank, for pipelines', () => {
    const { rules, answers } = everything(TITAN, 'train.toml');
    expect(rules).not.toContain('internal-fault');
    expect(JSON.stringify(answers)).toContain('its sizes do not make a layout that can be counted');
  });

  it('are no experts, in placement files', () => {
    const { rules, answers } = everything('{"physical_to_logical_map": [[100000000000, 1, 2, 3]]}', 'map.json');
    expect(rules).toContain('placement-expert-number');
    expect(answers).toHaveLength(4);
  });

  it('have a nearest legal value without counting down to it, for heads', () => {
    const config = {
      architectures: ['LlamaForCausalLM'],
      model_type: 'llama',
      hidden_size: 2_147_483_647,
      num_attention_heads: 1_000_000_000,
      num_hidden_layers: 2,
      intermediate_size: 11_008,
      vocab_size: 32_000,
    };
    const { rules } = everything(JSON.stringify(config), 'config.json');
    expect(rules).toContain('head-width-not-whole');
  });

  it('are laid out no further than a panel can draw, for microbatches', () => {
    const text = sampleText('deepseek-v3-2048xH800.shardlens.yaml').replace('global: 15360', 'global: 128000000');
    const { rules, answers } = everything(text, 'plan.shardlens.yaml');
    expect(rules).not.toContain('internal-fault');
    expect(answers[2]).toMatchObject({ reason: expect.stringContaining('more passes than can be laid out') as string });
  });
});
