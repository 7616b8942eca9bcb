import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { diagnostics } from '../../../server/src/features/diagnostics';
import { indexLines } from '../../../server/src/features/lines';
import { checkPlacementFile, type PlacementContext } from '../../../server/src/dialects/placement/validate';
import { parseConfig } from '../../../server/src/syntax/parse';
import { describeShared, sharedPath } from '../../shared';
import { analyzeText } from '../features/support';

function check(text: string, name: string, context: PlacementContext = {}) {
  return checkPlacementFile(parseConfig(text, name.endsWith('.yaml') ? 'yaml' : 'json'), context).map((finding) => ({
    rule: finding.rule,
    severity: finding.severity,
    message: finding.message,
    text: text.slice(finding.at?.span.start ?? 0, finding.at?.span.end ?? 0),
    line: indexLines(text).positionAt(finding.at?.span.start ?? 0).line,
  }));
}

/** What each broken file must be told, with what its config would know; `text` is where the squiggle stands. */
const BROKEN: readonly (readonly [
  file: string,
  context: PlacementContext,
  rule: string,
  words: string,
  text?: string,
  line?: number,
])[] = [
  [
    'missing_expert.json',
    { experts: 4 },
    'placement-expert-missing',
    'Layer 0: logical expert 3 has no replica',
    '[0,1,2,0,1,2]',
  ],
  ['ragged.json', {}, 'placement-ragged', 'Layer 1 has 4 slots where the first row has 6', '[0,1,2,3]'],
  [
    'out_of_range.json',
    { experts: 4 },
    'placement-expert-number',
    'slot 3: 4 is not below the number of experts, 4',
    '4',
  ],
  ['negative.json', {}, 'placement-expert-number', 'slot 3: -1 is negative', '-1'],
  ['float_ids.json', {}, 'placement-expert-number', 'slot 5: 1.5 is no whole number', '1.5'],
  [
    'width_not_divisible.json',
    { experts: 4, gpus: 2 },
    'placement-slots-not-divisible',
    '5 slots cannot be split over 2',
  ],
  ['dup_same_gpu.json', { gpus: 3 }, 'placement-duplicate-on-gpu', 'GPU 0 holds expert 0 more than once'],
  [
    'sglang_per_pass_dump_keys.json',
    {},
    'placement-not-usable',
    'NotImplementedError',
    '"last_physical_to_logical_map"',
  ],
  ['extra_key.json', {}, 'placement-unknown-key', 'TypeError', '"comment"'],
  ['all_zero_counts.json', {}, 'placement-no-load', 'All counts are zero', '"logical_count"'],
  ['wrong_layers.json', { layers: 61 }, 'placement-wrong-layers', '58 rows', '"physical_to_logical_map"'],
  ['trt_layer_keys.yaml', {}, 'placement-layer-missing', 'Between 3 and 5 layer 4 is missing', '5', 2],
  ['trt_num_slots.yaml', {}, 'placement-wrong-slots', 'assigns 5 slots, but num_slots is 4', '[0, 1, 2, 3, 0]', 1],
  ['trt_unknown_key.yaml', {}, 'placement-unknown-key', 'ep_size: TensorRT-LLM forbids', 'ep_size', 3],
  ['vllm_placement_rank.json', { gpus: 2 }, 'placement-rank-number', 'Expert 3: 2 is no rank below', '2'],
];

describeShared('broken placement files', ['corpus/placement/invalid'], (folder) => {
  it('covers every file', () => {
    const files = readdirSync(folder).filter((name) => name !== 'EXPECTED.json');
    expect(BROKEN.map(([name]) => name).sort()).toEqual(files.sort());
  });

  for (const [name, context, rule, words, text, line = 0] of BROKEN) {
    it(name, () => {
      const findings = check(readFileSync(path.join(folder, name), 'utf8'), name, context);
      const found = findings.find((finding) => finding.rule === rule);
      expect(found?.message).toContain(words);
      expect(found?.line).toBe(line);
      if (text !== undefined) expect(found?.text).toBe(text);
    });
  }
});

