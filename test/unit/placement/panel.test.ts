import { describe, expect, it } from 'vitest';
import type { Range, TextDocumentEdit } from 'vscode-languageserver-types';
import type { Analysis } from '../../../server/src/features/analysis';
import { hover } from '../../../server/src/features/hover';
import { readPlacementFile } from '../../../server/src/features/placement/loads';
import { placementEdits } from '../../../server/src/features/placement/text-edit';
import { resolveWriteAction, writePlacementActions } from '../../../server/src/features/placement/write-action';
import { placementView } from '../../../server/src/features/views/placement';
import { decodeColumn } from '../../../server/src/protocol/columns';
import type { PlacementView } from '../../../server/src/protocol/placement';
import { analyzeText, applied, sampleText } from '../features/support';

const LOADS = 'sglang-deepseek-v3.expert-loads.json';
const SAMPLES = { [LOADS]: sampleText(LOADS) };

function lookup(files: Readonly<Record<string, string>>) {
  return (uri: string): string | null => files[uri.replace('file:///ws/', '')] ?? null;
}

function drawn(analysis: Analysis, files: Readonly<Record<string, string>>, params = {}): PlacementView {
  const view = placementView(analysis, { uri: analysis.uri, ...params }, lookup(files));
  if ('empty' in view) throw new Error(view.reason);
  return view;
}

function at(analysis: Analysis, word: string) {
  const position = analysis.lines.positionAt(analysis.text.indexOf(`\n${word}`) + 2);
  return { start: position, end: position };
}

/** The text after every edit of one document. */
function appliedAll(analysis: Analysis, { edits }: TextDocumentEdit): string {
  return [...edits]
    .map((edit) => edit as { range: Range; newText: string })
    .sort((a, b) => analysis.lines.offsetAt(a.range.start) - analysis.lines.offsetAt(b.range.start))
    .reduceRight((text, { range, newText }) => {
      const [start, end] = [analysis.lines.offsetAt(range.start), analysis.lines.offsetAt(range.end)];
      return text.slice(0, start) + newText + text.slice(end);
    }, analysis.text);
}

describe('writing an optimised placement', () => {
  const analysis = analyzeText(sampleText('sglang-deepseek-v3.yaml'), { name: 'serve.yaml', files: SAMPLES });
  const files = lookup(SAMPLES);

  it('is offered on the keys about experts, and nowhere else', () => {
    for (const key of ['ep-size', 'ep-num-redundant-experts', 'init-expert-location'])
      expect(writePlacementActions(analysis, at(analysis, key), files).map(({ title }) => title)).toEqual([
        `Write an optimised expert placement for ${LOADS} beside this file`,
      ]);
    expect(writePlacementActions(analysis, at(analysis, 'page-size'), files)).toEqual([]);
    expect(writePlacementActions(analysis, at(analysis, 'ep-size'), () => null)).toEqual([]);
  });

  it('writes the file and points the config at it', () => {
    const [action] = writePlacementActions(analysis, at(analysis, 'ep-size'), files);
    expect(action?.edit).toBeUndefined();
    const done = resolveWriteAction(analysis, action ?? { title: '' }, files);
    expect(done.title).toMatch(/balance 0\.9\d\d, 0\.\d{3} before/);
    const [create, write, point] = done.edit?.documentChanges ?? [];
    expect(create).toMatchObject({ kind: 'create', uri: 'file:///ws/serve.experts.json' });
    const text = (write as TextDocumentEdit).edits[0] as { newText: string };
    const file = readPlacementFile(text.newText);
    expect(file.kind === 'map' ? [file.physicalToLogical.length, file.physicalToLogical[0]?.length] : file).toEqual([
      61, 288,
    ]);
    const changed = appliedAll(analysis, point as TextDocumentEdit);
    expect(changed).toContain('init-expert-location: ./serve.experts.json');
    expect(changed).toContain(`# shardlens: gpu=H200 loads=./${LOADS}`);
    const after = analyzeText(changed, {
      name: 'serve.yaml',
      files: { ...SAMPLES, 'serve.experts.json': text.newText },
    });
    expect(after.findings.filter(({ rule }) => rule.startsWith('placement-'))).toEqual([]);
    const view = drawn(after, { ...SAMPLES, 'serve.experts.json': text.newText });
    expect([view.policy, view.uniformLoads]).toEqual(['file', false]);
  });
});

