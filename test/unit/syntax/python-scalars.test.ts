import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../../server/src/syntax/parse';
import { getPath } from '../../../server/src/syntax/query';

type Row = readonly [
  text: string,
  type: 'text' | 'int' | 'float' | 'bool' | 'null',
  value: string | number | boolean | null,
];

/** What PyYAML 6.0.3 `safe_load` makes of plain scalars; dates, infinities and NaN are listed as the text they are written in. */
const rows = JSON.parse(
  readFileSync(resolve(import.meta.dirname, '../../fixtures/syntax/pyyaml-scalars.json'), 'utf8'),
) as Row[];

function expected([, type, value]: Row): unknown {
  if (type !== 'int') return value;
  const exact = BigInt(value as string);
  return Number.isSafeInteger(Number(exact)) ? Number(exact) : exact;
}

describe('plain scalars as PyYAML reads them', () => {
  it('lists enough of them to mean something', () => {
    expect(rows.length).toBeGreaterThan(150);
  });

  it.each(rows.map((row) => ({ text: row[0], row })))('reads $text', ({ text, row }) => {
    const node = getPath(parseConfig(`a: ${text}\n`, 'yaml').documents[0], ['a']);
    expect(node).toMatchObject({ kind: 'scalar', value: expected(row) });
  });
});
