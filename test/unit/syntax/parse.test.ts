import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../../server/src/syntax/parse';
import { getPath, nodeAt, walk } from '../../../server/src/syntax/query';
import type { ConfigNode, ConfigTree } from '../../../server/src/syntax/tree';

type Language = 'yaml' | 'json' | 'toml';

function scalarAt(tree: ConfigTree, ...path: (string | number)[]): ConfigNode & { kind: 'scalar' } {
  const node = getPath(tree.documents[0], path);
  if (node?.kind !== 'scalar') throw new Error(`no scalar at ${path.join('.')}`);
  return node;
}

/** The text that a node's span covers. */
function textAt(tree: ConfigTree, ...path: (string | number)[]): string {
  const node = getPath(tree.documents[0], path);
  return node === undefined ? '' : tree.text.slice(node.span.start, node.span.end);
}

describe('YAML', () => {
  it('keeps the place of every value', () => {
    const tree = parseConfig('model:\n  heads: 64  # of 128\n  name: "a b"\n', 'yaml');
    expect(scalarAt(tree, 'model', 'heads').value).toBe(64);
    expect(textAt(tree, 'model', 'heads')).toBe('64');
    expect(textAt(tree, 'model', 'name')).toBe('"a b"');
    expect(tree.comments).toEqual([{ text: 'of 128', span: { start: 20, end: 28 } }]);
  });

  it('resolves aliases at the alias and keeps the anchor', () => {
    const text = 'base: &b\n  tp: 8\nother: *b\n';
    const tree = parseConfig(text, 'yaml');
    const other = getPath(tree.documents[0], ['other']);
    expect(other?.kind).toBe('map');
    expect(text.slice(other?.span.start, other?.span.end)).toBe('*b');
    expect(scalarAt(tree, 'other', 'tp').value).toBe(8);
  });

  it('applies merge keys: own keys win, the first of several merged maps wins', () => {
    const tree = parseConfig('a: &a {tp: 1, pp: 2}\nb: &b {tp: 3, ep: 4}\nc:\n  <<: [*a, *b]\n  pp: 5\n', 'yaml');
    const values = ['tp', 'pp', 'ep'].map((key) => scalarAt(tree, 'c', key).value);
    expect(values).toEqual([1, 5, 4]);
    expect(textAt(tree, 'c', 'tp')).toBe('*a');
  });

  it.each([
    ['yes', true],
    ['off', false],
    ['y', 'y'],
    ['1e-5', '1e-5'],
    ['1.0e-5', 1e-5],
    ['017', 15],
    ['1_000', 1000],
    ['~', null],
    ['2024-01-02', '2024-01-02'],
    ['90071992547409931', 90071992547409931n],
  ])('reads %s as Python does', (text, value) => {
    expect(scalarAt(parseConfig(`a: ${text}\n`, 'yaml'), 'a').value).toEqual(value);
  });

  it('reports a repeated key and keeps the last value', () => {
    const tree = parseConfig('tp: 1\ntp: 2\n', 'yaml');
    expect(scalarAt(tree, 'tp').value).toBe(2);
    expect(tree.issues.map(({ code }) => code)).toEqual(['duplicate-key']);
  });

  it('marks interpolations as unknown and resolves those of the same document', () => {
    const tree = parseConfig(
      'tp: ${TP}\npp: ${sizes.pp}\nsizes: {pp: 4}\narg: $(LWS_GROUP_SIZE)\nhelm: {{ .Values.tp }}\n',
      'yaml',
    );
    expect(scalarAt(tree, 'tp').unresolved).toBe(true);
    expect(scalarAt(tree, 'pp')).toMatchObject({ value: 4, unresolved: false, raw: '${sizes.pp}' });
    expect(scalarAt(tree, 'arg').unresolved).toBe(true);
    expect(scalarAt(tree, 'helm').unresolved).toBe(true);
    expect(tree.issues).toEqual([]);
  });

  it('reads several documents', () => {
    expect(parseConfig('a: 1\n---\nb: 2\n', 'yaml').documents).toHaveLength(2);
  });

  it('gives a broken line as an issue with its place and keeps the rest', () => {
    const tree = parseConfig('tp: 8\npp: [1, 2\nep: 4\n', 'yaml');
    expect(tree.issues.length).toBeGreaterThan(0);
    expect(scalarAt(tree, 'tp').value).toBe(8);
  });

  it('does not take a # inside a value for a comment', () => {
    const tree = parseConfig('a: "x # y"\nb: |\n  # text\n# real\n', 'yaml');
    expect(tree.comments.map(({ text }) => text)).toEqual(['real']);
  });
});

describe('JSON', () => {
  it('reads comments, trailing commas, NaN and large integers', () => {
    const tree = parseConfig('{ // note\n "a": 12345678901234567890, "b": NaN, "c": [1, 2,], }', 'json');
    expect(tree.issues).toEqual([]);
    expect(scalarAt(tree, 'a').value).toBe(12345678901234567890n);
    expect(scalarAt(tree, 'b').value).toBe('NaN');
    expect(textAt(tree, 'b')).toBe('NaN');
    expect(tree.comments.map(({ text }) => text)).toEqual(['note']);
  });

  it('keeps what it can of a half-typed document', () => {
    const tree = parseConfig('{"a": 1, "b": ', 'json');
    expect(scalarAt(tree, 'a').value).toBe(1);
    expect(tree.issues.length).toBeGreaterThan(0);
  });
});