describe('writing for TensorRT-LLM', () => {
  it('points load_balancer at a file of its own format', () => {
    const text =
      '# shardlens: model=deepseek-ai/DeepSeek-V3 loads=x.json\nmoe_expert_parallel_size: 32\ntensor_parallel_size: 32\ncuda_graph_config: {}\nmoe_config:\n  backend: CUTLASS\n';
    const files = { 'x.json': sampleText(LOADS) };
    const analysis = analyzeText(text, { name: 'trt.yaml', files });
    const [action] = writePlacementActions(analysis, at(analysis, 'moe_expert_parallel_size'), lookup(files));
    const [, write, point] =
      resolveWriteAction(analysis, action ?? { title: '' }, lookup(files)).edit?.documentChanges ?? [];
    expect(applied(analysis, (point as TextDocumentEdit).edits[0] as { range: never; newText: string })).toBe(
      `${text}  load_balancer: ./trt.experts.yaml\n`,
    );
    const written = ((write as TextDocumentEdit).edits[0] as { newText: string }).newText;
    expect(
      analyzeText(written, { name: 'trt.experts.yaml', settings: { model: 'deepseek-ai/DeepSeek-V3', gpus: 32 } })
        .findings,
    ).toEqual([]);
  });
});

describe('the picture of a placement', () => {
  const twice = (layers: number): string =>
    JSON.stringify({
      physical_to_logical_map: Array.from({ length: layers }, () => Array.from({ length: 288 }, (_, at) => at % 256)),
    });

  it('takes the slots of TensorRT-LLM from the placement that the config names', () => {
    const rows = Array.from(
      { length: 58 },
      (_, at) => `  ${at + 3}: [${Array.from({ length: 288 }, (__, id) => id % 256).join(', ')}]\n`,
    );
    const files = {
      'b.yaml': `num_slots: 288\ninitial_global_assignments:\n${rows.join('')}layer_updates_per_iter: 0\n`,
    };
    const text =
      '# shardlens: model=deepseek-ai/DeepSeek-V3\ntensor_parallel_size: 32\nmoe_expert_parallel_size: 32\nmoe_config:\n  load_balancer: ./b.yaml\n';
    const analysis = analyzeText(text, { name: 'trt.yaml', files });
    const own = drawn(analysis, files);
    expect([own.policy, own.slots, own.notes]).toEqual(['file', 288, []]);
    expect(drawn(analysis, files, { policy: 'eplb' }).slots).toBe(288);
  });

  it('says that a placement does not fit its config', () => {
    const files = { 'm.json': twice(61) };
    const text = sampleText('sglang-deepseek-v3.yaml')
      .replace(LOADS, 'm.json')
      .replace('redundant-experts: 32', 'redundant-experts: 64');
    const view = drawn(analyzeText(text, { name: 'serve.yaml', files }), files);
    expect(view.policy).toBe('eplb');
    expect(view.notes?.[0]).toMatch(/^The placement of the file does not fit 320 slots of 256 experts on 32 GPUs/);
  });

  it('counts a slot in the layers of a rank, not of the whole pipeline', () => {
    const training = drawn(
      analyzeText(sampleText('deepseek-v3-2048xH800.shardlens.yaml'), { name: 'p.shardlens.yaml' }),
      {},
    );
    // DualPipe: a rank holds two stages of four layers; 58 of 61 layers have experts.
    expect([training.layers, training.slotLayers]).toEqual([58, 8]);
    const serving = drawn(
      analyzeText(sampleText('sglang-deepseek-v3.yaml'), { name: 'serve.yaml', files: SAMPLES }),
      SAMPLES,
    );
    expect(serving.slotLayers).toBe(serving.layers);
  });

  it('of a config carries traffic, weights and every framework’s balance', () => {
    const analysis = analyzeText(sampleText('sglang-deepseek-v3.yaml'), { name: 'serve.yaml', files: SAMPLES });
    const view = drawn(analysis, SAMPLES);
    expect(view.loadsName).toBe(LOADS);
    expect(view.dispatch).toBe('static');
    // 3 matrices of 7168 x 2048 in FP8 with a float scale a 128 x 128 block.
    expect(view.expertBytes).toBe(3 * 7168 * 2048 + 3 * 56 * 16 * 4);
    expect(view.evenness?.mean).toBeCloseTo(view.meanOverMax.reduce((a, b) => a + b, 0) / 58, 9);
    expect(view.lp ?? 0).toBeGreaterThanOrEqual((view.evenness?.mean ?? 1) - 1e-6);
    expect(view.traffic?.remoteNodes).toBeGreaterThan(1.5);
    expect(view.traffic?.gpus).toBeLessThanOrEqual(8);
    expect(view.compare).toBeUndefined();
  });

  it('sends nothing over the network where NVLink joins all nodes', () => {
    const text = sampleText('sglang-deepseek-v3.yaml').replace('gpu=H200', 'gpu=GB200');
    const analysis = analyzeText(text, { name: 'serve.yaml', files: SAMPLES });
    const { nodes, traffic } = drawn(analysis, SAMPLES);
    expect([nodes, traffic?.dispatchBytes, traffic?.combineBytes, traffic?.dispatchSeconds]).toEqual([
      4,
      0,
      0,
      undefined,
    ]);
    expect(traffic?.nodes).toBeGreaterThan(2);
  });

  it('compares with EPLB and the optimised ones', () => {
    const analysis = analyzeText(sampleText('sglang-deepseek-v3.yaml'), { name: 'serve.yaml', files: SAMPLES });
    const rows = drawn(analysis, SAMPLES, { compare: true }).compare ?? [];
    expect(rows.map(({ policy }) => policy)).toEqual([
      'eplb',
      'trivial',
      'eplb-global',
      'optimized-anchored',
      'optimized-global',
    ]);
    const row = (policy: string) => rows.find((one) => one.policy === policy);
    expect(row('optimized-anchored')?.evenness?.mean ?? 0).toBeGreaterThan(row('eplb')?.evenness?.mean ?? 1);
    expect(row('eplb-global')?.traffic?.remoteNodes ?? 0).toBeGreaterThan(
      row('optimized-anchored')?.traffic?.remoteNodes ?? 9,
    );
    expect(row('eplb')?.movedSlots).toBeUndefined();
    const moved = row('optimized-anchored');
    expect(moved?.movedBytes).toBe((moved?.movedSlots ?? 0) * (3 * 7168 * 2048 + 3 * 56 * 16 * 4));
    expect(moved?.movedSeconds ?? 0).toBeGreaterThan(0);
  });

  it('takes other sizes for a what-if', () => {
    const analysis = analyzeText(sampleText('sglang-deepseek-v3.yaml'), { name: 'serve.yaml', files: SAMPLES });
    const view = drawn(analysis, SAMPLES, { redundant: 64, gpus: 64, nodes: 8 });
    expect([view.slots, view.gpus, view.nodes]).toEqual([320, 64, 8]);
    const refused = placementView(analysis, { uri: analysis.uri, redundant: 33 }, lookup(SAMPLES));
    expect('empty' in refused ? refused.reason : '').toContain('289 slots cannot be split over 32 GPUs');
  });

  it('of a placement file is drawn from the file alone, with its GPUs as an assumption', () => {
    const text = '{"physical_to_logical_map": [[0,1,2,3,0,1,2,3],[3,2,1,0,3,2,1,0]]}';
    const view = drawn(analyzeText(text, { name: 'map.json' }), {});
    expect(view).toMatchObject({
      policy: 'file',
      experts: 4,
      slots: 8,
      gpus: 4,
      uniformLoads: true,
      mapUri: 'file:///ws/map.json',
    });
    expect(view.notes?.[0]).toContain('4 GPUs are assumed');
    expect([...decodeColumn(view.columns.physicalToLogical)].slice(0, 4)).toEqual([0, 1, 2, 3]);
  });

  it('of a recording is drawn for the policy asked for', () => {
    const view = drawn(
      analyzeText('{"logical_count": [[4,1,1,1],[1,1,1,1]]}', { name: 'loads.json', settings: { gpus: 2 } }),
      {},
      { redundant: 2 },
    );
    expect(view).toMatchObject({ policy: 'eplb', slots: 6, gpus: 2, uniformLoads: false });
  });

  it('says why a named file is of no use', () => {
    const analysis = analyzeText(sampleText('sglang-deepseek-v3.yaml'), { name: 'serve.yaml', files: {} });
    expect(drawn(analysis, {}).notes?.join(' ')).toContain(`${LOADS} is not there`);
  });
});

