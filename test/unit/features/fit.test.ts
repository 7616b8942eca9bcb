import { describe, expect, it } from 'vitest';
import { changedPlan } from '../../../server/src/features/fit/change';
import { assumptionEffect } from '../../../server/src/features/fit/assumed';
import { fitOptions, type FitOption } from '../../../server/src/features/fit/fit';
import type { Analysis } from '../../../server/src/features/analysis';
import { codeActions } from '../../../server/src/features/code-actions';
import { analyzeText, applied, DENSE, sampleText } from './support';

function optionsOf({ resolved, memory }: Analysis): FitOption[] {
  return resolved === undefined || memory === undefined ? [] : fitOptions(resolved, memory);
}

const TRAINING = `${DENSE}parallelism: { tensor: 2 }
batch: { micro: 4, global: 64, sequence: 8192 }
`;

describe('what would make a training plan fit', () => {
  const analysis = analyzeText(TRAINING);
  const options = optionsOf(analysis);
  const named = (name: string): FitOption | undefined => options.find((option) => option.name === name);

  it('does not fit as it is', () => {
    expect(analysis.memory?.classes[0]?.fits).toBe(false);
  });

  it('computes each change by estimating the changed plan', () => {
    const { resolved, memory } = analysis;
    const changed = analyzeText(TRAINING.replace('micro: 4', 'micro: 2'));
    expect(named('microbatch')?.bytes).toBe(changed.memory?.peak.bytes);
    expect(named('microbatch')?.saved).toBe((memory?.peak.bytes ?? 0) - (changed.memory?.peak.bytes ?? 0));
    expect(resolved?.batch?.globalBatch).toBe(64);
  });

  it('keeps the GPUs and the global batch', () => {
    const { resolved } = analysis;
    const after = resolved === undefined ? undefined : changedPlan(resolved, [{ field: 'layout.tensor', value: 8 }]);
    expect(after?.layout).toMatchObject({ worldSize: 8, tensor: 8, data: 1 });
    expect(after?.batch).toMatchObject({ globalBatch: 64, microbatches: 16 });
  });

  it('knows degrees, recomputation, states and places', () => {
    for (const name of [
      'tensor parallel',
      'pipeline stages',
      'context parallel',
      'recompute',
      'ZeRO stage',
      'gradients',
      'first moment',
      'optimizer states',
    ])
      expect(named(name)?.saved, name).toBeGreaterThan(0);
  });

  it('says what the time of a step does, and nothing where no model tells', () => {
    expect(named('recompute')?.stepChange).toBeGreaterThan(0.2);
    expect(named('optimizer states')).not.toHaveProperty('stepChange');
  });

  it('puts what fits first and the larger saving before the smaller', () => {
    const fits = options.map((option) => option.fits === true);
    expect(fits).toEqual([...fits].sort((a, b) => Number(b) - Number(a)));
    const rest = options.filter((option) => option.fits !== true).map(({ saved }) => saved);
    expect(rest).toEqual([...rest].sort((a, b) => b - a));
  });

  it('leaves out what the framework refuses', () => {
    // 8 KV heads and 32 heads: no tensor-parallel degree of 16, and no expert parallelism without experts.
    expect(options.some(({ name }) => name === 'expert parallel')).toBe(false);
    expect(named('tensor parallel')?.to).toBe('8');
  });
});

describe('an error about memory', () => {
  const analysis = analyzeText(TRAINING);
  const finding = analysis.findings.find(({ rule }) => rule === 'out-of-memory');

  it('names a change that makes it fit', () => {
    expect(finding?.message).toMatch(/It would fit with \S.* → \S+\.$/);
  });

  it('offers numbers that make the plan fit, and they do', () => {
    const line = analysis.lines.positionAt(finding?.at?.span.start ?? 0).line;
    const range = { start: { line, character: 0 }, end: { line, character: 80 } };
    const actions = codeActions(analysis, range, []).filter(({ title }) => title.startsWith('Make it fit'));
    expect(actions.length).toBeGreaterThan(0);
    for (const { edit, title } of actions) {
      const [change] = edit?.changes?.[analysis.uri] ?? [];
      if (change === undefined) throw new Error(title);
      const after = analyzeText(applied(analysis, change));
      expect(
        after.memory?.classes.every(({ fits }) => fits === true),
        title,
      ).toBe(true);
      expect(after.resolved?.layout?.worldSize).toBe(8);
    }
  });
});

describe('what would help a server', () => {
  const options = optionsOf(analyzeText(sampleText('sglang-deepseek-v3.yaml'), { name: 'server.yaml' }));
  it('puts what gives most tokens first', () => {
    expect(options[0]?.name).toBe('KV cache');
  });
  it('counts tokens of the cache', () => {
    const cache = options.find(({ name }) => name === 'KV cache');
    expect(cache?.moreTokens).toBeGreaterThan(0.9 * ((cache?.tokens ?? 0) - (cache?.moreTokens ?? 0)));
    const [less] = options.filter(({ name, saved }) => name === 'memory fraction' && saved > 0);
    expect(less?.moreTokens).toBeLessThan(0);
  });
});

describe('the effect of an assumption', () => {
  it('is in bytes of the fullest rank', () => {
    const { resolved, memory } = analyzeText(TRAINING.replace(', sequence: 8192', ''));
    if (resolved === undefined || memory === undefined) throw new Error('no estimate');
    const of = (field: string): string | undefined => {
      const found = resolved.assumptions.find((assumption) => assumption.field === field);
      return found === undefined ? 'not assumed' : assumptionEffect(resolved, memory, found);
    };
    expect(of('batch.sequenceLength')).toMatch(/^\+\d+\.\d GiB with 8,192$/);
    expect(of('precision.gradients')).toMatch(/^−\d+\.\d GiB with BF16$/);
    expect(of('optimizer.stack')).toBeUndefined();
  });
});
