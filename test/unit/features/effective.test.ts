import { describe, expect, it } from 'vitest';
import { effectiveText, effectiveValues } from '../../../server/src/features/effective';
import { inlayHints } from '../../../server/src/features/inlay-hints';
import { analyzeText, sampleText } from './support';

const SERVER = `model-path: deepseek-ai/DeepSeek-V3
tp-size: 8
dp-size: 8
enable-dp-attention: true
chunked-prefill-size: 8192
speculative-algorithm: EAGLE
speculative-num-steps: 3
speculative-eagle-topk: 1
speculative-num-draft-tokens: 4
`;
const ALL = { start: { line: 0, character: 0 }, end: { line: 999, character: 0 } };

describe('the effective configuration', () => {
  it('says what a server changes, from what, and why', () => {
    const text = effectiveText(analyzeText(SERVER, { name: 'server.yaml' })) ?? '';
    expect(text).toMatch(
      /^ {2}chunkedPrefill: 1024 +# chunked-prefill-size, line 5; written 8192; .*data-parallel attention divides 8192 by dp-size 8$/m,
    );
    expect(text).toMatch(/^ {2}maxConcurrency: 48 +# speculative-algorithm, line 6; which says EAGLE/m);
    expect(text).toMatch(/^ {2}tensor: 8 +# tp-size, line 2$/m);
  });
  it('is YAML whose values are those that the engine computes with', async () => {
    const { parse } = await import('yaml');
    const analysis = analyzeText(sampleText('megatron-mixtral', 'model_config.yaml'), { name: 'model_config.yaml' });
    const read = parse(effectiveText(analysis) ?? '') as Record<string, Record<string, unknown>>;
    expect(read['layout']?.['virtualPipeline']).toBe(analysis.resolved?.layout?.virtualPipeline);
    expect(read['batch']?.['globalBatch']).toBe(analysis.resolved?.batch?.globalBatch);
    expect(read).not.toHaveProperty('serving');
  });
  it('has nothing for a file that is not ours', () => {
    const analysis = analyzeText('services: {}\n', { name: 'compose.yaml' });
    expect(effectiveText(analysis)).toBeUndefined();
    expect(effectiveValues(analysis)).toEqual([]);
  });
  it('marks only what is not run as written, in the text', () => {
    const hints = inlayHints(analyzeText(SERVER, { name: 'server.yaml' }), ALL);
    expect(hints.map(({ position, label }) => [position.line, label])).toEqual(
      expect.arrayContaining([
        [4, '→ 1024'],
        [5, '→ maxConcurrency 48'],
      ]),
    );
    const plain = 'model-path: deepseek-ai/DeepSeek-V3\ntp-size: 8\nchunked-prefill-size: 8192\n';
    expect(inlayHints(analyzeText(plain, { name: 'server.yaml' }), ALL)).toEqual([]);
  });
});