describe('hover on keys about experts', () => {
  const analysis = analyzeText(sampleText('sglang-deepseek-v3.yaml'), { name: 'serve.yaml', files: SAMPLES });
  const text = (key: string, files: Readonly<Record<string, string>> = SAMPLES): string =>
    (hover(analysis, at(analysis, key).start, lookup(files))?.contents as { value: string } | undefined)?.value ?? '';

  it('tells balance, where tokens go, and what a slot costs', () => {
    for (const key of ['ep-num-redundant-experts', 'ep-size'])
      expect(text(key)).toMatch(/Balance on \S+: 0\.\d{3} mean\/max \(eplb\), 0\.9\d\d optimised/);
    expect(text('ep-size')).toMatch(/A token reaches \d\.\d of 32 GPUs and \d\.\d of 4 nodes/);
    // 58 x (3 x 7168 x 2048 + scales) bytes.
    expect(text('ep-num-redundant-experts')).toContain('One more expert slot a rank: 2.4 GiB in 58 MoE layers');
    expect(text('enable-eplb')).toContain('Balance on');
  });

  it('says how to name a recording where there is none', () => {
    expect(text('ep-size', {})).toContain('shardlens: loads=');
  });

  it('says nothing of it elsewhere', () => {
    expect(text('page-size')).not.toContain('Balance');
  });
});

