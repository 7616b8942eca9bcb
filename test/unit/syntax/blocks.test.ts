import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { getPath } from '../../../server/src/syntax/query';
import type { ConfigTree } from '../../../server/src/syntax/tree';
import { parseYaml } from '../../../server/src/syntax/yaml';
import { createParseMemory, parseYamlWith } from '../../../server/src/syntax/yaml-blocks';
import { describeShared } from '../../shared';
import { dataOf } from './data';

const SAMPLES = path.resolve(import.meta.dirname, '../../../samples');

function yamlFiles(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => {
    const file = path.join(folder, name);
    if (statSync(file).isDirectory()) return yamlFiles(file);
    return /\.ya?ml$/.test(name) && statSync(file).size < 200_000 ? [file] : [];
  });
}

function parsed(text: string, memory = createParseMemory()): ConfigTree {
  return parseYamlWith(text, memory);
}

/** Filler of the kinds that blocks must be told apart by: lists at the key's own depth, block texts, comments, nested maps. */
const FILLER = `# head
---
model:
  name: "a: b"   # trailing
  layers: 61

  # inner
  nested:
    deep: [1, 2,
      3]
    text: |
      first: line
      # no comment
    'quoted key': 1
list:
- a: 1
  b: 2
- c
folded: >-
  one

  two
empty:
tail: {x: 1, y: [a, b]}
# end
${Array.from({ length: 120 }, (_, at) => `key_${at}: value ${at}`).join('\n')}
big:
${Array.from({ length: 120 }, (_, at) => `  inner_${at}: { v: ${at} }\n  # note ${at}`).join('\n')}
last: 1
`;

describe('parsing by blocks', () => {
  it('gives the tree of the whole, places and comments included', () => {
    expect(parsed(FILLER)).toEqual(parseYaml(FILLER));
    expect(parsed(FILLER.replaceAll('\n', '\r\n'))).toEqual(parseYaml(FILLER.replaceAll('\n', '\r\n')));
  });

  it.each(yamlFiles(SAMPLES).map((file) => path.relative(SAMPLES, file)))(
    'gives the tree of the whole for %s',
    (name) => {
      const text = readFileSync(path.join(SAMPLES, name), 'utf8').padEnd(2000, '\n# padding of a short file');
      expect(parsed(text)).toEqual(parseYaml(text));
    },
  );

  it.each([
    ['anchors', `a: &x { b: 1 }\nc: *x\n`],
    ['merge keys', `a: &x { b: 1 }\nc:\n  <<: *x\n`],
    ['two documents', `a: 1\n---\nb: 2\n`],
    ['an end mark', `a: 1\n...\n`],
    ['a repeated key', `a: 1\nb: 2\na: 3\n`],
    ['a repeated inner key', `m:\n  a: 1\n  b: 2\n  a: 3\n`],
    ['a quote over lines', `a: "x\nb: y"\nc: 1\n`],
    ['a bracket over lines', `a: {\nb: 1,\nc: 2 }\nd: 3\n`],
    ['templates', `{{- if .x }}\na: {{ .b }}\n{{- else }}\na: 2\n{{- end }}\n`],
    ['a list at the top', `- a: 1\n- b: 2\n`],
    ['a text at the top', `just words\n`],
    ['tabs', `a:\n\tb: 1\n`],
    ['a complex key', `? a\n: 1\nb: 2\n`],
  ])('reads %s as the parser of the whole does', (_, head) => {
    for (const text of [head + FILLER.slice(FILLER.indexOf('model:')), head]) {
      const whole = parseYaml(text);
      // Where there is a fault the two may recover differently, but both must see it.
      if (whole.issues.some(({ code }) => code === 'syntax')) expect(parsed(text).issues.length).toBeGreaterThan(0);
      else expect(parsed(text)).toEqual(whole);
    }
  });

  it('does not depend on what was parsed before', () => {
    const memory = createParseMemory();
    const lines = FILLER.split('\n');
    fc.assert(
      fc.property(
        fc.nat(lines.length - 1),
        fc.constantFrom('', 'x', '  y: 1', 'z:', '"', '[', '# c', '- i', '  ', 'model: 2', '    k: v', 'a: b: c'),
        fc.boolean(),
        (at, added, instead) => {
          const text = [...lines.slice(0, at), added, ...lines.slice(instead ? at + 1 : at)].join('\n');
          const remembered = parsed(text, memory);
          expect(remembered).toEqual(parsed(text));
          // Where the whole has no fault, blocks find none and say the same.
          const whole = parseYaml(text);
          if (whole.issues.length === 0) expect(remembered).toEqual(whole);
          else expect(remembered.issues.length).toBeGreaterThan(0);
        },
      ),
      { numRuns: 150 },
    );
  });

  it.each([
    ['a half-typed key', 'key_50: value 50', 'key_50'],
    ['an open quote', 'key_50: value 50', 'key_50: "value'],
    ['an open bracket', 'key_50: value 50', 'key_50: [1, 2'],
    ['an open brace within', 'inner_50: { v: 50 }', 'inner_50: { v: 50'],
    ['a second colon', 'inner_50: { v: 50 }', 'inner_50: a: b'],
  ])('keeps the rest of the file beside %s', (_, from, to) => {
    const tree = parsed(FILLER.replace(from, to));
    expect(tree.issues.length).toBeGreaterThan(0);
    const sound = parsed(FILLER);
    for (const path of [
      ['last'],
      ['key_49'],
      ['key_60'],
      ['big', 'inner_40'],
      ['big', 'inner_60', 'v'],
      ['model', 'layers'],
    ]) {
      const [value, expected] = [tree, sound].map(({ documents }) => getPath(documents[0], path));
      expect(value === undefined ? undefined : dataOf(value), path.join('.')).toEqual(
        expected === undefined ? 0 : dataOf(expected),
      );
    }
  });

  it('keeps the nodes of blocks that did not move', () => {
    const memory = createParseMemory();
    const before = parsed(FILLER, memory).documents[0];
    const after = parsed(FILLER.replace('layers: 61', 'layers: 62'), memory).documents[0];
    for (const path of [['key_100'], ['big', 'inner_100'], ['last']])
      expect(getPath(after, path)).toBe(getPath(before, path));
    expect(getPath(after, ['model'])).not.toEqual(getPath(before, ['model']));
  });

  it('forgets what is no longer there', () => {
    const memory = createParseMemory();
    parsed(FILLER, memory);
    const { size } = memory.pieces;
    for (let version = 0; version < 50; version += 1)
      parsed(FILLER.replace('layers: 61', `layers: ${version}`), memory);
    expect(memory.pieces.size).toBe(size);
  });
});

describeShared('parsing the corpus by blocks', ['corpus'], (corpus) => {
  it('gives the tree of the whole for every file without a fault', () => {
    const files = existsSync(corpus) ? yamlFiles(corpus) : [];
    expect(files.length).toBeGreaterThan(50);
    for (const file of files) {
      const text = readFileSync(file, 'utf8');
      const whole = parseYaml(text);
      const blocks = parsed(text);
      if (whole.issues.length === 0) expect(blocks, file).toEqual(whole);
      else expect(blocks.issues.length, file).toBeGreaterThan(0);
    }
  });
});
