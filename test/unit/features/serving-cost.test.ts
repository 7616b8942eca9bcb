import { describe, expect, it } from 'vitest';
import { acceptedTokens } from '../../../server/src/engine/cost/serving-cost';
import { codeLenses } from '../../../server/src/features/code-lens';
import { hover } from '../../../server/src/features/hover';
import { servingCostOf, servingTimeAnswer } from '../../../server/src/features/serving-cost';
import { analyzeText } from './support';

const SERVE = `# shardlens: model=meta-llama/Llama-3.1-70B gpu=H100 prompt=1024 output=256
model-path: meta-llama/Llama-3.1-70B
tp-size: 8
mem-fraction-static: 0.85
attention-backend: flashinfer
`;
const of = (text: string): NonNullable<ReturnType<typeof servingCostOf>> => {
  const cost = servingCostOf(analyzeText(text, { name: 'serve.yaml' }));
  if (cost === undefined) throw new Error('there is no cost');
  return cost;
};

describe('latency and throughput of a server', () => {
  const cost = of(SERVE);

  it('rise with the batch: throughput and time between tokens', () => {
    expect(cost.batches.length).toBeGreaterThan(3);
    cost.batches.slice(1).forEach((point, at) => {
      const before = cost.batches[at];
      expect(point.sequences).toBeGreaterThan(before?.sequences ?? Infinity);
      expect(point.tpot).toBeGreaterThanOrEqual(before?.tpot ?? Infinity);
      expect(point.decodeRate).toBeGreaterThan(before?.decodeRate ?? Infinity);
      expect(point.mixedRate).toBeLessThan(point.decodeRate);
    });
  });

  it('stay above what reading the weights takes', () => {
    // 70.6 billion BF16 weights on 8 GPUs of 3.35 TB/s.
    expect(cost.batches[0]?.tpot).toBeGreaterThan((70.6e9 * 2) / 8 / 3.35e12);
    expect(cost.batches[0]?.tpot).toBeLessThan((4 * 70.6e9 * 2) / 8 / 3.35e12);
  });

  it('end where the cache is full', () => {
    const { bound, cacheSequences, batches } = of(SERVE.replace('prompt=1024', 'prompt=30000'));
    expect(bound).toBe('cache');
    expect(batches.at(-1)?.sequences).toBe(cacheSequences);
  });

  it('cost more to the first token of a longer prompt, faster than in proportion', () => {
    const long = of(SERVE.replace('prompt=1024', 'prompt=32768'));
    expect(long.ttft / cost.ttft).toBeGreaterThan(16);
  });

  it('share the GPUs between prefill and decoding by their work', () => {
    const { prefillShare, tpot, unifiedTpot } = cost.disaggregated;
    expect(prefillShare).toBeGreaterThan(0);
    expect(prefillShare).toBeLessThan(1);
    expect(unifiedTpot).toBeCloseTo(tpot / (1 - prefillShare), 9);
  });

  it('is nothing where the request does not fit, and for a plain model config', () => {
    expect(
      servingTimeAnswer(analyzeText(SERVE.replace('prompt=1024', 'prompt=3000000'), { name: 'serve.yaml' })),
    ).toBeUndefined();
    expect(servingTimeAnswer(analyzeText('{"model_type":"llama"}', { name: 'config.json' }))).toBeUndefined();
  });

  it('stand above the file and in hovers', () => {
    const analysis = analyzeText(SERVE, { name: 'serve.yaml' });
    expect(codeLenses(analysis).map(({ command }) => command?.title)).toContainEqual(
      expect.stringMatching(/output tokens\/s a GPU at [\d,]+ sequences · TPOT .* · TTFT .*1,024 in, 256 out/),
    );
    const shown = hover(analysis, { line: 2, character: 2 });
    expect(JSON.stringify(shown?.contents)).toMatch(/Sequences at once: TPOT, output tokens/);
  });
});

describe('drafted tokens', () => {
  it.each([
    [0, 0.9, 1],
    [1, 0.85, 1.85],
    [3, 0.5, 1.875],
    [2, 1, 3],
  ])('%d drafts at %d give %d tokens a step', (drafts, p, tokens) => {
    expect(acceptedTokens(drafts, p)).toBeCloseTo(tokens, 9);
  });
});
