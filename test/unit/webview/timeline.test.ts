import { describe, expect, it } from 'vitest';
import { PALETTES } from '../../../client/webview/kit/palette';
import type { Theme } from '../../../client/webview/kit/theme';
import { axisFrom, fitAxis } from '../../../client/webview/kit/viewport';
import { describeBlock, describeIdle } from '../../../client/webview/timeline/describe';
import { createLaneScratch, drawBlocks } from '../../../client/webview/timeline/draw-lanes';
import { drawMemory } from '../../../client/webview/timeline/draw-memory';
import { linkRole } from '../../../client/webview/timeline/head';
import { commandOf } from '../../../client/webview/timeline/keys';
import { layoutOf, rankAtY, rowTop, scrollToRank, visibleRanks } from '../../../client/webview/timeline/layout';
import {
  blockAt,
  blockId,
  decodeTimeline,
  findBlock,
  memoryAt,
  nearestBlock,
  rankOf,
  rankRange,
  shadeMeaning,
} from '../../../client/webview/timeline/model';
import type { TimelineModel } from '../../../client/webview/timeline/model';
import { moveFrom } from '../../../client/webview/timeline/navigate';
import { blockStyles } from '../../../client/webview/timeline/style';
import { timelineColumns } from '../../../client/webview/timeline/table';
import { link, timelineData } from '../../webview/data';
import { recorder } from './recorder';

const dualpipe = decodeTimeline(timelineData({ kind: 'dualpipe', ranks: 8, microbatches: 20 }));
const plain = decodeTimeline(timelineData({ kind: '1f1b', ranks: 4, microbatches: 8 }));
const theme: Theme = {
  kind: 'light',
  data: PALETTES.light,
  background: '#ffffff',
  foreground: '#000000',
  muted: '#444444',
  border: '#cccccc',
  focus: '#0000ff',
  font: 'sans-serif',
  dim: 'rgba(255,255,255,0.6)',
};

function find(model: TimelineModel, rank: number, op: number, microbatch: number, direction = 0): number {
  const [from, to] = rankRange(model.blocks, rank);
  for (let at = from; at < to; at += 1) {
    const { blocks } = model;
    if (blocks.op[at] === op && blocks.microbatch[at] === microbatch && blocks.direction[at] === direction) return at;
  }
  return -1;
}

describe('links between blocks', () => {
  it('feed a forward from the rank before and its output to the rank after', () => {
    const forward = find(plain, 1, 0, 3);
    expect(plain.links.producers(forward)).toEqual([find(plain, 0, 0, 3)]);
    expect(plain.links.consumers(forward)).toEqual([find(plain, 2, 0, 3)]);
  });

  it('turn around on the last stage, where the backward starts from the loss', () => {
    const last = find(plain, 3, 0, 0);
    const backward = find(plain, 3, 1, 0);
    expect(plain.links.consumers(last)).toEqual([backward]);
    expect(plain.links.producers(backward)).toEqual([last]);
    expect(plain.links.producers(find(plain, 2, 1, 0))).toEqual([backward]);
  });

  it('never end before they begin: every producer is done when its consumer starts', () => {
    for (const model of [dualpipe, plain]) {
      for (let at = 0; at < model.blocks.count; at += 1) {
        for (const other of model.links.producers(at)) {
          expect(model.blocks.end[other]).toBeLessThanOrEqual((model.blocks.start[at] ?? 0) + 1e-9);
          expect(model.links.consumers(other)).toContain(at);
        }
      }
    }
  });

  it('run against the ranks for the second direction of DualPipe', () => {
    const entering = find(dualpipe, 7, 0, 0, 1);
    expect(dualpipe.blocks.stage[entering]).toBe(0);
    expect(dualpipe.links.producers(entering)).toEqual([]);
    expect(dualpipe.links.consumers(entering).map((at) => rankOf(dualpipe.blocks, at))).toEqual([6]);
  });

  it('name the block that an idle rank waited for', () => {
    const first = find(plain, 0, 1, 0);
    expect(plain.links.waitsFor(first)).toBe(find(plain, 1, 1, 0));
    expect(plain.links.waitsFor(find(plain, 0, 0, 1))).toBeUndefined();
  });
});

