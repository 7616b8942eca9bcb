import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Timeline } from '../../../server/src/engine/schedule/order';
import { simulate } from '../../../server/src/engine/schedule/simulate';
import { UNIT_DURATIONS } from '../../../server/src/engine/schedule/durations';
import { readTorchCsv } from '../../../server/src/features/schedule/torch-csv';

function timed(csv: string): Timeline {
  const read = readTorchCsv(csv);
  if (!('order' in read)) throw new Error(read.problems.map((p) => p.message).join('; '));
  return simulate(read.order, UNIT_DURATIONS);
}

describe('orders that cannot finish', () => {
  it('names both ranks of a cycle and what each waits for', () => {
    // Rank 0 wants the gradient of microbatch 0 before it hands on microbatch 1; rank 1 wants it the other way round.
    const timeline = timed('0F0,0B0,0F1,0B1\n1F0,1F1,1B1,1B0');
    const { deadlock } = timeline;
    expect(deadlock?.reason).toBe('cycle');
    expect(deadlock?.cycle.map(({ rank, needs, onRank }) => ({ rank, needs, onRank }))).toEqual([
      { rank: 0, needs: { pass: 'B', stage: 1, microbatch: 0, direction: 0 }, onRank: 1 },
      { rank: 1, needs: { pass: 'F', stage: 0, microbatch: 1, direction: 0 }, onRank: 0 },
    ]);
    expect(deadlock?.unfinished).toBe(6);
    expect(timeline.start.every((t) => Number.isFinite(t))).toBe(true);
  });

  it('names a rank that waits for itself', () => {
    const { deadlock } = timed('1F0,0F0,1B0,0B0');
    expect(deadlock?.cycle).toHaveLength(1);
    expect(deadlock?.cycle[0]).toMatchObject({ rank: 0, onRank: 0, needs: { pass: 'F', stage: 0 } });
  });

  it('shuffled orders finish or name a cycle whose links hold', () => {
    const shuffled = fc.integer({ min: 1, max: 4 }).chain((ranks) =>
      fc.tuple(
        ...Array.from({ length: ranks }, (_, r) =>
          fc.shuffledSubarray([0, 1, 2], { minLength: 3 }).chain((fs) =>
            fc.shuffledSubarray([0, 1, 2], { minLength: 3 }).map((bs) => {
              // Each rank runs its forwards in one shuffled order and its backwards in another, after their forward.
              const cells: string[] = [];
              const ran = new Set<number>();
              const left = [...bs];
              for (const m of fs) {
                cells.push(`${r}F${m}`);
                ran.add(m);
                while (left[0] !== undefined && ran.has(left[0])) cells.push(`${r}B${left.shift() ?? 0}`);
              }
              return cells.join(',');
            }),
          ),
        ),
      ),
    );
    fc.assert(
      fc.property(shuffled, (rows) => {
        const timeline = timed(rows.join('\n'));
        const { deadlock, order } = timeline;
        if (deadlock === undefined) {
          expect(timeline.makespan).toBeGreaterThan(0);
          return;
        }
        expect(deadlock.reason).toBe('cycle');
        deadlock.cycle.forEach((link, n) => {
          expect(link.onRank).toBe(deadlock.cycle[(n + 1) % deadlock.cycle.length]?.rank);
          expect(order.stage[link.action]).toBe(link.needs.stage + (link.needs.pass === 'F' ? 1 : -1));
        });
      }),
      { numRuns: 300 },
    );
  });
});

describe('CSV that is no schedule', () => {
  const cases: readonly (readonly [string, RegExp])[] = [
    ['', /no actions/],
    ['0F0,0X0', /"0X0" is no action/],
    ['0F0,(0F1;0F0)OVERLAP_F_B', /is no action/],
    ['0B0,0F0', /without the forward/],
    ['0F0,0W0,0I0', /without the input half/],
    ['0F0,0F0,0B0', /twice/],
    ['0F0,0B0,0I0,0W0', /both a full backward and a split one/],
    ['0F0,0B0\n0F1,0B1', /on rank 0 and on rank 1/],
    ['0F0,0F1,0B0', /2 forwards and 1 whole backwards of 2/],
    ['0F9999999,0B0', /without the forward|runs/],
  ];
  for (const [csv, message] of cases) {
    it(`${JSON.stringify(csv)} is told why`, () => {
      const read = readTorchCsv(csv);
      expect('problems' in read ? read.problems[0]?.message : 'accepted').toMatch(message);
    });
  }

  it('gives the place of a fault', () => {
    const read = readTorchCsv('0F0,0B0\r\n 1F0 , oops,1B0');
    expect('problems' in read ? read.problems : []).toEqual([
      { line: 1, character: 7, endCharacter: 11, message: expect.stringContaining('oops') as string },
    ]);
  });

  it('answers to any text without throwing', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 200 }), (text) => {
        const read = readTorchCsv(text);
        expect('order' in read || read.problems.length > 0).toBe(true);
      }),
    );
  });
});