const CASES = BROKEN.map(([name, context, rule, words, , line = 0]) => ({ name, context, rule, words, line }));

/** What each broken file is told when nothing else is known of it: no model, no GPUs, only its text. */
const ALONE: Readonly<Record<string, readonly [rule: string, words: string]>> = {
  'missing_expert.json': ['placement-expert-missing', 'Layer 0: the highest expert is 2, which makes an odd number'],
  'out_of_range.json': ['placement-expert-missing', 'If the model has 4 experts, 4 is out of range'],
  'width_not_divisible.json': ['placement-slots-not-divisible', '5 slots split evenly over 1, 5'],
  'wrong_layers.json': ['placement-wrong-layers', '58 rows'],
  'vllm_placement_rank.json': ['placement-uneven-devices', 'rank 1: 1, rank 0: 2'],
};

/** A model of as many experts and layers as a broken file is for. */
function modelConfig({ experts = 4, layers = 1 }: PlacementContext): string {
  return JSON.stringify({
    model_type: 'mixtral',
    architectures: ['MixtralForCausalLM'],
    hidden_size: 64,
    intermediate_size: 128,
    num_hidden_layers: layers,
    num_attention_heads: 4,
    num_key_value_heads: 2,
    num_local_experts: experts,
    num_experts_per_tok: 2,
    vocab_size: 100,
  });
}

describeShared('broken placement files in the editor', ['corpus/placement/invalid'], (folder) => {
  const told = (name: string, context?: PlacementContext) => {
    const text = readFileSync(path.join(folder, name), 'utf8');
    const analysis = analyzeText(text, {
      name,
      ...(context?.experts === undefined && context?.layers === undefined
        ? {}
        : { files: { 'config.json': modelConfig(context) } }),
      ...(context?.gpus === undefined ? {} : { settings: { gpus: context.gpus } }),
    });
    expect(analysis.dialect?.id).toBe('placement');
    return diagnostics(analysis);
  };

  it.each(CASES)('$name is told with its model and GPUs', ({ name, context, rule, words, line }) => {
    const found = told(name, context).find(({ code }) => code === rule);
    expect(found?.message).toContain(words);
    expect(found?.range.start.line).toBe(line);
  });

  it.each(CASES)('$name is told by its text alone', ({ name, rule, words, line }) => {
    const [aloneRule, aloneWords] = ALONE[name] ?? [rule, words];
    const found = told(name).find(({ code }) => code === aloneRule);
    expect(found?.message).toContain(aloneWords);
    expect(found?.range.start.line).toBe(line);
  });
});

describeShared('placement files that projects use', ['corpus/placement'], (folder) => {
  const files = readdirSync(folder).filter((name) => /\.(?:json|yaml)$/.test(name));
  it.each(files)('%s has no error', (name) => {
    const findings = check(readFileSync(path.join(folder, name), 'utf8'), name);
    expect(findings.filter(({ severity }) => severity === 'error')).toEqual([]);
    // The Ascend map was written by hierarchical EPLB, whose duplicates on a device Ascend cannot express.
    expect(findings.length > 0).toBe(name === 'vllm_ascend_expert_map_58x32x9.json');
  });

  it('finds the real recordings complete when told what they belong to', () => {
    const real = sharedPath('corpus/placement/sglang_logical_count_2d.real.json') ?? '';
    expect(check(readFileSync(real, 'utf8'), real, { experts: 256, layers: 61 })).toEqual([]);
  });
});

