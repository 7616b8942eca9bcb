import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import type { PlacementJson } from '../../../server/src/features/placement/export';
import { readPlacementFile } from '../../../server/src/features/placement/loads';
import { dict, tensor, torchFile } from '../placement/torch-bytes';
import { folderWith, json, shardlens } from './run';

const SERVE = 'sglang-deepseek-v3.yaml';
/** The example of EPLB's own README: two layers of twelve experts. */
const README = [
  [90, 132, 40, 61, 104, 165, 39, 4, 73, 56, 183, 86],
  [20, 107, 104, 64, 19, 197, 187, 157, 172, 86, 16, 27],
];

function safetensors(counts: Readonly<Record<string, readonly number[]>>): Uint8Array {
  let offset = 0;
  const header: Record<string, object> = {};
  for (const [key, values] of Object.entries(counts)) {
    header[key] = { dtype: 'I32', shape: [values.length], data_offsets: [offset, offset + 4 * values.length] };
    offset += 4 * values.length;
  }
  const head = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(head.length));
  const data = Buffer.alloc(offset);
  Object.values(counts)
    .flat()
    .forEach((value, at) => data.writeInt32LE(value, at * 4));
  return Buffer.concat([length, head, data]);
}

describe('shardlens place', () => {
  it('says when groups do not divide over the nodes, and places globally', async () => {
    const folder = folderWith({ 'loads.json': JSON.stringify(README) });
    try {
      const args = [
        'place',
        '--loads',
        'loads.json',
        '--replicas',
        '15',
        '--groups',
        '4',
        '--gpus',
        '3',
        '--nodes',
        '3',
      ];
      const note = '4 expert groups do not divide over 3 nodes, so eplb places globally and ignores them.';
      expect((await shardlens(args, folder.path)).out).toContain(note);
      const asJson = await shardlens([...args, '--format', 'json'], folder.path);
      expect(asJson.err).toBe(`shardlens place: ${note}\n`);
      expect(JSON.parse(asJson.out)).toHaveProperty('physicalToLogical');
    } finally {
      folder.dispose();
    }
  });

  it('judges a placement on a second recording', async () => {
    const folder = folderWith({
      'today.json': JSON.stringify({
        logical_count: [
          [0, 0, 0, 0],
          [8, 1, 1, 1],
        ],
      }),
      'tomorrow.json': JSON.stringify({
        logical_count: [
          [0, 0, 0, 0],
          [1, 8, 1, 1],
        ],
      }),
      'short.json': JSON.stringify([[1, 2]]),
    });
    try {
      const args = ['place', '--loads', 'today.json', '--gpus', '2', '--replicas', '6', '--judge'];
      const { out } = await shardlens([...args, 'tomorrow.json'], folder.path);
      expect(out).toMatch(/On +tomorrow\.json/);
      expect(out).toMatch(/imbalance 0\.\d{3} by TensorRT-LLM/);
      expect(out).toMatch(/random copies, 0?1?\.\d{3} static \(SGLang\)/);
      const answer = await json<PlacementJson>([...args, 'tomorrow.json'], folder.path);
      expect(answer.judged?.meanOverMax[1] ?? 1).toBeLessThan(answer.balance.meanOverMax[1] ?? 0);
      const { code, err } = await shardlens([...args, 'short.json'], folder.path);
      expect(code).toBe(2);
      expect(err).toContain('1 layers of 2 experts, not 2 of 4');
    } finally {
      folder.dispose();
    }
  });

  it('judges a placement file on a recording of torch, and writes it for another framework', async () => {
    const dump = torchFile(dict({ logical_count: tensor('IntStorage', '0', [2, 4]) }), {
      '0': Int32Array.of(4, 2, 1, 1, 1, 1, 1, 1),
    });
    const folder = folderWith({
      'dump.pt': dump,
      'map.yaml':
        '# shardlens: loads=dump.pt gpus=2\nnum_slots: 6\ninitial_global_assignments:\n  3: [0, 1, 2, 0, 3, 1]\n  4: [0, 1, 2, 3, 0, 1]\n',
    });
    try {
      const { out } = await shardlens(['place', 'map.yaml'], folder.path);
      expect(out).toContain('4 + 2 redundant = 6 slots, 3 a GPU');
      // Layer 3: GPU 0 has 2 + 1 + 1, GPU 1 has 2 + 1 + 1.
      expect(out).toMatch(/ 3 +1\.000/);
      const csv = await shardlens(['place', 'map.yaml', '--format', 'csv'], folder.path);
      expect(csv.out.split('\n').slice(0, 3)).toEqual(['layer,gpu,slot,expert', '3,0,0,0', '3,0,1,1']);
    } finally {
      folder.dispose();
    }
  });

  it('places as EPLB does, from loads alone', async () => {
    const folder = folderWith({ 'loads.json': JSON.stringify(README) });
    try {
      const args = [
        'place',
        '--loads',
        'loads.json',
        '--replicas',
        '16',
        '--groups',
        '4',
        '--nodes',
        '2',
        '--gpus',
        '8',
      ];
      const answer = await json<PlacementJson>(args, folder.path);
      // As printed in the README of deepseek-ai/EPLB.
      expect(answer.physicalToLogical).toEqual([
        [5, 6, 5, 7, 8, 4, 3, 4, 10, 9, 10, 2, 0, 1, 11, 1],
        [7, 10, 6, 8, 6, 11, 8, 9, 2, 4, 5, 1, 5, 0, 3, 1],
      ]);
      expect(answer.logicalToPhysical[0]?.[5]).toEqual([0, 2]);
      expect(answer.gpuLoads[0]?.reduce((a, b) => a + b, 0)).toBeCloseTo(README[0]?.reduce((a, b) => a + b, 0) ?? 0, 6);
      for (const [layer, even] of answer.balance.meanOverMax.entries())
        expect(even).toBeLessThanOrEqual((answer.balance.lowerBound[layer] ?? 0) + 1e-9);
    } finally {
      folder.dispose();
    }
  });

  it('takes shape and loads from the file, and options before it', async () => {
    const own = await json<PlacementJson>(['place', SERVE]);
    expect(own).toMatchObject({ policy: 'eplb', layers: 58 });
    expect(own.physicalToLogical[0]).toHaveLength(288);
    const more = await json<PlacementJson>(['place', SERVE, '--replicas', '320', '--policy', 'eplb-global']);
    expect(more.policy).toBe('eplb-global');
    expect(more.physicalToLogical[0]).toHaveLength(320);
  });

  it('writes what SGLang, TensorRT-LLM and vLLM plugins read', async () => {
    const { physicalToLogical } = await json<PlacementJson>(['place', SERVE]);
    const sglang = readPlacementFile((await shardlens(['place', SERVE, '--format', 'sglang'])).out);
    if (sglang.kind !== 'map') throw new Error('the SGLang file is no map');
    // SGLang indexes by model layer, dense ones included.
    expect(sglang.physicalToLogical).toHaveLength(61);
    expect([...(sglang.physicalToLogical[3] ?? [])]).toEqual(physicalToLogical[0]);
    const trt = parse((await shardlens(['place', SERVE, '--format', 'trtllm'])).out) as {
      initial_global_assignments: Record<string, number[]>;
      num_slots: number;
      layer_updates_per_iter: number;
    };
    expect(Object.keys(trt.initial_global_assignments)).toEqual(Array.from({ length: 58 }, (_, at) => String(at + 3)));
    expect(trt.initial_global_assignments['60']).toEqual(physicalToLogical[57]);
    expect(trt).toMatchObject({ num_slots: 288, layer_updates_per_iter: 0 });
    const vllm = JSON.parse((await shardlens(['place', SERVE, '--format', 'vllm'])).out) as Record<string, unknown>;
    expect(vllm).toEqual({
      version: 1,
      format: 'vllm_offline_eplb_physical_to_logical',
      physical_to_logical_map: physicalToLogical,
    });
  });

  it('adds up a TensorRT-LLM statistics folder over ranks and iterations', async () => {
    const rank0 = safetensors({
      '10_3': [1, 2, 3, 4],
      '11_3': [1, 1, 1, 1],
      '10_4': [9, 0, 0, 1],
      '11_4': [0, 0, 0, 0],
      '10_3_raw': [7],
    });
    const rank1 = safetensors({ '10_3': [10, 20, 30, 40] });
    const folder = folderWith({
      'stat/meta_info.json': '{"num_experts":4}',
      'stat/rank0.safetensors': rank0,
      'stat/rank1.safetensors': rank1,
    });
    try {
      const answer = await json<PlacementJson>(['place', '--loads', 'stat', '--gpus', '2'], folder.path);
      expect(answer.gpuLoads.map((row) => row.reduce((a, b) => a + b, 0))).toEqual([114, 10]);
      const { out } = await shardlens(['place', '--loads', 'stat', '--gpus', '2', '--format', 'trtllm'], folder.path);
      expect(Object.keys((parse(out) as { initial_global_assignments: object }).initial_global_assignments)).toEqual([
        '3',
        '4',
      ]);
    } finally {
      folder.dispose();
    }
  });

  it.each([
    ['text.json', 'hello', /neither JSON nor a table/],
    ['ragged.json', '[[1,2],[1]]', /layer 1 has 1 experts where layer 0 has 2/],
    ['negative.json', '[[1,-2]]', /negative or not a number/],
    ['dump.json', '{"records":[]}', /neither a logical_count nor a physical_to_logical_map/],
    ['stat/meta_info.json', '{"num_experts":4}', /the folder has no rank/],
    ['torn/rank0.safetensors', 'xx', /meta_info.json/],
  ])('tells in one sentence why %s is of no use', async (name, text, message) => {
    const folder = folderWith({ [name]: text });
    try {
      const [file = ''] = name.split('/');
      const { code, out, err } = await shardlens(['place', '--loads', file, '--gpus', '2'], folder.path);
      expect({ code, out }).toEqual({ code: 2, out: '' });
      expect(err).toMatch(message);
      expect(err.trimEnd().split('\n')).toHaveLength(1);
    } finally {
      folder.dispose();
    }
  });

  it('says what to give instead of a placement, and what is missing beside loads', async () => {
    const folder = folderWith({
      'map.json': '{"physical_to_logical_map": [[0,1,2,3]]}',
      'loads.json': '[[1,2,3,4],[0,0,0,0]]',
      'serve.yaml':
        '# shardlens: model=deepseek-ai/DeepSeek-V3\nmodel-path: x\ntp-size: 8\nep-size: 8\ninit-expert-location: ./none.json\n',
    });
    try {
      const said = async (...args: string[]) => (await shardlens(['place', ...args], folder.path)).err;
      expect(await said('--loads', 'map.json', '--gpus', '2')).toContain('"shardlens place FILE"');
      expect(await said('--loads', 'loads.json')).toContain('--gpus is missing');
      expect(await said('serve.yaml')).toContain('--loads reads files of up to 64 MB');
      const { out } = await shardlens(['place', '--loads', 'loads.json', '--gpus', '2'], folder.path);
      expect(out).toContain('1 layer without any load counts as even.');
      expect(out).toContain('1 node, 1 expert group\n');
    } finally {
      folder.dispose();
    }
  });

  it('takes a recording that is too large for a config as loads', async () => {
    const rows = Array.from({ length: 58 }, (_, layer) =>
      Array.from({ length: 256 }, (__, id) => 100_000_000 + id + layer),
    );
    const folder = folderWith({
      'stat.json': JSON.stringify({ logical_count: Array.from({ length: 16 }, () => rows) }),
    });
    try {
      const { code, out } = await shardlens(['place', 'stat.json', '--gpus', '32', '--replicas', '288'], folder.path);
      expect([code, /Mean\/max +\d\.\d{3} over 58 layers/.test(out)]).toEqual([0, true]);
      const checked = await shardlens(['check', 'stat.json'], folder.path);
      expect(checked.out).toMatch(/not recognised, nothing to check: The file has \d+ characters/);
    } finally {
      folder.dispose();
    }
  });

  it('says what is wrong with a file of tensors', async () => {
    const whole = safetensors({ '10_3': [1, 2, 3, 4] });
    const folder = folderWith({
      'cut.safetensors': whole.slice(0, -4),
      'header.safetensors': whole.slice(0, 12),
      'empty.pt': '',
    });
    try {
      const said = async (file: string) => (await shardlens(['place', file, '--gpus', '2'], folder.path)).err;
      expect(await said('cut.safetensors')).toContain('the tensor 10_3 of a safetensors file ends after the file');
      expect(await said('header.safetensors')).toContain('the header of a safetensors file is broken or longer');
      expect(await said('empty.pt')).toContain('the file is empty');
    } finally {
      folder.dispose();
    }
  });

  it('tells what EPLB would refuse, with exit code 1', async () => {
    const { code, out, err } = await shardlens(['place', SERVE, '--replicas', '290']);
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err).toMatch(/290 slots cannot be split over 32 GPUs; the nearest legal numbers are 288 and 320/);
  });

  it('prints a row a layer for people', async () => {
    const { out } = await shardlens(['place', SERVE]);
    expect(out.split('\n').filter((line) => /^\s+\d+ +[01]\.\d{3}/.test(line))).toHaveLength(58);
    expect(out).not.toMatch(/NaN|undefined|Infinity/);
  });
});
