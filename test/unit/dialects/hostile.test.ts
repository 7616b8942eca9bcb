import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { detectDialect, dialects } from '../../../server/src/dialects/registry';
import { parseConfig } from '../../../server/src/syntax/parse';
import type { Language } from './reading';

const SAMPLES = join(import.meta.dirname, '../../../samples');

function samples(): { readonly name: string; readonly text: string; readonly language: Language }[] {
  return readdirSync(SAMPLES, { recursive: true, withFileTypes: true }).flatMap((entry) => {
    if (!entry.isFile() || entry.name.includes('loads') || !/\.(ya?ml|json)$/.test(entry.name)) return [];
    return [
      {
        name: entry.name,
        text: readFileSync(join(entry.parentPath, entry.name), 'utf8'),
        language: entry.name.endsWith('json') ? 'json' : 'yaml',
      },
    ];
  });
}

const PIECES = [
  '',
  '0',
  '-1',
  '1e309',
  '99999999999999999999',
  'null',
  'true',
  '"',
  '{',
  '[',
  ']',
  '${X}',
  '\t',
  ': ',
  '- ',
  '&a',
  '*a',
  'nan',
  '.inf',
  '\u0000',
  'Et*999999999|L',
  '([0]*9999999)',
  '--x',
  '!!binary x',
];

describe('files that somebody is still typing', () => {
  const all = samples();
  it('are read by every dialect without a fault and without a number that is none', () => {
    expect(all.length).toBeGreaterThan(8);
    fc.assert(
      fc.property(
        fc.constantFrom(...all),
        fc.nat(),
        fc.nat({ max: 40 }),
        fc.constantFrom(...PIECES),
        (sample, at, length, piece) => {
          const start = at % sample.text.length;
          const text = sample.text.slice(0, start) + piece + sample.text.slice(start + length);
          const tree = parseConfig(text, sample.language);
          detectDialect(tree, sample.name);
          for (const dialect of dialects) {
            const { plan, findings, complete } = dialect.read(tree, () => undefined);
            const full =
              complete?.(plan, { memoryBytes: 80 * 2 ** 30, computeCapability: 90, model: plan.model }) ?? plan;
            JSON.stringify(full, (_, value: unknown) => {
              if (typeof value === 'number') expect(Number.isFinite(value)).toBe(true);
              return value;
            });
            for (const { at: place } of findings) {
              if (place === undefined) continue;
              expect(place.span.start).toBeGreaterThanOrEqual(0);
              expect(place.span.end).toBeLessThanOrEqual(text.length);
            }
          }
        },
      ),
      { numRuns: 400 },
    );
  });
});
