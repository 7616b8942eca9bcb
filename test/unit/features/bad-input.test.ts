import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { estimateAnswer } from '../../../server/src/features/estimate';
import { hover } from '../../../server/src/features/hover';
import { memoryView } from '../../../server/src/features/views/memory';
import { planView } from '../../../server/src/features/views/plan';
import { timelineView } from '../../../server/src/features/views/timeline';
import { analyzeText, sampleText } from './support';

const BASES = [
  ['deepseek-v3-2048xH800.shardlens.yaml'],
  ['sglang-deepseek-v3.yaml'],
  ['megatron-mixtral', 'model_config.yaml'],
  ['deepseek-v3', 'config.json'],
].map((parts) => ({ name: parts.join('/'), text: sampleText(...parts) }));

const NUMBER = /("?[\w-]+"?\s*:\s*)(-?\d[\d.]*(?:e-?\d+)?)(?=\s*[,}\n#])/g;

/** The text with the value of its n-th number replaced, and where the value stands. */
function replaced(text: string, index: number, value: string): { readonly text: string; readonly offset: number } {
  const all = [...text.matchAll(NUMBER)];
  const match = all[index % all.length];
  if (match === undefined) throw new Error('the sample holds no number');
  const offset = match.index + (match[1]?.length ?? 0);
  return { text: text.slice(0, offset) + value + text.slice(match.index + match[0].length), offset };
}

/** Every number of an answer, told as text where JSON would hide that it is none. */
function told(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) => {
    // Packed columns are letters that may spell anything; their start tells them, as the millions of a long timeline overflow a pattern's stack.
    if (typeof inner === 'string' && /^[\w+/=]{60}/.test(inner)) return 'columns';
    return typeof inner === 'number' && !Number.isFinite(inner) ? `not finite: ${inner}` : inner;
  });
}

describe('impossible values', () => {
  const plan = sampleText('deepseek-v3-2048xH800.shardlens.yaml');
  const config = sampleText('deepseek-v3', 'config.json');
  const megatron = sampleText('megatron-mixtral', 'model_config.yaml');
  const cases: readonly (readonly [string, string, string, RegExp, string])[] = [
    ['a negative sequence', plan, 'plan.shardlens.yaml', /sequence: 4096/, 'sequence: -4096'],
    ['a microbatch of nothing', plan, 'plan.shardlens.yaml', /micro: 1/, 'micro: 0'],
    ['an absurdly large batch', plan, 'plan.shardlens.yaml', /global: 15360/, 'global: 1000000000000000000'],
    ['more nodes than exist', plan, 'plan.shardlens.yaml', /nodes: 256/, 'nodes: 99999999999999999999'],
    ['a degree in words', plan, 'plan.shardlens.yaml', /pipeline: 16/, 'pipeline: many'],
    ['an unknown dtype', plan, 'plan.shardlens.yaml', /weights: bf16/, 'weights: bf17'],
    ['no layers', megatron, 'model_config.yaml', /--num-layers: 32/, '--num-layers: 0'],
    ['a negative width', megatron, 'model_config.yaml', /--hidden-size: 4096/, '--hidden-size: -4096'],
    ['an absurd vocabulary', megatron, 'model_config.yaml', /--vocab-size: 32000/, '--vocab-size: 9007199254740993'],
    ['heads in words', megatron, 'model_config.yaml', /--num-attention-heads: 32/, '--num-attention-heads: some'],
    ['negative layers', config, 'config.json', /"num_hidden_layers": 61/, '"num_hidden_layers": -61'],
    ['more layers than numbers', config, 'config.json', /"num_hidden_layers": 61/, '"num_hidden_layers": 1e15'],
    ['a width in words', config, 'config.json', /"hidden_size": 7168/, '"hidden_size": "wide"'],
    ['an unknown number format', config, 'config.json', /"torch_dtype": "bfloat16"/, '"torch_dtype": "bfloat17"'],
    [
      'a pattern longer than the layers',
      config,
      'config.json',
      /"moe_layer_freq": 1/,
      `"moe_layer_freq": [${new Array(62).fill(1).join(', ')}]`,
    ],
  ];
  it.each(cases)('%s is refused at its place, naming the value', (_what, source, name, from, to) => {
    expect(source).toMatch(from);
    const analysis = analyzeText(source.replace(from, to), { name });
    const start = analysis.text.indexOf(to);
    const found = analysis.findings.filter(
      ({ at, severity }) =>
        severity !== 'hint' && at !== undefined && at.span.start >= start && at.span.end <= start + to.length,
    );
    expect(found.map(({ rule }) => rule)).toHaveLength(1);
    expect(found[0]?.message).toMatch(
      /nearest|has to be|must be|did you mean|not an integer|no number format|entries|layers/,
    );
    expect(
      /.{0,60}(?:not finite|NaN).{0,40}/.exec(told([estimateAnswer(analysis), memoryView(analysis)]))?.[0],
    ).toBeUndefined();
  });

  it('names the nearest legal size', () => {
    const { findings } = analyzeText(megatron.replace('--hidden-size: 4096', '--hidden-size: 0'), {
      name: 'model_config.yaml',
    });
    expect(findings.find(({ rule }) => rule === 'size-not-positive')?.message).toBe(
      '--hidden-size 0 is not possible: it has to be a whole number from 1 to 2147483648; the nearest legal value is 1.',
    );
  });
});

describe('any value in any place', () => {
  const value = fc.oneof(
    fc.constantFrom('-1', '0', '-0', '1e308', '1e400', '.nan', '.inf', 'null', 'true', '[]', '{}', '""', '"8"', '~'),
    fc.bigInt(-(10n ** 30n), 10n ** 30n).map(String),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
    fc.integer({ min: -8, max: 4096 }).map(String),
    fc.string({ maxLength: 12 }).map((text) => JSON.stringify(text)),
  );
  it.each(BASES)('gives no number that is none: $name', ({ name, text }) => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(200), value), { minLength: 1, maxLength: 3 }), (changes) => {
        let changed = { text, offset: 0 };
        for (const [index, word] of changes) changed = replaced(changed.text, index, word);
        const analysis = analyzeText(changed.text, { name });
        const answers = [
          estimateAnswer(analysis),
          memoryView(analysis),
          planView(analysis),
          timelineView(analysis, { uri: analysis.uri }),
          hover(analysis, analysis.lines.positionAt(changed.offset)),
          analysis.findings,
        ];
        expect(/.{0,60}(?:not finite|NaN|Infinity).{0,40}/.exec(told(answers))?.[0]).toBeUndefined();
        expect(analysis.findings.map(({ rule }) => rule)).not.toContain('internal-fault');
      }),
      { numRuns: 60 },
    );
  });
});