describe('changes of slots', () => {
  it('are edits of single numbers in the text', () => {
    const text = '{"physical_to_logical_map": [\n[0,1,2,3],\n[3,2,1,0]]}';
    const analysis = analyzeText(text, { name: 'map.json' });
    const changes = [
      { row: 1, slot: 0, expert: 0 },
      { row: 1, slot: 3, expert: 3 },
    ];
    const { uri, edits } = placementEdits(analysis, { uri: analysis.uri, changes }, () => null);
    expect(uri).toBe(analysis.uri);
    const after = [...edits].reverse().reduce((now, { range, newText }) => {
      const start = analysis.lines.offsetAt(range.start);
      return now.slice(0, start) + newText + now.slice(analysis.lines.offsetAt(range.end));
    }, text);
    expect(after).toBe('{"physical_to_logical_map": [\n[0,1,2,3],\n[0,2,1,3]]}');
    expect(
      placementEdits(analysis, { uri: analysis.uri, changes: [{ row: 5, slot: 0, expert: 0 }] }, () => null).edits,
    ).toEqual([]);
  });

  it('find their slot in maps by layer and by device', () => {
    const yaml = analyzeText('num_slots: 2\ninitial_global_assignments:\n  4: [0, 1]\n  3: [1, 0]\n', {
      name: 'e.yaml',
    });
    const first = placementEdits(yaml, { uri: yaml.uri, changes: [{ row: 0, slot: 0, expert: 0 }] }, () => null);
    expect(first.edits[0]?.range.start).toEqual({ line: 3, character: 6 });
    const ascend = analyzeText(
      '{"moe_layer_count": 1, "layer_list": [{"device_count": 2, "device_list": [\n{"device_expert": [0]},\n{"device_expert": [1]}]}]}',
      { name: 'a.json' },
    );
    const second = placementEdits(ascend, { uri: ascend.uri, changes: [{ row: 0, slot: 1, expert: 0 }] }, () => null);
    expect(second.edits[0]?.range.start.line).toBe(2);
  });
});
