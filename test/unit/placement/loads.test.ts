import { describe, expect, it } from 'vitest';
import { readPlacementFile } from '../../../server/src/features/placement/loads';

function read(data: unknown) {
  return readPlacementFile(JSON.stringify(data));
}

describe('readPlacementFile', () => {
  it('keeps the steps of a recording apart beside their sum', () => {
    const file = read({
      logical_count: [
        [
          [1, 2],
          [3, 4],
        ],
        [
          [10, 0],
          [0, 10],
        ],
      ],
    });
    if (file.kind !== 'loads') throw new Error(file.kind);
    expect(file.loads.map((row) => [...row])).toEqual([
      [11, 2],
      [3, 14],
    ]);
    expect(file.steps?.map((step) => step.map((row) => [...row]))).toEqual([
      [
        [1, 2],
        [3, 4],
      ],
      [
        [10, 0],
        [0, 10],
      ],
    ]);
  });

  it('looks for the map first, as SGLang does', () => {
    expect(read({ physical_to_logical_map: [[0, 1]], logical_count: [[1, 1]] }).kind).toBe('map');
  });

  it.each([
    [{ logical_count: [[1, 2], [3]] }, 'layer 1 has 1 experts where layer 0 has 2'],
    [{ logical_count: [[1, -2]] }, 'negative'],
    [
      {
        logical_count: [
          [[1, 2]],
          [
            [1, 2],
            [3, 4],
          ],
        ],
      },
      'step 1 has 2 layers where step 0 has 1',
    ],
    [{ logical_count: [[[1, 2]], [[1, 2, 3]]] }, 'step 1 has another number of experts'],
    [{ logical_count: [[[1, 2]], [[1, -2]]] }, 'step 1: layer 0'],
    [{ physical_to_logical_map: [[0, 1.5]] }, 'layer 0 has a slot that holds no expert number'],
    [{ physical_to_logical_map: [[0, 1], [0]] }, 'layer 1 has 1 slots where layer 0 has 2'],
    [{ records: [] }, 'neither a logical_count nor a physical_to_logical_map'],
    ['text', 'neither rows of loads nor an SGLang placement'],
  ])('refuses %j', (data, words) => {
    const file = read(data);
    expect(file.kind === 'refused' ? file.reason : file.kind).toContain(words);
  });

  it.each([
    [
      'a table of slots',
      'layer,slot,expert\n3,0,1\n3,1,0\n4,0,0\n4,1,1\n',
      [
        [1, 0],
        [0, 1],
      ],
      3,
    ],
    [
      'TensorRT-LLM',
      'num_slots: 2\ninitial_global_assignments:\n  3: [1, 0]\n  4: [0, 1]\n',
      [
        [1, 0],
        [0, 1],
      ],
      3,
    ],
    ['ranks of vLLM', '{"expert_to_ep_rank": [1, 0, 1, 0]}', [[1, 3, 0, 2]], undefined],
    [
      'vLLM Ascend',
      '{"moe_layer_count": 1, "layer_list": [{"layer_id": 0, "device_count": 2, "device_list": [{"device_expert": [2, 0]}, {"device_expert": [1, 2]}]}]}',
      [[2, 0, 1, 2]],
      undefined,
    ],
    ['offline map', '{"version": 2, "model_maps": {"A": {"physical_to_logical_map": [[0, 1]]}}}', [[0, 1]], undefined],
  ])('reads the map of %s', (_name, text, rows, firstLayer) => {
    const file = readPlacementFile(text);
    if (file.kind !== 'map') throw new Error(file.kind);
    expect(file.physicalToLogical.map((row) => [...row])).toEqual(rows);
    expect(file.firstLayer).toBe(firstLayer);
  });

  it('reads a table of loads', () => {
    const file = readPlacementFile('expert;layer;tokens\n0;3;10\n1;3;30\n');
    expect(file).toMatchObject({ kind: 'loads', loads: [Float64Array.of(10, 30)], firstLayer: 3 });
  });

  it('refuses what is no JSON', () => {
    expect(readPlacementFile('{')).toEqual({
      kind: 'refused',
      reason:
        'the file is neither JSON nor a table (headed layer,expert,load or layer,slot,expert) nor a placement of TensorRT-LLM',
    });
  });
});
