import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { parseConfig } from '../../../server/src/syntax/parse';
import { getPath, pathOf, scalarNumber, walk } from '../../../server/src/syntax/query';
import type { ConfigTree } from '../../../server/src/syntax/tree';
import { config, dataOf, type Data } from './data';

function dataIn(text: string, language: 'yaml' | 'json' | 'toml' = 'yaml'): Data {
  const tree = parseConfig(text, language);
  expect(tree.issues).toEqual([]);
  const [root] = tree.documents;
  return root === undefined ? null : dataOf(root);
}

function codes(tree: ConfigTree): string[] {
  return tree.issues.map(({ code }) => code);
}

describe('merge keys, as PyYAML applies them', () => {
  const bases = 'a: &a {x: 1, y: 1}\nb: &b {x: 2, z: 2}\n';
  it.each([
    ['c: {<<: *a, y: 9}', { x: 1, y: 9 }],
    ['c: {y: 9, <<: *a}', { x: 1, y: 9 }],
    ['c: {<<: [*a, *b]}', { x: 1, y: 1, z: 2 }],
    ['c: {<<: [*b, *a]}', { x: 2, y: 1, z: 2 }],
    ['c:\n  <<: *a\n  <<: *b', { x: 2, y: 1, z: 2 }],
    ['c: {<<: {x: 5}}', { x: 5 }],
    ['c: {"<<": 1}', { '<<': 1 }],
  ])('%j', (line, expected) => {
    expect((dataIn(`${bases}${line}\n`) as { c: Data }).c).toEqual(expected);
  });

  it('says that a scalar cannot be merged, unless nobody knows it yet', () => {
    expect(codes(parseConfig('c:\n  <<: 5\n', 'yaml'))).toEqual(['syntax']);
    expect(codes(parseConfig('c:\n  <<: ${base}\n', 'yaml'))).toEqual([]);
  });
});

describe('tags', () => {
  it('of the core decide the type, others make the value unknown', () => {
    expect(dataIn('a: !!str 8\nb: !!int "8"\nc: !!float "1.5"\nd: ! 8\ne: !!timestamp 2024-01-01\n')).toEqual({
      a: '8',
      b: 8,
      c: 1.5,
      d: '8',
      e: '2024-01-01',
    });
    expect(getPath(parseConfig('a: !ENV TP\n', 'yaml').documents[0], ['a'])).toMatchObject({ unresolved: true });
  });
});

describe('references', () => {
  it.each([
    ['a: 1\nb: ${a}', { a: 1, b: 1 }],
    ['m: {a: [1, 2]}\nb: ${m.a[1]}', { m: { a: [1, 2] }, b: 2 }],
    ['m: {a: 1, b: "${.a}", n: {c: "${..a}"}}', { m: { a: 1, b: 1, n: { c: 1 } } }],
    ['a: x\nb: run-${a}-${c}\nc: 2', { a: 'x', b: 'run-x-2', c: 2 }],
    ['a: ${b}\nb: ${c}\nc: 3', { a: 3, b: 3, c: 3 }],
  ])('%j', (text, expected) => {
    expect(dataIn(text)).toEqual(expected);
  });

  it.each([
    'a: ${a}',
    'a: ${b}\nb: ${a}',
    'a: ${oc.env:TP}',
    'a: ${b}',
    'a: ${m}\nm: {x: 1}',
    'a: x-${b}',
    'a: ${....b}',
  ])('%j stays unknown', (text) => {
    expect(getPath(parseConfig(text, 'yaml').documents[0], ['a'])).toMatchObject({ unresolved: true });
  });
});

describe('templates', () => {
  it('are unknown values, and their control lines are no fault', () => {
    const text =
      '{{- if .x }}\ntp: 8\n{{- else }}\ntp: {{ .Values.tp }}\n{{- end }}\nname: "a-{{ .n }}"\ntext: |\n  {{ x }}\n  y\n';
    const tree = parseConfig(text, 'yaml');
    expect(tree.issues).toEqual([]);
    expect(getPath(tree.documents[0], ['tp'])).toMatchObject({ unresolved: true });
    expect(getPath(tree.documents[0], ['name'])).toMatchObject({ value: 'a-{{ .n }}', unresolved: true });
    expect(getPath(tree.documents[0], ['text'])).toMatchObject({ value: '{{ x }}\ny\n' });
  });
});

describe('half-typed text', () => {
  it.each([
    ['yaml', 'tp: 8\npip\nep: 4\n', { tp: 8, ep: 4 }],
    ['yaml', 'm:\n  tp: 8\n  pip\n  ep: 4\n', { m: { tp: 8, ep: 4 } }],
    ['yaml', 'm:\n  - a\n  pip\nep: 4\n', { m: ['a'], ep: 4 }],
    ['json', '{"tp": 8, "pi\n "ep": 4}', { tp: 8 }],
    ['toml', 'tp = 8\npip\nep = 4\n', { tp: 8, ep: 4 }],
    ['toml', 'tp = 8\npip =\nep = 4\n', { tp: 8, ep: 4 }],
    ['toml', 'tp = 8\npip = [1, 2\nep = 4\n', { tp: 8, ep: 4 }],
    ['toml', '[a]\ntp = 8\n[b\nep = 4\n', { a: { tp: 8, ep: 4 } }],
    ['toml', 'tp = 8\ntp = 4\n', { tp: 8 }],
    ['toml', 'tp = 8\npip = "x\n', { tp: 8 }],
  ] as const)('costs only its own line, in %s %j', (language, text, expected) => {
    const tree = parseConfig(text, language);
    expect(tree.issues.length).toBeGreaterThan(0);
    const [root] = tree.documents;
    expect(root === undefined ? undefined : dataOf(root)).toMatchObject(expected);
  });

  it('says where the fault is', () => {
    const text = 'tp = 8\npip = \nep = 4\n';
    const [issue] = parseConfig(text, 'toml').issues;
    expect(text.slice(issue?.span.start, issue?.span.end)).toBe('pip = ');
  });
});

