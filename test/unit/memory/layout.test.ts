import { describe, expect, it } from 'vitest';
import { inFlightSets } from '../../../server/src/engine/layout/in-flight';
import { countRanks, expertData, formatRanks, rankCoordinates } from '../../../server/src/engine/layout/rank-grid';
import { stageContents, stageLayers, stagesOfRank } from '../../../server/src/engine/layout/stages';
import { denseModel, layoutOf } from '../../reference/support/memory-input';

describe('layers of pipeline stages', () => {
  it('splits evenly, or as the file says, or with embedding and head counted as layers', () => {
    expect(stageLayers(32, 4, 1)).toEqual([8, 8, 8, 8]);
    expect(stageLayers(61, 4, 1)).toEqual([16, 15, 15, 15]);
    expect(stageLayers(61, 2, 1, [40, 21])).toEqual([40, 21]);
    expect(stageLayers(32, 4, 1, undefined, 'torchtitan')).toEqual([8, 9, 8, 7]);
  });
  it('says who holds embedding and head', () => {
    const contents = stageContents(denseModel({ layers: 8, mtpLayers: 1 }), [4, 4]);
    expect(contents.map(({ embedding, head, mtpLayers }) => [embedding, head, mtpLayers])).toEqual([
      [true, false, 0],
      [false, true, 1],
    ]);
  });
  it('maps stages to ranks by schedule', () => {
    const layout = { pipeline: 4, virtualPipeline: 2 };
    expect(stagesOfRank('interleaved', layout, 1)).toEqual([1, 5]);
    expect(stagesOfRank('dualpipe', { pipeline: 4, virtualPipeline: 1 }, 1)).toEqual([1, 2]);
    expect(stagesOfRank('dualpipev', { pipeline: 4, virtualPipeline: 1 }, 1)).toEqual([1, 6]);
  });
});

describe('ranks', () => {
  const layout = layoutOf({ worldSize: 64, tensor: 2, pipeline: 4, context: 2, expert: 4 });
  it('counts tensor first and pipeline last', () => {
    expect(rankCoordinates(layout, 0)).toEqual({ pp: 0, tp: 0, ep: 0, dp: 0, cp: 0 });
    expect(rankCoordinates(layout, 7)).toEqual({ pp: 0, tp: 1, ep: 3, dp: 1, cp: 1 });
    expect(rankCoordinates(layout, 63)).toEqual({ pp: 3, tp: 1, ep: 3, dp: 3, cp: 1 });
  });
  it('divides the world by expert, expert-tensor and pipeline degrees for expert data parallelism', () => {
    expect(expertData(layout)).toBe(4);
  });
  it('writes ranges compactly', () => {
    expect(
      formatRanks([
        [8, 15],
        [0, 7],
        [32, 32],
      ]),
    ).toBe('0-15,32');
    expect(
      countRanks([
        [8, 15],
        [0, 7],
        [32, 32],
      ]),
    ).toBe(17);
  });
});

describe('microbatches in flight', () => {
  const total = (
    kind: Parameters<typeof inFlightSets>[0]['kind'],
    p: number,
    v: number,
    m: number,
    r: number,
  ): number =>
    Math.max(
      ...inFlightSets({ kind }, { pipeline: p, virtualPipeline: v, microbatches: m }, r).map((live) =>
        live.reduce((a, b) => a + b, 0),
      ),
    );
  it('follows the closed forms', () => {
    expect([0, 1, 2, 3].map((r) => total('1f1b', 4, 1, 8, r))).toEqual([4, 3, 2, 1]);
    expect(total('gpipe', 4, 1, 8, 3)).toBe(8);
    expect([0, 3, 7].map((r) => total('dualpipe', 8, 1, 20, r))).toEqual([9, 9, 9]);
    expect([0, 3].map((r) => total('dualpipev', 4, 2, 10, r))).toEqual([9, 9]);
    for (const [p, v, m] of [
      [4, 2, 8],
      [8, 3, 16],
      [2, 4, 4],
    ] as const) {
      for (let r = 0; r < p; r += 1)
        expect(total('interleaved', p, v, m, r)).toBe(Math.min(2 * (p - r - 1) + (v - 1) * p + 1, m * v));
    }
  });
  it('never holds more than there are microbatches', () => {
    expect(total('1f1b', 8, 1, 2, 0)).toBe(2);
    expect(total('interleaved', 4, 2, 1, 0)).toBe(2);
  });
});
