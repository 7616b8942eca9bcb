import { describe, expect, it } from 'vitest';
import { diagnostics } from '../../../server/src/features/diagnostics';
import { documentLinks } from '../../../server/src/features/links';
import { bytesToText } from '../../../server/src/protocol/bytes';
import { analyzeText } from '../features/support';
import { dict, joined, tensor, text, torchFile } from './torch-bytes';

const MODEL = JSON.stringify({
  model_type: 'mixtral',
  architectures: ['MixtralForCausalLM'],
  hidden_size: 64,
  intermediate_size: 128,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  num_local_experts: 4,
  num_experts_per_tok: 2,
  vocab_size: 100,
});

function told(config: string, files: Readonly<Record<string, string>>, name = 'sglang.yaml') {
  const analysis = analyzeText(config, { name, files: { 'config.json': MODEL, ...files } });
  return {
    analysis,
    found: diagnostics(analysis)
      .filter(({ code }) => String(code).startsWith('placement-'))
      .map(({ code, range, message, relatedInformation = [] }) => ({
        code,
        line: range.start.line,
        message,
        related: relatedInformation.map(({ location }) => [
          location.uri.split('/').at(-1),
          location.range.start.line,
          location.range.start.character,
        ]),
      })),
  };
}

const SGLANG =
  'model-path: ./m\ntp-size: 2\nep-size: 2\nep-num-redundant-experts: 2\ninit-expert-location: ./map.json\nmem-fraction-static: 0.8\n';