describe('checkPlacementFile', () => {
  it('leaves other files alone', () => {
    expect(check('{"model_type": "deepseek_v3"}', 'config.json')).toEqual([]);
    expect(check('[[1, 2]]', 'loads.json')).toEqual([]);
  });

  it('limits what one wrong number can say', () => {
    const row = `[${new Array(100).fill(-1).join(',')}]`;
    expect(check(`{"physical_to_logical_map": [${row}]}`, 'a.json')).toHaveLength(20);
  });

  it('says which loads cannot be used', () => {
    const found = check('{"logical_count": [[1, 2], [3, -4], [5]]}', 'a.json');
    expect(found.map(({ rule, text }) => [rule, text])).toEqual([
      ['placement-load', '-4'],
      ['placement-ragged', '[5]'],
    ]);
  });

  it('knows the slots that the config counts', () => {
    const found = check('{"physical_to_logical_map": [[0, 1, 2, 3]]}', 'a.json', { experts: 4, slots: 6, gpus: 2 });
    expect(found.map(({ rule }) => rule)).toEqual(['placement-wrong-slots']);
  });
});

describe('placements that are broken in other ways', () => {
  const rows = (...lines: string[]): string => `{"physical_to_logical_map": [\n${lines.join(',\n')}\n]}`;
  const all = (count: number): string => `[${Array.from({ length: count }, (_, id) => id).join(',')}]`;

  it.each([
    [
      'a slip far above all other numbers',
      rows(all(8), '[0,1,2,3,4,5,6,700]'),
      {},
      'slot 7: 700 is out of range; the other experts are 0 to 7',
      2,
    ],
    [
      'a number that the slots of a row cannot reach',
      '{"physical_to_logical_map": [[100000000000, 1, 2, 4, 0, 3]]}',
      {},
      'slot 0: 100000000000 is out of range; the other experts are 0 to 4',
      0,
    ],
    [
      'numbers of which most are out of reach',
      '{"physical_to_logical_map": [[7, 100000000000, 0, 99]]}',
      {},
      'slot 1: 100000000000 is out of range; 4 slots hold experts 0 to 3 at most',
      0,
    ],
    ['more experts than anyone could list', rows(all(8)), { experts: 1e11 }, 'and 99999999987 more have no replica', 1],
    ['many experts without a slot', rows(all(8)), { experts: 10 }, 'so tokens for them', 1],
    ['rows of nothing', rows('[]', '[]'), {}, 'Layer 0 is empty', 1],
    ['fewer slots than ranks', rows(all(8)), { gpus: 32, experts: 256 }, 'the nearest legal number is 256.', 0],
    ['copies on one GPU', rows('[0,0,0,1,2,3]'), { gpus: 2 }, 'GPU 0 holds expert 0 3 times', 1],
    [
      'a table that names its GPUs',
      'layer,slot,gpu,expert\n3,0,0,0\n3,1,0,0\n3,2,1,1\n3,3,1,2\n',
      { experts: 3 },
      'GPU 0 holds expert 0 more than once',
      2,
    ],
    ['a slot with two lines', 'layer,slot,expert\n3,0,0\n3,0,1\n', {}, 'Layer 3 has a second line for slot 0.', 2],
    ['a line that breaks off', 'layer,expert,load\n3,0,5\n3,1\n', {}, 'fewer fields than the header', 2],
    ['a layer that is none', 'layer,expert,load\nx,0,5\n3,0,7\n', {}, 'x is no layer', 1],
    ['a slot that no line has', 'layer,slot,expert\n3,0,0\n3,2,1\n3,3,2\n', {}, 'Layer 3, slot 1 holds no expert.', 2],
  ])('tells of %s', (_, text, context, words, line) => {
    const told = check(text, 'x.json', context).filter(({ message }) => message.includes(words));
    expect(told.map((finding) => finding.line)).toEqual([line]);
  });

  it('counts the slots of each GPU where they start again', () => {
    const text = 'layer,gpu,slot,expert\n0,0,0,0\n0,0,1,1\n0,1,0,1\n0,1,1,0\n';
    expect(check(text, 'x.json', { experts: 2 })).toEqual([]);
  });
});
