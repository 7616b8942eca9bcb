import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { overlapBlock } from '../../../server/src/engine/schedule/overlap-block';
import { describeShared, sharedPath } from '../../shared';

interface Phase {
  readonly span: number;
  readonly busy: number;
}

interface Profile {
  readonly phases: Readonly<Record<string, readonly Phase[]>>;
  readonly span_us: number;
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

describeShared('the overlapped block', ['oracles', 'schedules', 'deepseek_profile_train.json'], () => {
  const file = sharedPath('oracles', 'schedules', 'deepseek_profile_train.json');
  const profile = JSON.parse(readFileSync(file ?? '', 'utf8')) as Profile;
  const time = (name: string): number => mean((profile.phases[name] ?? []).map(({ span }) => span)) / 1000;
  const block = overlapBlock(
    {
      attention: { F: time('attn(F)'), B: time('attn(B)'), W: time('attn(W)') },
      mlp: { F: time('mlp(F)'), B: time('mlp(B)'), W: time('mlp(W)') },
      dispatch: time('dispatch(F)'),
      combine: time('combine(F)'),
      combineBackward: time('combine(B)'),
      dispatchBackward: time('dispatch(B)'),
      pipeline: 0,
    },
    4,
  );

  it('of four layer pairs lasts as long as in DeepSeek’s H800 trace, to 2 %', () => {
    expect(block.makespan / (profile.span_us / 1000)).toBeGreaterThan(0.98);
    expect(block.makespan / (profile.span_us / 1000)).toBeLessThan(1.02);
  });

  it('hides nearly all of the exchange, as there', () => {
    expect(block.exposed / block.makespan).toBeLessThan(0.08);
    expect(block.phases).toHaveLength(40);
  });
});

it('runs every lane one phase at a time and keeps the order of a pair', () => {
  const times = {
    attention: { F: 2, B: 4, W: 1 },
    mlp: { F: 3, B: 3, W: 3 },
    dispatch: 2,
    combine: 2,
    combineBackward: 2,
    dispatchBackward: 2,
    pipeline: 1,
  };
  const { phases, makespan, exposed } = overlapBlock(times, 2);
  for (const lane of ['compute', 'communication'] as const) {
    const own = phases.filter((phase) => phase.lane === lane);
    for (let at = 1; at < own.length; at += 1)
      expect(own[at]?.start ?? -1).toBeGreaterThanOrEqual(own[at - 1]?.end ?? Infinity);
  }
  // Two pairs of 16 units of compute without a wait, and the transfer at the end, which waits for nothing.
  expect(makespan).toBe(32);
  expect(phases.at(-1)).toMatchObject({ label: 'PP', lane: 'communication' });
  expect(exposed).toBe(0);
});

it('without communication lasts as long as its compute', () => {
  const none = { dispatch: 0, combine: 0, combineBackward: 0, dispatchBackward: 0, pipeline: 0 };
  const block = overlapBlock({ attention: { F: 1, B: 2, W: 1 }, mlp: { F: 1, B: 1, W: 1 }, ...none }, 3);
  expect(block).toMatchObject({ makespan: 21, exposed: 0 });
  expect(block.phases.every(({ lane }) => lane === 'compute')).toBe(true);
});
