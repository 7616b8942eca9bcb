import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ConfigNode, ConfigTree } from '../../../server/src/syntax/tree';
import { parseYaml } from '../../../server/src/syntax/yaml';
import { createParseMemory, parseYamlWith } from '../../../server/src/syntax/yaml-blocks';
import { describeShared } from '../../shared';

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
  ])('leaves %s to the parser of the whole', (_, head) => {
    const text = head + FILLER.slice(FILLER.indexOf('model:'));
    const expected = parseYaml(text);
    expect(parsed(text)).toEqual(expected);
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

  it('keeps the rest of the file while one line is half typed', () => {
    const text = FILLER.replace('key_50: value 50', 'key_50');
    const root = parsed(text).documents[0];
    expect(root?.kind === 'map' && root.entries.some(({ key }) => key === 'last')).toBe(true);
  });

  it('keeps the nodes of blocks that did not move', () => {
    const memory = createParseMemory();
    const valueOf = (tree: ConfigTree, key: string): ConfigNode | undefined => {
      const root = tree.documents[0];
      return root?.kind === 'map' ? root.entries.find((entry) => entry.key === key)?.value : undefined;
    };
    const before = parsed(FILLER, memory);
    const after = parsed(FILLER.replace('layers: 61', 'layers: 62'), memory);
    expect(valueOf(after, 'big')).toBe(valueOf(before, 'big'));
    expect(valueOf(after, 'model')).not.toEqual(valueOf(before, 'model'));
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
