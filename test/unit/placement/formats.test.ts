import { describe, expect, it } from 'vitest';
import { codeLenses } from '../../../server/src/features/code-lens';
import { diagnostics } from '../../../server/src/features/diagnostics';
import { planView } from '../../../server/src/features/views/plan';
import { analyzeText } from '../features/support';

/** Rule, line (from 0) and text of every diagnostic. */
function told(text: string, name: string, gpus?: number) {
  const analysis = analyzeText(text, { name, ...(gpus === undefined ? {} : { settings: { gpus } }) });
  return diagnostics(analysis).map(({ code, severity, range, message }) => ({
    code,
    severity,
    line: range.start.line,
    text: text.slice(analysis.lines.offsetAt(range.start), analysis.lines.offsetAt(range.end)),
    message,
  }));
}

const TRT = 'num_slots: 4\nlayer_updates_per_iter: 0\ninitial_global_assignments:\n';

interface Case {
  readonly title: string;
  readonly name: string;
  readonly text: string;
  readonly rule: string;
  readonly line: number;
  readonly at: string;
  readonly gpus?: number;
}

const CASES: readonly Case[] = [
  {
    title: 'a layer key that is no number',
    name: 'eplb.yaml',
    text: `${TRT}  layer_3: [0, 1, 2, 3]\n`,
    rule: 'placement-wrong-layers',
    line: 3,
    at: 'layer_3',
  },
  {
    title: 'num_slots left out',
    name: 'eplb.yaml',
    text: 'layer_updates_per_iter: 0\ninitial_global_assignments:\n  3: [0, 1, 2, 3]\n',
    rule: 'placement-wrong-slots',
    line: 1,
    at: 'initial_global_assignments',
  },
  {
    title: 'num_slots that is no number',
    name: 'eplb.yaml',
    text: 'num_slots: many\ninitial_global_assignments:\n  3: [0, 1, 2, 3]\n',
    rule: 'placement-wrong-slots',
    line: 0,
    at: 'many',
  },
  {
    title: 'num_slots that the ranks do not divide',
    name: 'eplb.yaml',
    text: 'num_slots: 6\nlayer_updates_per_iter: 2\n',
    rule: 'placement-slots-not-divisible',
    line: 0,
    at: '6',
    gpus: 4,
  },
  {
    title: 'an expert of a later layer without a slot',
    name: 'eplb.yaml',
    text: `${TRT}  3: [0, 1, 2, 3]\n  4: [0, 1, 1, 3]\n`,
    rule: 'placement-expert-missing',
    line: 4,
    at: '[0, 1, 1, 3]',
  },
  {
    title: 'devices of different sizes in an Ascend map',
    name: 'map.json',
    text: '{"moe_layer_count": 1, "layer_list": [\n{"layer_id": 0, "device_count": 2, "device_list": [\n{"device_id": 0, "device_expert": [0, 1]},\n{"device_id": 1, "device_expert": [2, 3, 0]}]}]}',
    rule: 'placement-uneven-devices',
    line: 1,
    at: '{"layer_id": 0, "device_count": 2, "device_list": [\n{"device_id": 0, "device_expert": [0, 1]},\n{"device_id": 1, "device_expert": [2, 3, 0]}]}',
  },
  {
    title: 'a wrong device count in an Ascend map',
    name: 'map.json',
    text: '{"moe_layer_count": 1, "layer_list": [{"layer_id": 0,\n"device_count": 3, "device_list": [{"device_expert": [0, 1]}, {"device_expert": [2, 3]}]}]}',
    rule: 'placement-uneven-devices',
    line: 1,
    at: '3',
  },
  {
    title: 'fewer layers than an Ascend map says',
    name: 'map.json',
    text: '{"moe_layer_count": 2,\n"layer_list": [{"layer_id": 0, "device_count": 1, "device_list": [{"device_expert": [0, 1]}]}]}',
    rule: 'placement-wrong-layers',
    line: 0,
    at: '2',
  },
  {
    title: 'a misspelled key of SGLang',
    name: 'map.json',
    text: '{"physical_to_logical": [[0, 1, 2, 3]]}',
    rule: 'placement-not-usable',
    line: 0,
    at: '"physical_to_logical"',
  },
  {
    title: 'counts beside a map',
    name: 'map.json',
    text: '{"physical_to_logical_map": [[0, 1]],\n "logical_count": [[1, 1]]}',
    rule: 'placement-unknown-key',
    line: 1,
    at: '"logical_count"',
  },
  {
    title: 'a map without rows',
    name: 'map.json',
    text: '{"physical_to_logical_map": [0, 1, 2, 3]}',
    rule: 'placement-not-a-list',
    line: 0,
    at: '0',
  },
  {
    title: 'the second copy on a GPU',
    name: 'map.json',
    text: '{"physical_to_logical_map": [\n[0, 1, 2, 3],\n[0, 0, 1, 3]]}',
    rule: 'placement-duplicate-on-gpu',
    line: 2,
    at: '0',
    gpus: 2,
  },
  {
    title: 'a slot of a table without an expert number',
    name: 'slots.csv',
    text: 'layer,slot,expert\n0,0,0\n0,1,-1\n0,2,1\n0,3,0\n',
    rule: 'placement-expert-number',
    line: 2,
    at: '-1',
  },
  {
    title: 'a load of a table that is none',
    name: 'loads.csv',
    text: 'layer,expert,load\n3,0,10\n3,1,nan\n',
    rule: 'placement-load',
    line: 2,
    at: 'nan',
  },
];