describe('what PyYAML takes and YAML 1.2 does not', () => {
  it('is a quoted text whose further lines stand too far left', () => {
    expect(dataIn('a:\n  - "x\ny z"\nb: 1\n')).toEqual({ a: ['x y z'], b: 1 });
    expect(codes(parseConfig('a: "x\nb: "y"\n', 'yaml'))).toContain('syntax');
  });
});

describe('edges', () => {
  it('reads a byte order mark as nothing', () => {
    expect(dataIn('\ufeff{"a": 1}', 'json')).toEqual({ a: 1 });
    expect(dataIn('\ufeffa: 1', 'yaml')).toEqual({ a: 1 });
    expect(dataIn('\ufeffa = 1', 'toml')).toEqual({ a: 1 });
  });

  it('leaves no number that is not finite', () => {
    expect(dataIn('{"a": NaN, "b": -Infinity, "c": 1e400}', 'json')).toEqual({ a: 'NaN', b: '-Infinity', c: '1e400' });
    expect(dataIn('a = inf\nb = nan\n', 'toml')).toEqual({ a: 'inf', b: 'nan' });
    expect(dataIn('a: .inf\nb: 1.0e+400\n')).toEqual({ a: '.inf', b: '1.0e+400' });
  });

  it('keeps huge integers exact, and those that Python refuses as text', () => {
    const long = '9'.repeat(100);
    expect(dataIn(`{"a": ${long}, "b": -${long}}`, 'json')).toEqual({ a: BigInt(long), b: -BigInt(long) });
    expect(dataIn(`a = 9223372036854775807`, 'toml')).toEqual({ a: 9223372036854775807n });
    expect(typeof (dataIn(`a: ${'9'.repeat(100_000)}\n`) as { a: Data }).a).toBe('string');
  });

  it('puts an empty value behind its colon', () => {
    const places = (text: string, language: 'yaml' | 'json'): number | undefined =>
      getPath(parseConfig(text, language).documents[0], ['a'])?.span.start;
    expect(places('a:\nb: 1', 'yaml')).toBe(2);
    expect(places('{"a":', 'json')).toBe(5);
  });

  it('does not count brackets inside texts', () => {
    expect(dataIn(JSON.stringify({ a: '['.repeat(1000) }), 'json')).toEqual({ a: '['.repeat(1000) });
  });

  it.each([
    ['1e-5', 1e-5],
    ['"8"', 8],
    ['1_000', 1000],
    ['yes', undefined],
    ['8x', undefined],
    ['${tp}', undefined],
  ])('scalarNumber takes %s as Python would', (text, expected) => {
    expect(scalarNumber(getPath(parseConfig(`a: ${text}\n`, 'yaml').documents[0], ['a']))).toBe(expected);
  });

  it('reads a launch script', () => {
    const tree = parseConfig('#!/bin/bash\npython x.py --tp 8 \\\n  --ep ${EP}\n', 'arguments');
    expect(tree.documents.map(dataOf)).toEqual([{ tp: 8, ep: '${EP}' }]);
  });
});

describe('every value of any config', () => {
  const writers = {
    yaml: (data: Data) => stringify(data, { version: '1.1', lineWidth: 40 }),
    'yaml in flow style': (data: Data) => stringify(data, { version: '1.1', collectionStyle: 'flow', lineWidth: 40 }),
    'yaml with carriage returns': (data: Data) =>
      stringify(data, { version: '1.1', blockQuote: false }).replaceAll('\n', '\r\n'),
    json: (data: Data) => JSON.stringify(data, null, 1),
  };
  it.each(Object.entries(writers))('is read, and read again from its own span alone, in %s', (name, write) => {
    const language = name.startsWith('yaml') ? 'yaml' : 'json';
    fc.assert(
      fc.property(config, (data) => {
        const tree = parseConfig(write(data), language);
        const [root] = tree.documents;
        if (root === undefined) throw new Error('nothing read');
        expect(tree.issues).toEqual([]);
        expect(dataOf(root)).toEqual(data);
        walk(root, (node, path) => {
          expect(pathOf(root, node)).toEqual(path);
          if (node.kind !== 'scalar' || node.raw === '') return;
          expect(node.raw).toBe(tree.text.slice(node.span.start, node.span.end));
          if (/^[|>]|\n/.test(node.raw)) return;
          const again = language === 'yaml' ? parseConfig(`[${node.raw}]`, 'yaml') : parseConfig(node.raw, 'json');
          const value = language === 'yaml' ? getPath(again.documents[0], ['0']) : again.documents[0];
          if (!/[,[\]{}]/.test(node.raw) || /^["']/.test(node.raw)) expect(value).toMatchObject({ value: node.value });
        });
      }),
      { numRuns: 150 },
    );
  });
});