describe('a placement that a config names', () => {
  it('is linked and says nothing where it fits', () => {
    const { analysis, found } = told(SGLANG, {
      'map.json': '{"physical_to_logical_map": [[0,1,2,3,0,1],[3,2,1,0,3,2]]}',
    });
    expect(analysis.dialect?.id).toBe('sglang');
    expect(found).toEqual([]);
    expect(documentLinks(analysis, () => true).map(({ target }) => target)).toContain('file:///ws/map.json');
  });

  it('is checked against slots and ranks, with both lines', () => {
    const { found } = told(SGLANG, { 'map.json': '{"physical_to_logical_map": [\n[0,1,2,3],\n[3,2,1,0]]}' });
    expect(found).toEqual([
      {
        code: 'placement-wrong-slots',
        line: 4,
        message: expect.stringContaining('./map.json, line 1: Rows have 4 slots, but the config has 6') as string,
        related: [
          ['map.json', 0, 1],
          ['sglang.yaml', 3, 26],
          ['config.json', 0, 0],
        ],
      },
    ]);
    const ranks = told(SGLANG, { 'map.json': '{"physical_to_logical_map": [\n[0,1,2,3,0],\n[3,2,1,0,1]]}' }).found;
    expect(ranks).toMatchObject([
      {
        code: 'placement-slots-not-divisible',
        related: [
          ['map.json', 0, 1],
          ['sglang.yaml', 2, 9],
        ],
      },
    ]);
  });

  it('tells the line of a fault in it', () => {
    const { found } = told(SGLANG, { 'map.json': '{"physical_to_logical_map": [\n[0,1,2,3,0,1],\n[0,1,2,9,0,1]]}' });
    expect(found).toMatchObject([
      {
        code: 'placement-expert-number',
        line: 4,
        related: [
          ['map.json', 2, 7],
          ['config.json', 0, 0],
        ],
      },
    ]);
    expect(found[0]?.message).toContain('line 3');
  });

  it('is refused when it asks to run code', () => {
    const evil = bytesToText(torchFile(dict({ logical_count: joined('cos\nsystem\n(', text('x'), 'tR') })));
    const { found } = told(SGLANG.replace('map.json', 'dump.pt'), { 'dump.pt': evil });
    expect(found).toMatchObject([{ code: 'placement-not-usable', line: 4 }]);
    expect(found[0]?.message).toContain('os.system');
  });

  it('may be a recording of the right size', () => {
    const dump = (experts: number): string =>
      bytesToText(
        torchFile(dict({ logical_count: tensor('IntStorage', '0', [1, 2, experts]) }), {
          '0': new Int32Array(2 * experts).fill(1),
        }),
      );
    const config = SGLANG.replace('map.json', 'dump.pt');
    expect(told(config, { 'dump.pt': dump(4) }).found).toEqual([]);
    expect(told(config, { 'dump.pt': dump(8) }).found).toMatchObject([{ code: 'placement-expert-number' }]);
  });

  it.each([
    'additional-config: \'{"expert_map_path": "./map.json"}\'',
    'additional-config:\n  eplb_config:\n    expert_map_path: ./map.json',
  ])('of vLLM Ascend is found in its part of the config: %s', (option) => {
    const map = (experts: string): string =>
      `{"moe_layer_count": 1, "layer_list": [{"layer_id": 0, "device_count": 2, "device_list": [{"device_expert": [0, 1]}, {"device_expert": [${experts}]}]}]}`;
    const config = `model: ./m\ntensor-parallel-size: 2\nenable-expert-parallel: true\nmax-model-len: 4096\n${option}\n`;
    const sound = told(config, { 'map.json': map('2, 3') }, 'vllm.yaml');
    expect(sound.analysis.dialect?.id).toBe('vllm');
    expect(sound.found).toEqual([]);
    expect(sound.analysis.references.map(({ kind, uri }) => [kind, uri])).toContainEqual([
      'placement',
      'file:///ws/map.json',
    ]);
    expect(told(config, { 'map.json': map('2, 2') }, 'vllm.yaml').found.map(({ code }) => code)).toContain(
      'placement-expert-missing',
    );
  });

  it('of TensorRT-LLM counts its own slots', () => {
    const config =
      'moe_expert_parallel_size: 2\ntensor_parallel_size: 2\nmoe_config:\n  backend: WIDEEP\n  load_balancer: ./eplb.yaml\ncuda_graph_config: {}\n';
    const rows = '  0: [0, 1, 2, 3, 0, 1]\n  1: [0, 1, 2, 3, 0, 1]\n';
    const { found, analysis } = told(
      config,
      { 'eplb.yaml': `num_slots: 6\ninitial_global_assignments:\n${rows}` },
      'trt.yaml',
    );
    expect(analysis.dialect?.id).toBe('tensorrt-llm');
    expect(found).toEqual([]);
    const wrong = told(config, { 'eplb.yaml': `num_slots: 5\ninitial_global_assignments:\n${rows}` }, 'trt.yaml').found;
    expect(wrong.map(({ code, line }) => [code, line])).toEqual([
      ['placement-slots-not-divisible', 4],
      ['placement-wrong-slots', 4],
      ['placement-wrong-slots', 4],
    ]);
  });
});

describe('what a balancer does without a word', () => {
  const remarks = (text: string): (string | number)[][] =>
    analyzeText(text, { name: 'sglang.yaml' })
      .findings.filter(({ rule }) => /^experts?-(?:groups-left|not-balanced)/.test(rule))
      .map(({ rule, at }) => [rule, text.slice(at?.span.start, at?.span.end)]);
  const config = (ranks: number, nodes: number, redundant: number): string =>
    `model-path: deepseek-ai/DeepSeek-V3\ntp-size: ${ranks}\nep-size: ${ranks}\nmoe-a2a-backend: deepep\nnnodes: ${nodes}\nep-num-redundant-experts: ${redundant}\nenable-eplb: true\n`;

  it('is told on the sizes that the file states', () => {
    expect(remarks(config(24, 3, 8))).toEqual([['expert-groups-left-aside', '3']]);
    expect(remarks(config(320, 40, 64))).toEqual([
      ['expert-groups-left-aside', '40'],
      ['experts-not-balanced', '64'],
    ]);
  });

  it('is not told where groups divide or nothing is balanced', () => {
    expect(remarks(config(32, 4, 32))).toEqual([]);
    expect(remarks(config(24, 3, 8).replace('enable-eplb: true\n', '').replace('experts: 8', 'experts: 0'))).toEqual(
      [],
    );
  });
});
