import { describe, expect, it } from 'vitest';
import { analyzeServing } from './served';

function recipe(rest: string, args = '[]'): string {
  return `meta: { title: t }\nmodel:\n  model_id: zai-org/GLM-4.5\n  min_vllm_version: 0.11.0\n  base_args: ${args}\nvariants:\n  default: { precision: bf16, vram_minimum_gb: 859 }\n${rest}`;
}

const worldOf = (text: string): readonly [number | undefined, number | undefined, string | undefined] => {
  const { resolved } = analyzeServing(text, {}, 'GLM-4.5.yaml');
  return [resolved?.layout?.tensor, resolved?.layout?.worldSize, resolved?.plan.layout.tensor?.origin];
};

describe('a recipe of the vLLM site', () => {
  it('takes as many GPUs as its memory needs where it states no degree', () => {
    expect(worldOf(recipe(''))).toEqual([16, 16, 'assumed']);
    const { findings } = analyzeServing(recipe(''), {}, 'GLM-4.5.yaml');
    expect(findings.map(({ rule }) => rule)).not.toContain('out-of-memory');
  });

  it('takes the degree of its strategy, and of its arguments before that', () => {
    const strategy = 'strategy_overrides:\n  single_node_tp: { tp: 8 }\n';
    expect(worldOf(recipe(strategy))).toEqual([8, 8, 'file']);
    expect(worldOf(recipe(strategy, '["--tensor-parallel-size", "4"]'))).toEqual([4, 4, 'file']);
    expect(worldOf(recipe('strategy_overrides:\n  single_node_tp:\n    tp: { xeon6: 8 }\n'))[0]).toBe(16);
  });
});
