import { describe, expect, it } from 'vitest';
import { machineOf, type Machine } from '../../../server/src/engine/cost/rates';
import type { TrainingInput } from '../../../server/src/engine/memory/input';
import { distanceToFront, dominates, paretoFront, type Outcome } from '../../../server/src/engine/search/front';
import { inputOf } from '../../../server/src/engine/search/candidates';
import { trainingSpace } from '../../../server/src/engine/search/space';
import {
  finish,
  outcomeOf,
  ownChoice,
  searchTraining,
  type SearchResult,
} from '../../../server/src/engine/search/training-search';
import { trainingInputOf } from '../../../server/src/features/estimates';
import { sample } from '../../lsp/samples';
import { analyzeText } from '../features/support';

function planned(text: string): { readonly input: TrainingInput; readonly machine: Machine } {
  const { resolved } = analyzeText(text);
  const input = resolved === undefined ? undefined : trainingInputOf(resolved);
  if (input?.cluster === undefined) throw new Error('the plan is not known');
  const machine = machineOf(input.cluster);
  if ('missing' in machine) throw new Error(machine.missing);
  return { input, machine };
}

const DENSE = `shardlens: 1
model: llama-3.1-8b
cluster: { gpu: H100, nodes: 2, gpus_per_node: 8 }
parallelism: { tensor: 8, pipeline: 2 }
batch: { micro: 1, global: 64, sequence: 4096 }
`;

function search(text: string, freedom: Parameters<typeof trainingSpace>[1] = {}, target = {}): SearchResult {
  const { input, machine } = planned(text);
  return finish(searchTraining(input, machine, trainingSpace(input, freedom), target));
}

describe('DeepSeek-V3 on 2,048 H800', () => {
  const result = search(sample('deepseek-v3-2048xH800.shardlens.yaml'));

  it('finds the published layout (PP16, EP64, TP1, ZeRO-1, DualPipe) on the front, or within 5 % of it', () => {
    expect(result.own?.choice).toMatchObject({ pipeline: 16, expert: 64, tensor: 1, zero: 1, kind: 'dualpipe' });
    expect(result.ownFits).toBe(true);
    expect(result.own === undefined ? 1 : distanceToFront(result.own, result.front)).toBeLessThanOrEqual(0.05);
  });

  it('looks at tens of thousands of layouts and simulates few', () => {
    expect(result.counts.legal).toBeGreaterThan(20_000);
    expect(result.counts.bounded).toBeLessThan(result.counts.legal);
    expect(result.counts.simulated).toBeLessThan(result.counts.legal / 20);
    expect(result.front.length).toBeGreaterThan(5);
  });
});

describe('a search', () => {
  const { input, machine } = planned(DENSE);
  const space = trainingSpace(input);
  const result = finish(searchTraining(input, machine, space));

  it('answers only with legal layouts that fit, none of which beats another', () => {
    expect(result.front.length).toBeGreaterThan(1);
    for (const { choice, bytes } of result.front) {
      const { layout, batch } = inputOf(input, choice);
      expect(layout.data * layout.tensor * layout.pipeline * layout.context).toBe(16);
      expect(batch.microbatches * batch.microBatch * layout.data).toBe(batch.globalBatch);
      expect(input.model.heads % layout.tensor).toBe(0);
      expect(bytes).toBeLessThanOrEqual(machine.cluster.memoryBytes);
    }
    for (const a of result.front) for (const b of result.front) expect(dominates(a, b)).toBe(false);
  });

  it('improves on a plan that splits tensors without need', () => {
    expect(result.own).toBeDefined();
    expect(result.fitting[0]?.seconds).toBeLessThan(0.95 * (result.own?.seconds ?? 0));
  });

  it('gives the same answer again', () => {
    expect(finish(searchTraining(input, machine, space))).toEqual(result);
  });

  it('agrees with trying every layout of a small space', () => {
    const small = { ...space, recompute: [input.recompute], microBatch: [1, 2], zero: [1] as const, virtual: [1] };
    const found = finish(searchTraining(input, machine, small));
    const all: Outcome[] = [];
    for (const tensor of small.tensor)
      for (const pipeline of small.pipeline)
        for (const microBatch of small.microBatch) {
          const data = 16 / (tensor * pipeline);
          const microbatches = 64 / (data * microBatch);
          if (!Number.isInteger(data) || !Number.isInteger(microbatches) || tensor > 8) continue;
          for (const kind of pipeline === 1 ? (['1f1b'] as const) : small.kinds) {
            if (kind !== '1f1b') continue;
            const choice = { ...ownChoice(input), tensor, pipeline, microBatch, microbatches, zero: 1 as const, kind };
            if (input.model.layers % pipeline !== 0 || microbatches < pipeline) continue;
            const outcome = outcomeOf(inputOf(input, choice), choice, machine);
            if (outcome !== undefined && outcome.bytes <= machine.cluster.memoryBytes) all.push(outcome);
          }
        }
    // Every layout tried by hand is on the search's front or beaten by it; resolution and closed forms leave a few per cent.
    for (const outcome of paretoFront(all)) expect(distanceToFront(outcome, found.front)).toBeGreaterThanOrEqual(0);
    const fastest = Math.min(...all.map(({ seconds }) => seconds));
    const smallest = Math.min(...all.map(({ bytes }) => bytes));
    expect(found.fitting[0]?.seconds).toBeLessThanOrEqual(fastest * 1.001);
    expect(Math.min(...found.front.map(({ bytes }) => bytes))).toBeLessThanOrEqual(smallest * 1.01);
  });

  it('keeps what is fixed', () => {
    const fixed = ['layout.tensor', 'layout.pipeline', 'batch.microBatch', 'recompute.granularity'];
    for (const { choice } of search(DENSE, { fixed }).fitting)
      expect(choice).toMatchObject({ tensor: 8, pipeline: 2, microBatch: 1 });
  });

  it('looks at fewer GPUs when asked, and keeps the front over them', () => {
    const { front } = search(DENSE, { gpus: [8, 16] });
    expect(new Set(front.map(({ choice }) => choice.gpus))).toEqual(new Set([8, 16]));
  });

  it('can be stopped at any pause', () => {
    const running = searchTraining(input, machine, space);
    const first = running.next();
    expect(first.done).toBe(false);
    expect(running.return(result).done).toBe(true);
    expect(running.next().done).toBe(true);
  });
});

describe('a target that nothing meets', () => {
  it('names the layout that comes nearest', () => {
    const result = search(DENSE, {}, { seconds: 0.01 });
    expect(result.fitting).toEqual([]);
    expect(result.front).toEqual([]);
    const fastest = search(DENSE).fitting[0]?.seconds ?? 0;
    expect((result.nearest?.seconds ?? 0) / fastest).toBeLessThan(1.05);
  });

  it('names the smallest layout where memory is short', () => {
    const result = search(DENSE, {}, { bytes: 2 ** 30 });
    expect(result.fitting).toEqual([]);
    expect(result.nearest?.bytes).toBeGreaterThan(2 ** 30);
    expect(result.nearest?.bytes).toBeLessThan(result.own?.bytes ?? 0);
  });
});