describe('finding blocks', () => {
  it('hits what runs at a time, misses idle time', () => {
    expect(blockAt(plain.blocks, 0, 0.5)).toBe(0);
    expect(blockAt(plain.blocks, 1, 0.5)).toBe(-1);
    expect(nearestBlock(plain.blocks, 1, 0)).toBe(rankRange(plain.blocks, 1)[0]);
  });

  it('gives each block a name that finds it again', () => {
    for (let at = 0; at < dualpipe.blocks.count; at += 1)
      expect(findBlock(dualpipe.blocks, blockId(dualpipe.blocks, at))).toBe(at);
    expect(findBlock(dualpipe.blocks, '')).toBe(-1);
    expect(findBlock(dualpipe.blocks, 'not:a:block')).toBe(-1);
    expect(findBlock(plain.blocks, '99:0:0:0:0')).toBe(-1);
  });

  it('reads the memory curve as steps', () => {
    expect(memoryAt(plain.memory, 0, 0.5)).toBe(1);
    expect(memoryAt(plain.memory, 0, 3.5)).toBe(4);
    expect(memoryAt(plain.memory, 0, plain.view.makespan + 1)).toBe(0);
  });
});

describe('keys', () => {
  it('walk a rank, change ranks at the same time and follow the data', () => {
    const second = find(plain, 1, 0, 1);
    expect(moveFrom(plain, -1, 'next', 0)).toBe(0);
    expect(moveFrom(plain, second, 'previous', 0)).toBe(find(plain, 1, 0, 0));
    expect(moveFrom(plain, second, 'producer', 0)).toBe(find(plain, 0, 0, 1));
    expect(moveFrom(plain, second, 'consumer', 0)).toBe(find(plain, 2, 0, 1));
    expect(rankOf(plain.blocks, moveFrom(plain, second, 'down', 0))).toBe(2);
    expect(moveFrom(plain, 0, 'up', 0)).toBe(0);
    expect(moveFrom(plain, 0, 'last', 0)).toBe(rankRange(plain.blocks, 0)[1] - 1);
  });

  it('leave the keys of the editor alone', () => {
    const key = (name: string, ctrlKey = false) => commandOf({ key: name, ctrlKey, metaKey: false, altKey: false });
    expect(key('ArrowRight')).toEqual({ type: 'move', move: 'next' });
    expect(key('?')).toEqual({ type: 'help' });
    expect(key('f', true)).toBeUndefined();
    expect(key('F5')).toBeUndefined();
  });
});

describe('the layout', () => {
  it('finds the rank under a height and back, also scrolled', () => {
    const layout = layoutOf({ width: 800, height: 400 }, 64, { row: 12, scroll: 100, memory: true, snap: 1 });
    const [first, last] = visibleRanks(layout);
    for (let rank = first + 1; rank < last; rank += 1) expect(rankAtY(layout, rowTop(layout, rank) + 1)).toBe(rank);
    expect(rankAtY(layout, layout.bottom + 1)).toBe(-1);
    const top = scrollToRank(layout, 63);
    const moved = layoutOf({ width: 800, height: 400 }, 64, { row: 12, scroll: top, memory: true, snap: 1 });
    expect(visibleRanks(moved)[1]).toBe(63);
  });
});

