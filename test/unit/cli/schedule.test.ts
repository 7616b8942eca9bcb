import { describe, expect, it } from 'vitest';
import { SCHEDULE_KINDS } from '../../../server/src/engine/schedule/build';
import type { ScheduleJson } from '../../../server/src/features/schedule/schedule-json';
import { folderWith, json, shardlens } from './run';

const sizes = (ranks: number, microbatches: number): string[] => [
  '--ranks',
  `${ranks}`,
  '--microbatches',
  `${microbatches}`,
];

describe('shardlens schedule', () => {
  it('gives the textbook 1F1B', async () => {
    const answer = await json<ScheduleJson>(['schedule', '--kind', '1f1b', ...sizes(4, 8)]);
    expect(answer).toMatchObject({ kind: '1f1b', ranks: 4, microbatches: 8, chunks: 1, makespan: 33 });
    expect(answer.peakActivations).toEqual([4, 3, 2, 1]);
    expect(answer.actions[3]?.slice(0, 4)).toEqual(['3F0', '3B0', '3F1', '3B1']);
    expect(answer.formula).toMatchObject({ value: 33, exact: true });
  });

  it.each(SCHEDULE_KINDS)('%s gives each rank the same work', async (kind) => {
    const answer = await json<ScheduleJson>(['schedule', '--kind', kind, ...sizes(4, 16)]);
    const work = answer.actions.map((rank) => rank.reduce((sum, token) => sum + (token.startsWith('(') ? 2 : 1), 0));
    expect(work.length).toBe(4);
    expect(Math.min(...work)).toBeGreaterThan(0);
    for (const idle of answer.idle) expect(idle).toBeLessThan(answer.makespan);
  });

  it('takes durations, chunks and group size', async () => {
    const args = ['schedule', '--kind', 'interleaved', ...sizes(4, 8), '--chunks', '3', '--group-size', '4'];
    const answer = await json<ScheduleJson>([...args, '--durations', 'F=2, B=4']);
    expect(answer.chunks).toBe(3);
    const plain = await json<ScheduleJson>(args);
    expect(answer.makespan).toBe(2 * plain.makespan);
  });

  it('takes the file, and options before the file', async () => {
    const plan = 'deepseek-v3-2048xH800.shardlens.yaml';
    const own = await json<ScheduleJson>(['schedule', plan]);
    expect(own).toMatchObject({ kind: 'dualpipe', ranks: 16, microbatches: 120 });
    const other = await json<ScheduleJson>(['schedule', plan, '--kind', '1f1b', '--microbatches', '32']);
    expect(other).toMatchObject({ kind: '1f1b', ranks: 16, microbatches: 32 });
  });

  it('writes a CSV that it reads back to the same schedule', async () => {
    const args = ['schedule', '--kind', 'zbv-torch', ...sizes(4, 8)];
    const { out } = await shardlens([...args, '--format', 'csv']);
    const folder = folderWith({ 'mine.csv': out, 'broken.csv': '0F0,0B0\n1F0,nope\n', 'stuck.csv': '0B0,0F0\n' });
    try {
      const back = await json<ScheduleJson>(['schedule', '--kind', 'mine.csv'], folder.path);
      const first = await json<ScheduleJson>(args);
      expect(back.actions).toEqual(first.actions);
      expect(back.makespan).toBe(first.makespan);
      const broken = await shardlens(['schedule', '--kind', 'broken.csv'], folder.path);
      expect(broken).toMatchObject({ code: 2, out: '' });
      expect(broken.err).toMatch(/line 2, column 5.*"nope" is no action/);
      expect((await shardlens(['schedule', '--kind', 'stuck.csv'], folder.path)).code).not.toBe(0);
    } finally {
      folder.dispose();
    }
  });

  it('writes SVG and a trace with a slice an action', async () => {
    const args = ['schedule', '--kind', 'dualpipe', ...sizes(4, 8), '--format'];
    expect((await shardlens([...args, 'svg'])).out).toMatch(/^<svg [\s\S]*<\/svg>\n$/);
    const trace = JSON.parse((await shardlens([...args, 'trace'])).out) as { traceEvents: { ph: string }[] };
    const { actions } = await json<ScheduleJson>(args.slice(0, -1));
    expect(trace.traceEvents.filter(({ ph }) => ph === 'X')).toHaveLength(actions.flat().length);
  });

  it('draws a small schedule with letters, every label in its block', async () => {
    const { out, code } = await shardlens(['schedule', '--kind', '1f1b', ...sizes(2, 3)]);
    expect(code).toBe(0);
    const drawn = out.split('\n').filter((line) => line.startsWith('rank '));
    expect(drawn.filter((line) => /F0 .*F1 .*F2 .*B2/.test(line))).toHaveLength(2);
  });

  it('knows that a file gives milliseconds and that typed-in durations have any unit', async () => {
    const plan = 'deepseek-v3-2048xH800.shardlens.yaml';
    const own = (await shardlens(['schedule', plan])).out;
    expect(own).toMatch(/Makespan +[\d,.]+ ms\n/);
    expect(own).toMatch(/Durations .* ms as the file says\n/);
    expect(await json<ScheduleJson>(['schedule', plan])).toMatchObject({ unit: 'ms' });
    const typed = (await shardlens(['schedule', plan, '--durations', 'F=1,B=2'])).out;
    expect(typed).toMatch(/Makespan +[\d,.]+\n/);
    expect(typed).not.toContain(' ms');
  });

  it('says where a schedule that cannot finish stops, and calls nothing its bubble', async () => {
    const folder = folderWith({ 'stuck.csv': '0F0,0B0,0F1,0B1\n1F1,1B1,1F0,1B0\n' });
    try {
      const { code, out, err } = await shardlens(['schedule', '--kind', 'stuck.csv'], folder.path);
      expect(code).toBe(1);
      expect(err).toMatch(/rank 0 at 0B0 waits for 1B0.*rank 1 at 1F1 waits for 0F1/);
      expect(out).toMatch(/Stops at +1\n/);
      expect(out).not.toMatch(/Makespan|Bubble/);
    } finally {
      folder.dispose();
    }
  });

  it('names a negative size and what is legal', async () => {
    const { code, err } = await shardlens(['schedule', '--kind', '1f1b', '--ranks', '4', '--microbatches', '-4']);
    expect(code).toBe(2);
    expect(err).toContain('--microbatches must be a whole number of at least 1, not "-4"');
  });

  it('tells what the framework would refuse, with exit code 1', async () => {
    const { code, out, err } = await shardlens(['schedule', '--kind', 'dualpipe', ...sizes(3, 8)]);
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err).toMatch(/even number of ranks.*Nearest legal: 2, 4\./);
    const { refusal } = await json<{ refusal: object }>(['schedule', '--kind', 'dualpipe', ...sizes(3, 8)]);
    expect(refusal).toMatchObject({ field: 'ranks', value: 3, nearest: [2, 4] });
  });
});