describe('TOML', () => {
  it('reads tables, dotted keys, inline tables and arrays of tables with places', () => {
    const text = '[a.b]\nc = 8 # eight\nd.e = "x"\nf = {g = 1.5}\n[[h]]\ni = 1\n[[h]]\ni = 2\n';
    const tree = parseConfig(text, 'toml');
    expect(scalarAt(tree, 'a', 'b', 'c').value).toBe(8);
    expect(scalarAt(tree, 'a', 'b', 'd', 'e').value).toBe('x');
    expect(scalarAt(tree, 'a', 'b', 'f', 'g').value).toBe(1.5);
    expect(scalarAt(tree, 'h', 1, 'i').value).toBe(2);
    expect(textAt(tree, 'a', 'b', 'c')).toBe('8');
    expect(tree.comments.map((comment) => comment.text)).toEqual(['eight']);
  });

  it('loses only the faulty line', () => {
    const tree = parseConfig('[training]\nseq_len = \nsteps = 10\n', 'toml');
    expect(tree.issues).toHaveLength(1);
    expect(scalarAt(tree, 'training', 'steps').value).toBe(10);
  });
});

describe('hostile input', () => {
  const bomb = [
    'a0: &a0 [x, x, x, x, x, x, x, x, x, x]',
    ...Array.from({ length: 20 }, (_, i) => `a${i + 1}: &a${i + 1} [${Array(10).fill(`*a${i}`).join(', ')}]`),
  ].join('\n');
  const cases: readonly (readonly [name: string, text: string, language: Language, code: string])[] = [
    ['deep brackets', '['.repeat(10_000), 'yaml', 'too-deep'],
    ['deep brackets', '['.repeat(10_000), 'json', 'too-deep'],
    ['deep dashes', '- '.repeat(20_000), 'yaml', 'too-deep'],
    ['deep question marks', '? '.repeat(20_000), 'yaml', 'too-deep'],
    ['deep indentation', Array.from({ length: 1000 }, (_, at) => `${' '.repeat(at)}a:`).join('\n'), 'yaml', 'too-deep'],
    ['deep dotted keys', `a${'.a'.repeat(1000)} = 1`, 'toml', 'too-deep'],
    ['half a million flow entries', `[${'1, '.repeat(340_000)}]`, 'yaml', 'too-large'],
    ['half a million array entries', `a = [${'1, '.repeat(340_000)}]`, 'toml', 'too-large'],
    ['nothing but quotes', '"'.repeat(1_000_000), 'yaml', 'too-large'],
    [
      'an image',
      '\u0089PNG\r\n\u001a\n\ufffd\u0001\u0002\u0003\ufffd\u0004\u0005\u0006\u0007\ufffd\ufffd',
      'yaml',
      'binary',
    ],
    ['an alias bomb', bomb, 'yaml', 'too-many-aliases'],
    ['an alias inside its anchor', 'a: &a [*a]', 'yaml', 'syntax'],
    ['a merge conflict', 'a: 1\n<<<<<<< ours\nb: 2\n=======\nb: 3\n>>>>>>> theirs\n', 'yaml', 'merge-conflict'],
    ['binary content', 'a\0b', 'toml', 'binary'],
    ['a huge file', 'a: 1\n'.repeat(500_000), 'yaml', 'too-large'],
  ];
  it.each(cases.map(([name, text, language, code]) => ({ name, text, language, code })))(
    'answers $name in $language with $code',
    ({ text, language, code }) => {
      expect(parseConfig(text, language).issues.map((issue) => issue.code)).toContain(code);
    },
  );

  it('keeps no more faults than anyone reads', () => {
    expect(parseConfig(`{${'"a":1,'.repeat(50_000)}"a":1}`, 'json').issues.length).toBe(1000);
  });

  const seeds: Record<Language, string> = {
    yaml: 'a: &x {tp: 8, l: [1, 2]}\nb:\n  <<: *x\n  s: "q # q"\n# c\n- x\n',
    json: '{"a": [1, 2.5, {"b": null}], "c": "x\\n"}',
    toml: '[a]\nb = 1\nc = [1, 2]\n[[d]]\ne = "x"\n',
  };
  it.each(['yaml', 'json', 'toml'] as const)(
    'never throws on edited %s, and places stay inside the text',
    (language) => {
      fc.assert(
        fc.property(fc.nat(60), fc.nat(10), fc.string({ maxLength: 6 }), (at, cut, put) => {
          const seed = seeds[language];
          const text = seed.slice(0, at) + put + seed.slice(at + cut);
          const tree = parseConfig(text, language);
          for (const root of tree.documents) {
            walk(root, ({ span }) => {
              expect(span.start).toBeGreaterThanOrEqual(0);
              expect(span.end).toBeLessThanOrEqual(text.length);
              expect(span.start).toBeLessThanOrEqual(span.end);
            });
          }
        }),
        { numRuns: 400 },
      );
    },
  );
});

describe('nodeAt', () => {
  const tree = parseConfig('model:\n  heads: 64\n  list: [1, 22]\n', 'yaml');
  it.each([
    [3, ['model'], true],
    [10, ['model', 'heads'], true],
    [17, ['model', 'heads'], false],
    [32, ['model', 'list', '1'], false],
  ])('finds what stands at %i', (offset, path, onKey) => {
    expect(nodeAt(tree, offset)).toMatchObject({ path, onKey });
  });
});
