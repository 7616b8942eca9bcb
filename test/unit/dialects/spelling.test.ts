import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { closest, editDistance } from '../../../server/src/dialects/common/spelling';

describe('editDistance', () => {
  it('counts inserts, deletes, replacements and swaps of neighbours', () => {
    expect(editDistance('tensor', 'tensr', 2)).toBe(1);
    expect(editDistance('tensor', 'tenosr', 2)).toBe(1);
    expect(editDistance('tensor', 'tansors', 2)).toBe(2);
    expect(editDistance('tensor', 'pipeline', 2)).toBe(3);
  });
  it('is symmetric, zero only for equal words, and never above the limit plus one', () => {
    fc.assert(
      fc.property(
        fc.string({ maxLength: 12 }),
        fc.string({ maxLength: 12 }),
        fc.integer({ min: 0, max: 4 }),
        (a, b, limit) => {
          const distance = editDistance(a, b, limit);
          expect(distance).toBe(editDistance(b, a, limit));
          expect(distance === 0).toBe(a === b);
          expect(distance).toBeLessThanOrEqual(limit + 1);
        },
      ),
    );
  });
});

describe('closest', () => {
  it('finds the nearest word and leaves strangers alone', () => {
    expect(closest('pipline', ['tensor', 'pipeline', 'expert'])).toBe('pipeline');
    expect(closest('colour', ['tensor', 'pipeline'])).toBeUndefined();
  });
  it('sees the same word in another case style first', () => {
    expect(closest('tensorParallelSize', ['tensor-parallel-size', 'pipeline-parallel-size'])).toBe(
      'tensor-parallel-size',
    );
    expect(closest('cutlass', ['CUTEDSL', 'CUTLASS'])).toBe('CUTLASS');
  });
  it('allows one edit only in short words', () => {
    expect(closest('tp', ['dp', 'pipeline'])).toBe('dp');
    expect(closest('abc', ['axy'])).toBeUndefined();
  });
});