describe('drawing lanes', () => {
  const width = 900;
  const layout = layoutOf({ width, height: 400 }, 8, { row: 0, scroll: 0, memory: false, snap: 1 });
  const styles = blockStyles(PALETTES.light);

  it('draws each half of an overlapped block and its number, in both directions', () => {
    const drawn = recorder();
    const wide = { ...layout, width: 990 };
    drawBlocks(
      drawn.pen,
      { model: dualpipe, axis: fitAxis(dualpipe.view.makespan, 990), layout: wide, styles, frame: '#000' },
      createLaneScratch(),
    );
    let numbers = 0;
    for (let at = 0; at < dualpipe.blocks.count; at += 1) numbers += dualpipe.blocks.op[at] === 4 ? 2 : 1;
    expect(drawn.texts).toHaveLength(numbers);
    // The published figure's numbers: 0 to 9 enter at rank 0, 10 to 19 at the last one.
    expect(new Set(drawn.texts.map(({ text }) => Number(text))).size).toBe(20);
    expect(new Set(drawn.rects.map(({ fill }) => fill))).toEqual(new Set([...styles.map(({ fill }) => fill), '#000']));
    expect(new Set(drawn.textures)).toEqual(
      new Set(['none', 'backslash', 'slash', 'cross', 'dots', 'rings', 'rows', 'grid']),
    );
  });

  it('puts letters before the numbers once every block has room', () => {
    const drawn = recorder();
    const axis = axisFrom(dualpipe.view.makespan, layout.width, 0, 6);
    drawBlocks(drawn.pen, { model: dualpipe, axis, layout, styles, frame: '#000' }, createLaneScratch());
    expect(drawn.texts.length).toBeGreaterThan(0);
    expect(drawn.texts.every(({ text }) => /^[FBIW]\d+$/.test(text))).toBe(true);
  });

  it('merges what is thinner than a pixel: the cost is bounded by the screen', () => {
    const large = decodeTimeline(timelineData({ kind: '1f1b', ranks: 8, microbatches: 20_000 }));
    expect(large.blocks.count).toBe(320_000);
    const drawn = recorder();
    drawBlocks(
      drawn.pen,
      { model: large, axis: fitAxis(large.view.makespan, layout.width), layout, styles, frame: '#000' },
      createLaneScratch(),
    );
    expect(drawn.rects.length).toBeLessThan(8 * layout.width * 4);
    expect(drawn.rects.length).toBeGreaterThan(8);
    const top = rowTop(layout, 0);
    const covered = drawn.rects.filter(({ y }) => y >= top && y < top + layout.barHeight);
    // Two thirds of a full row are backward and one third is forward, as their durations are.
    const area = (fill: string): number =>
      covered.filter((rect) => rect.fill === fill).reduce((sum, rect) => sum + rect.width * rect.height, 0);
    const ratio = area(PALETTES.light.ops.B[0]) / area(PALETTES.light.ops.F[0]);
    expect(ratio).toBeGreaterThan(1.6);
    expect(ratio).toBeLessThan(2.4);
  });

  it('skips what is outside the window', () => {
    const drawn = recorder();
    const axis = axisFrom(dualpipe.view.makespan, layout.width, 20, 20);
    drawBlocks(drawn.pen, { model: dualpipe, axis, layout, styles, frame: '#000' }, createLaneScratch());
    for (const rect of drawn.rects) {
      expect(rect.x + rect.width).toBeGreaterThan(layout.left - 10);
      expect(rect.x).toBeLessThan(layout.left + layout.width + 10);
    }
    for (const { x } of drawn.texts) {
      expect(x).toBeGreaterThan(layout.left);
      expect(x).toBeLessThan(layout.left + layout.width);
    }
  });
});