describe('placement files', () => {
  it.each(CASES)('$title', ({ name, text, rule, line, at, gpus }) => {
    const found = told(text, name, gpus).find(({ code }) => code === rule);
    expect(found).toMatchObject({ code: rule, line, text: at });
  });

  it('knows a file by its key, whatever stands behind it', () => {
    expect(told('{"physical_to_logical_map": null}', 'map.json').map(({ code }) => code)).toEqual([
      'placement-not-a-list',
    ]);
    expect(told('num_slots: "4"\ninitial_global_assignments: null\n', 'eplb.yaml')).toEqual([]);
    expect(
      told('{"moe_layer_count": 1, "layer_list": [{"device_list": [{"device_id": 0}]}]}', 'map.json').map(
        ({ code }) => code,
      ),
    ).toContain('placement-not-a-list');
  });

  it('reads a table of a whole model, with a comment before it', () => {
    const lines = Array.from({ length: 58 * 288 }, (_, at) => `${3 + Math.floor(at / 288)},${at % 288},${at % 256}`);
    const text = `# shardlens: gpus=32\nlayer,slot,expert\n${lines.join('\n')}\n`;
    expect(told(text, 'slots.csv')).toEqual([]);
    const wrong = text.replace('\n60,287,', '\n60,287,9');
    expect(told(wrong, 'slots.csv').map(({ code, line }) => [code, line])).toEqual([
      ['placement-expert-number', 58 * 288 + 1],
    ]);
  });

  it('tells a hole in a recording', () => {
    const rows = Array.from({ length: 20 }, (_, layer) => (layer < 2 || layer === 11 ? '[0,0]' : '[1,2]'));
    const found = told(`{"logical_count": [\n${rows.join(',\n')}]}`, 'loads.json');
    expect(found.map(({ code, line, severity }) => [code, line, severity])).toEqual([['placement-no-load', 12, 3]]);
  });

  it.each([
    ['eplb.yaml', `${TRT}  1: [0, 1, 2, 3]\n  3: [0, 1, 2, 3]\n  5: [3, 2, 1, 0]\n`],
    ['eplb.yaml', 'num_slots: 288\n'],
    ['map.json', '{"physical_to_logical_map": [[0, 1, 2, 3, 0, 1], [3, 2, 1, 0, 3, 2]]}'],
    ['loads.json', '{"logical_count": [[0, 0], [1, 5]]}'],
    ['slots.csv', 'Layer,Node,GPU,Slot,Expert\n0,0,0,0,1\n0,0,1,1,0\n'],
    ['ranks.json', '{"expert_to_ep_rank": [0, 1, 1, 0]}'],
  ])('says nothing of a sound %s', (name, text) => {
    expect(told(text, name)).toEqual([]);
  });

  it.each([
    ['map.json', '{"physical_to_logical_map": [[0, 1, 2, 3], [3, 2, 1, 0]]}', 'Expert placement: 2 layers × 4 slots'],
    ['loads.json', '{"logical_count": [[1, 2]]}', 'Expert loads: place experts by them'],
    ['eplb.yaml', 'num_slots: 288\nlayer_updates_per_iter: 2\n', 'Expert placement: an even start'],
  ])('opens the panel from a lens above %s', (name, text, title) => {
    expect(codeLenses(analyzeText(text, { name })).map(({ command }) => [command?.title, command?.command])).toEqual([
      [title, 'shardlens.openPlacement'],
    ]);
    expect(planView(analyzeText(text, { name }))).toMatchObject({ summary: title, dialect: 'placement' });
  });

  it.each([
    ['map.json', '{"physical_to_logical_map": [[0, 1]], "comment": "x"}', '{"physical_to_logical_map": [[0, 1]]}'],
    ['map.json', '{"physical_to_logical": [[0, 1]]}', '{"physical_to_logical_map": [[0, 1]]}'],
    ['loads.json', '{"logical_counts": [[5, 1]]}', '{"logical_count": [[5, 1]]}'],
    [
      'eplb.yaml',
      'num_slots: 2\ninitial_global_assignments:\n  3: [0, 1, 2, 3]\n',
      'num_slots: 4\ninitial_global_assignments:\n  3: [0, 1, 2, 3]\n',
    ],
    ['eplb.yaml', `${TRT}  3: [0, 1, 2, 3]\nep_size: 2\n`, `${TRT}  3: [0, 1, 2, 3]\n`],
  ])('mends %s %s', (name, text, after) => {
    const analysis = analyzeText(text, { name });
    const [first] = analysis.findings.flatMap(({ fixes = [] }) => fixes);
    const mended = [...(first?.edits ?? [])]
      .reverse()
      .reduce((now, { at, newText }) => now.slice(0, at.span.start) + newText + now.slice(at.span.end), text);
    expect(mended).toBe(after);
    expect(told(mended, name).filter(({ severity }) => severity === 1)).toEqual([]);
  });

  it('knows which layers of a model have experts', () => {
    const text = '# shardlens: model=deepseek-ai/DeepSeek-V3\nnum_slots: 256\ninitial_global_assignments:\n';
    const row = Array.from({ length: 256 }, (_, expert) => expert).join(', ');
    const rows = (first: number) => Array.from({ length: 58 }, (_, layer) => `  ${first + layer}: [${row}]\n`).join('');
    expect(told(text + rows(3), 'eplb.yaml')).toEqual([]);
    const shifted = told(text + rows(0), 'eplb.yaml');
    expect(shifted.map(({ code, line }) => [code, line])).toEqual([
      ['placement-layer-missing', 2],
      ['placement-wrong-layers', 3],
      ['placement-wrong-layers', 4],
      ['placement-wrong-layers', 5],
    ]);
  });

  it.each([
    ['package.json', '{"layer_list": ["a"], "name": "b"}'],
    ['data.csv', 'name,count\na,1\n'],
    ['values.yaml', 'records: []\nformat: x\n'],
    ['values.yaml', 'num_slots: 4\nname: cache\n'],
  ])('leaves %s alone', (name, text) => {
    expect(analyzeText(text, { name }).dialect?.id).not.toBe('placement');
  });
});
