import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { parseArguments, splitCommands } from '../../../server/src/syntax/arguments';
import { parseConfig } from '../../../server/src/syntax/parse';
import { getPath } from '../../../server/src/syntax/query';
import { placeText } from '../../../server/src/syntax/scalar-text';
import type { ConfigNode } from '../../../server/src/syntax/tree';
import { dataOf } from './data';

function nodeOf(text: string, language: 'yaml' | 'json' | 'toml' = 'yaml', ...path: string[]): ConfigNode {
  const node = getPath(parseConfig(text, language).documents[0], path.length === 0 ? ['args'] : path);
  if (node === undefined) throw new Error('no such node');
  return node;
}

function optionsIn(text: string, language: 'yaml' | 'json' | 'toml' = 'yaml'): unknown {
  return dataOf(parseArguments(nodeOf(text, language), text));
}

describe('parseArguments', () => {
  it.each([
    ['args: --tp 8 --ep=4 --trust-remote-code', { tp: 8, ep: 4, 'trust-remote-code': true }],
    ['args: "-tp 8 -O3 --seed -1"', { tp: 8, O3: true, seed: -1 }],
    ['args: [--tp, 8, --model, "a b", "--ep=4"]', { tp: 8, model: 'a b', ep: 4 }],
    ['args: ["--tp 8", "--dist-timeout 3600"]', { tp: 8, 'dist-timeout': 3600 }],
    ['args: [bash, -c, "x=1; python -m sglang --tp 8"]', { c: true, m: 'sglang', tp: 8 }],
    [
      'args: |\n  python -m sglang.launch_server \\\n    --tp 8 \\\n    --ep 4 # experts\n',
      { m: 'sglang.launch_server', tp: 8, ep: 4 },
    ],
    ['args: >-\n  --tp 8\n  --ep 4\n', { tp: 8, ep: 4 }],
    ['args: |\n  --json \'{"a": 1}\' --name "it\'s"', { json: '{"a": 1}', name: "it's" }],
    ['args: --cuda-graph-bs 1 2 4 --tp 8', { 'cuda-graph-bs': [1, 2, 4], tp: 8 }],
    ['args: --tp 8 > log.txt 2>&1 && echo --done', { tp: 8, done: true }],
    ['args: --tp 4 --tp 8', { tp: 8 }],
    ['args: --empty= --x ""', { empty: '', x: '' }],
    ['args: --tp 8 -- --ep 4', { tp: 8 }],
    ['args:', {}],
  ])('reads %j', (text, expected) => {
    expect(optionsIn(text)).toEqual(expected);
  });

  it('reads strings of JSON and TOML', () => {
    expect(optionsIn('{"args": "--a \\"b c\\" --tp 8"}', 'json')).toEqual({ a: 'b c', tp: 8 });
    expect(optionsIn('args = """\n--tp 8 \\\n  --ep 4\n"""\n', 'toml')).toEqual({ tp: 8, ep: 4 });
  });

  it('knows how many words an option takes when told', () => {
    const text = 'args: serve --eager model --tp 8 x';
    const arity = (name: string): 'flag' | 'one' => (name === 'eager' ? 'flag' : 'one');
    expect(dataOf(parseArguments(nodeOf(text), text, arity))).toEqual({ eager: true, tp: 8 });
  });

  it.each([
    ['args: --tp $TP', true],
    ['args: --tp ${TP:-8}', true],
    ['args: --tp $(LWS_GROUP_SIZE)', true],
    ['args: [--tp, $(TP)]', true],
    ['args: --tp "{{ .Values.tp }}"', true],
    ['args: --tp `nproc`', true],
    ["args: --tp '$5'", false],
    ['args: --tp 8', false],
  ])('in %j leaves what the shell fills in unknown: %s', (text, unresolved) => {
    const value = getPath(parseArguments(nodeOf(text), text), ['tp']);
    expect(value).toMatchObject({ kind: 'scalar', unresolved });
  });

  it.each([
    ['yaml', 'args: --tp 8 --name=x'],
    ['yaml', 'args: "--tp 8 \\\n  --name=x"'],
    ['yaml', "args: '--tp 8   --name=x'"],
    ['yaml', 'args:\n  - --tp\n  - 8\n  - --name=x\n'],
    ['yaml', 'args: |\n  cmd \\\n    --tp 8 \\\n    --name=x\n'],
    ['yaml', 'args: >\n  cmd\n    --tp 8\n\n  --name=x\n'],
    ['yaml', 'args: --tp\n  8\n  --name=x'],
    ['json', '{"args": "a\\tb --tp 8 --name=x"}'],
    ['toml', "args = '''\n--tp 8\n--name=x'''"],
  ] as const)('points into the text, in %s %j', (language, text) => {
    const map = parseArguments(nodeOf(text, language), text);
    const [tp, name] = map.entries;
    const at = (span: { start: number; end: number } | undefined): string => text.slice(span?.start, span?.end);
    expect([at(tp?.keySpan), at(tp?.value.span), at(name?.keySpan), at(name?.value.span)]).toEqual([
      '--tp',
      '8',
      '--name',
      'x',
    ]);
  });
});

describe('splitCommands', () => {
  it('gives every command its words', () => {
    const text = 'args: |\n  set -e; export A=1\n  vllm serve deepseek-ai/DeepSeek-V3 --tp 8 | tee log\n';
    const words = splitCommands(nodeOf(text), text).map((command) => command.map((word) => word.text));
    expect(words).toEqual([
      ['set', '-e'],
      ['export', 'A=1'],
      ['vllm', 'serve', 'deepseek-ai/DeepSeek-V3', '--tp', '8'],
      ['tee', 'log'],
    ]);
  });

  it('never throws, and stays inside the text', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[-a $"'\\\n;|&<>(){}`#=]{0,40}$/), (script) => {
        const text = JSON.stringify({ args: script });
        for (const word of splitCommands(nodeOf(text, 'json'), text).flat()) {
          expect(word.span.start).toBeGreaterThanOrEqual(0);
          expect(word.span.end).toBeLessThanOrEqual(text.length);
          expect(word.span.start).toBeLessThanOrEqual(word.span.end);
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe('placeText', () => {
  const styles = ['PLAIN', 'QUOTE_SINGLE', 'QUOTE_DOUBLE', 'BLOCK_LITERAL', 'BLOCK_FOLDED'] as const;
  it.each(styles)('knows the place of every character of a scalar written as %s', (defaultStringType) => {
    fc.assert(
      fc.property(
        fc.array(fc.stringMatching(/^[a-z]([a-z' "-]{0,10}[a-z])?$/), { minLength: 1, maxLength: 6 }),
        fc.constantFrom(' ', '\n', '\n\n'),
        (words, glue) => {
          const value = words.join(glue);
          const text = stringify(
            { args: { b: value } },
            { defaultStringType, defaultKeyType: 'PLAIN', lineWidth: 20, minContentWidth: 5 },
          );
          const node = nodeOf(text, 'yaml', 'args', 'b');
          if (node.kind !== 'scalar') throw new Error('not a scalar');
          expect(node.value).toBe(value);
          const placed = placeText(node, text);
          expect(placed.text.trimEnd()).toBe(value.trimEnd());
          // Letters and quotes stand in the source as they are (or doubled, or escaped): their places must show them.
          [...placed.text].forEach((character, index) => {
            if (/[a-z]/.test(character)) expect(text.slice(placed.starts[index], placed.ends[index])).toBe(character);
          });
        },
      ),
      { numRuns: 150 },
    );
  });
});