describe('the memory curve', () => {
  const layout = layoutOf({ width: 900, height: 400 }, 4, { row: 0, scroll: 0, memory: true, snap: 1 });

  it('never shows a dip that did not last', () => {
    const drawn = recorder();
    drawMemory(drawn.pen, plain, 0, fitAxis(plain.view.makespan, layout.width), layout, theme);
    const curve = drawn.lines.at(-1) ?? [];
    const heights = new Set(curve.filter((_, at) => at % 2 === 1).map((y) => Math.round(y)));
    // Rank 0 of 1F1B climbs to four chunks, stays there and comes down again: five levels, nothing between.
    expect(heights.size).toBe(5);
  });

  it('is drawn at any width, also where a step falls on a pixel’s edge', () => {
    // Times that are no round numbers, over many widths: some step always lands on an edge by rounding.
    const model = decodeTimeline(timelineData({ kind: 'dualpipe', ranks: 8, microbatches: 20 }));
    const time = model.memory.time.map((value) => value * 273.1060606);
    const makespan = model.view.makespan * 273.1060606;
    const odd = { ...model, memory: { ...model.memory, time }, view: { ...model.view, makespan } };
    for (let width = 200; width < 1400; width += 0.75) {
      const drawn = recorder();
      const wide = { ...layout, width };
      drawMemory(drawn.pen, odd, 0, fitAxis(makespan, width), wide, theme);
      expect(drawn.lines.at(-1)?.length ?? Infinity).toBeLessThan(16 * width);
    }
  });

  it('draws the device line where the capacity is known', () => {
    const model = decodeTimeline(timelineData({ kind: '1f1b', ranks: 4, microbatches: 8, bytes: true }));
    const drawn = recorder();
    drawMemory(drawn.pen, model, 0, fitAxis(model.view.makespan, layout.width), layout, theme);
    expect(drawn.texts.map(({ text }) => text)).toContain('device');
    expect(drawn.texts.map(({ text }) => text)).toContain('80.0');
  });
});

describe('shades', () => {
  it('tell the chunks of a rank apart where there is one direction', () => {
    const v = decodeTimeline(timelineData({ kind: 'dualpipev', ranks: 4, microbatches: 10 }));
    expect(shadeMeaning(v.view)).toBe('chunk');
    for (let at = 0; at < v.blocks.count; at += 1)
      expect(v.blocks.shade[at]).toBe((v.blocks.stage[at] ?? 0) >= 4 ? 1 : 0);
    expect(new Map(describeBlock(v, v.blocks.shade.indexOf(1)).rows).get('Chunk')).toBe('1');
    const rounds = decodeTimeline(timelineData({ kind: 'interleaved', ranks: 4, microbatches: 8, chunks: 3 }));
    expect(rounds.blocks.shade[rounds.blocks.stage.indexOf(8)]).toBe(0);
    expect(shadeMeaning(plain.view)).toBeUndefined();
    expect(shadeMeaning(dualpipe.view)).toBe('direction');
    expect(dualpipe.blocks.shade).toEqual(dualpipe.blocks.direction);
  });
});

describe('words', () => {
  it('describe a block with what it waits for', () => {
    const text = describeBlock(plain, find(plain, 0, 1, 0));
    expect(text.title).toBe('B0 · backward');
    expect(new Map(text.rows).get('Waits for')).toBe('B0 on rank 1, done at 10');
  });

  it('describe both halves of an overlapped block with their directions', () => {
    const index = dualpipe.blocks.op.indexOf(4);
    expect(describeBlock(dualpipe, index).title).toMatch(/^F&B F\d+[›‹] B\d+[›‹] · overlapped/);
  });

  it('explain an idle stretch', () => {
    const text = describeIdle(plain, 0, 6);
    expect(new Map(text.rows).get('Time')).toBe('4 – 10');
    expect(new Map(text.rows).get('Waits for')).toBe('B0 on rank 1, done at 10');
  });

  it('make a row a block', () => {
    const columns = timelineColumns(dualpipe);
    expect(columns.map(({ title }) => title)).toEqual([
      'Rank',
      'Kind',
      'Stage',
      'Microbatch',
      'Enters at rank',
      'Start',
      'End',
      'Length',
    ]);
    expect(columns.map(({ text }) => text(0))).toEqual(['0', 'F', '0', '0', '0', '0', '1', '1']);
  });

  it.each([
    ['pipeline_model_parallel_size', 'ranks'],
    ['pipeline_parallel_degree', 'ranks'],
    ['virtual_pipeline_model_parallel_size', 'chunks'],
    ['num_layers_per_virtual_pipeline_stage', 'chunks'],
    ['pipeline_parallel_schedule', 'kind'],
    ['gradient_accumulation_steps', 'microbatches'],
    ['micro_batch_size', 'microbatches'],
    ['seed', undefined],
  ])('take %s for the line behind %s', (label, role) => {
    expect(linkRole(link(label, 0))).toBe(role);
  });
});
