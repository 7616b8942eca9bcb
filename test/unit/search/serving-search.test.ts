import { describe, expect, it } from 'vitest';
import { DEFAULT_LOAD } from '../../../server/src/engine/cost/serving-cost';
import type { ServingInput } from '../../../server/src/engine/memory/input';
import {
  ownServingChoice,
  searchServing,
  servesModel,
  type ServingFreedom,
  type ServingResult,
  type ServingTarget,
} from '../../../server/src/engine/search/serving-search';
import { finish } from '../../../server/src/engine/search/training-search';
import { servingInputOf } from '../../../server/src/features/estimates';
import { analyzeText } from '../features/support';

function inputOf(model: string, gpu: string, more = ''): ServingInput {
  const text = `# shardlens: gpu=${gpu}\nmodel-path: ${model}\ntp-size: 8\nmem-fraction-static: 0.85\n${more}`;
  const { resolved } = analyzeText(text, { name: 'serve.yaml' });
  const input = resolved === undefined ? undefined : servingInputOf(resolved);
  if (input === undefined) throw new Error(`${model} is not known`);
  return input;
}

function search(input: ServingInput, freedom: ServingFreedom = {}, target: ServingTarget = {}): ServingResult {
  return finish(searchServing(input, DEFAULT_LOAD, freedom, target));
}

describe('splits of a server over 8 GPUs', () => {
  const llama = inputOf('meta-llama/Llama-3.1-70B', 'H100');
  const deepseek = inputOf('deepseek-ai/DeepSeek-V3', 'H200');

  it('are legal, fit, and none on the front beats another', () => {
    const { front, fitting, own, ownFits } = search(llama);
    expect(ownFits).toBe(true);
    expect(own?.choice).toEqual(ownServingChoice(llama));
    expect(front.length).toBeGreaterThan(1);
    for (const { choice, bytes, sequences } of fitting) {
      expect(servesModel(llama, choice)).toBe(true);
      expect(bytes).toBeLessThanOrEqual(llama.cluster?.memoryBytes ?? 0);
      expect(sequences).toBeGreaterThan(0);
    }
    for (const a of front)
      for (const b of front)
        expect(
          a !== b &&
            a.tpotOne < b.tpotOne &&
            a.rate > b.rate &&
            a.cachePerGpu > b.cachePerGpu &&
            a.choice.gpus < b.choice.gpus,
        ).toBe(false);
  });

  it('know that 671 billion FP8 weights need all eight', () => {
    for (const { choice } of search(deepseek).fitting) expect(choice.gpus).toBe(8);
  });

  it('give MLA more throughput with data-parallel attention, which does not repeat its cache, and less latency with tensor parallelism', () => {
    const { fitting } = search(deepseek);
    const best = fitting[0];
    const tensor = fitting.find(({ choice }) => choice.attentionData === 1 && choice.expert === best?.choice.expert);
    expect(best?.choice.attentionData).toBeGreaterThan(1);
    expect(best?.cachePerGpu).toBeGreaterThan(tensor?.cachePerGpu ?? Infinity);
    expect(tensor?.tpotOne).toBeLessThan(best?.tpotOne ?? 0);
  });

  it('come out the same again, and keep what is fixed', () => {
    expect(search(llama)).toEqual(search(llama));
    for (const { choice } of search(llama, { fixed: ['layout.tensor'] }).fitting) expect(choice.tensor).toBe(8);
  });

  it('name the nearest where no split is quick enough', () => {
    const { fitting, nearest } = search(llama, {}, { tpot: 1e-4 });
    expect(fitting).toEqual([]);
    expect(nearest?.tpot).toBeGreaterThan(1e-4);
  });

  it('refuse what heads and widths cannot be cut into', () => {
    const choice = { tensor: 6, attentionData: 1, expert: 1, pipeline: 1, gpus: 6 };
    expect(servesModel(llama, choice)).toBe(false);
    expect(servesModel(llama, { ...choice, tensor: 8, attentionData: 3 })).toBe(false);
    expect(servesModel(deepseek, { ...choice, tensor: 8, expert: 7 })).toBe(false);
  });
});
