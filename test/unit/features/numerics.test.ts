import { describe, expect, it } from 'vitest';
import { answersFor } from '../../../server/src/features/answers';
import { numericsOf } from '../../../server/src/features/numerics';
import { memoryView } from '../../../server/src/features/views/memory';
import { analyzeText, DENSE } from './support';

const plan = (recipe: string, gpu = 'H100'): string =>
  `${DENSE.replace('gpu: H100', `gpu: ${gpu}`)}parallelism: { tensor: 2, data: 4 }
batch: { micro: 1, global: 8, sequence: 4096 }
precision: { weights: bf16, fp8: { recipe: ${recipe} } }
`;
const of = (recipe: string, gpu?: string): ReturnType<typeof numericsOf> => {
  const { resolved } = analyzeText(plan(recipe, gpu));
  return resolved === undefined ? undefined : numericsOf(resolved);
};

describe('the number formats of a plan', () => {
  it('say nothing where nothing is quantized', () => {
    expect(of('none')).toBeUndefined();
    expect(memoryView(analyzeText(plan('none')))).not.toHaveProperty('numerics');
  });

  it('put the own format first and each format once', () => {
    const formats = of('blockwise')?.formats ?? [];
    expect(formats[0]).toMatchObject({ format: 'fp8-1x128', own: true });
    expect(formats.filter(({ own }) => own)).toHaveLength(1);
    expect(new Set(formats.map(({ format }) => format)).size).toBe(formats.length);
    expect(memoryView(analyzeText(plan('blockwise')))).toHaveProperty('numerics.recipe', 'E4M3, 1 × 128');
  });

  it('lose fewer numbers to outliers the fewer numbers share a scale', () => {
    const found = new Map(of('delayed')?.formats.map(({ format, flushed }) => [format, flushed]));
    expect(found.get('fp8-tensor')).toBeGreaterThan(found.get('fp8-1x128') ?? 1);
  });

  it('show the sums of Hopper alone, up to the own inner dimension', () => {
    const sums = of('blockwise')?.sums ?? [];
    expect(sums.at(-1)?.length).toBe(4096);
    expect(sums.at(-1)?.unpromoted).toBeGreaterThan(0.06);
    expect(sums.at(-1)?.promoted).toBeLessThan(0.0025);
    expect(of('blockwise', 'B200')?.sums).toBeUndefined();
  });

  it('are told on the line of the recipe', () => {
    const lines = answersFor(analyzeText(plan('delayed')), 'precision.fp8Recipe').join('\n');
    expect(lines).toMatch(/E4M3, one scale a tensor: error 2\.\d+ % of a normal tensor/);
    expect(lines).toMatch(/Sums of 4,096 positive products on Hopper come out 7\.\d % low without promotion/);
    expect(lines).toContain('Transformer Engine adds the forward pass without promotion');
  });
});
