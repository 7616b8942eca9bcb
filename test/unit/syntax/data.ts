import fc from 'fast-check';
import type { SyntaxEdit } from '../../../server/src/syntax/edits';
import type { ConfigNode } from '../../../server/src/syntax/tree';

export type Data = string | number | bigint | boolean | null | Data[] | { [key: string]: Data };

/** What a tree says, without its places. */
export function dataOf(node: ConfigNode): Data {
  if (node.kind === 'scalar') return node.value;
  if (node.kind === 'list') return node.items.map(dataOf);
  return Object.fromEntries(node.entries.map(({ key, value }) => [key, dataOf(value)]));
}

/** The text after edits that do not overlap. */
export function applyEdits(text: string, edits: readonly SyntaxEdit[]): string {
  return [...edits]
    .sort((a, b) => b.span.start - a.span.start)
    .reduce((result, { span, newText }) => result.slice(0, span.start) + newText + result.slice(span.end), text);
}

const key = fc.stringMatching(/^[a-z][a-z0-9_-]{0,8}$/);
const scalar = fc.oneof(
  fc.integer(),
  fc.boolean(),
  fc.constantFrom(
    'yes',
    '8',
    '1e-5',
    'a: b',
    '# x',
    "it's",
    'say "x"',
    'two\nlines',
    '',
    ' padded ',
    '*a',
    '[x',
    'null',
    '0o17',
    'é λ',
  ),
  fc.string({ maxLength: 12 }),
  // Written with a dot and no exponent by every writer, so that PyYAML takes them for numbers.
  fc.integer({ min: -1e6, max: 1e6 }).map((value) => value / 8),
);

/** Maps of scalars, lists and maps, as configs have them. */
export const config: fc.Arbitrary<{ [key: string]: Data }> = fc.letrec<{ map: { [key: string]: Data }; value: Data }>(
  (tie) => ({
    map: fc.dictionary(key, tie('value'), { minKeys: 1, maxKeys: 5, noNullPrototype: true }),
    value: fc.oneof({ depthSize: 'small', maxDepth: 3 }, scalar, fc.array(scalar, { maxLength: 3 }), tie('map')),
  }),
).map;
