import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createScheduler } from '../../server/src/lsp/scheduler';

/** An immediate set while the fake clock moves runs one millisecond later. */
const TURN = 1;

/** A scheduler whose runs take a given time on a clock that tests move. */
function start(duration: number): {
  readonly runs: [key: string, at: number][];
  readonly scheduler: ReturnType<typeof createScheduler>;
} {
  const runs: [string, number][] = [];
  const scheduler = createScheduler((key) => {
    runs.push([key, Date.now()]);
    vi.setSystemTime(Date.now() + duration);
  }, Date.now);
  return { runs, scheduler };
}

beforeEach(() => {
  vi.useFakeTimers({ now: 0 });
});
afterEach(() => {
  vi.useRealTimers();
});

describe('the scheduler', () => {
  it('runs once for many requests', () => {
    const { runs, scheduler } = start(5);
    for (let time = 0; time < 50; time += 1) scheduler.request('a');
    vi.advanceTimersByTime(1000);
    expect(runs).toHaveLength(1);
  });

  it('waits while every turn of the event loop brings a request, however slow the turns are, but not for ever', () => {
    for (const [messages, most] of [
      [50, 1],
      [500, 10],
    ] as const) {
      const { runs, scheduler } = start(5);
      let left = messages;
      // A connection hands over one message a turn; here each takes longer than the shortest timer.
      const read = (): void => {
        scheduler.request('a');
        vi.setSystemTime(Date.now() + 2);
        left -= 1;
        if (left > 0) setImmediate(read);
      };
      read();
      vi.advanceTimersByTime(3000);
      expect(left).toBe(0);
      expect(runs.length).toBeGreaterThan(0);
      expect(runs.length).toBeLessThanOrEqual(most);
      scheduler.dispose();
    }
  });

  it('starts cheap runs at once, time and again', () => {
    const { runs, scheduler } = start(5);
    for (let time = 0; time < 5; time += 1) {
      scheduler.request('a');
      vi.advanceTimersByTime(TURN);
      expect(runs).toHaveLength(time + 1);
    }
  });

  it('pauses after a costly run as long as it took, and not longer than 150 ms', () => {
    for (const [duration, pause] of [
      [40, 40],
      [900, 150],
    ] as const) {
      const { runs, scheduler } = start(duration);
      scheduler.request('a');
      vi.advanceTimersByTime(TURN);
      const ended = Date.now();
      scheduler.request('a');
      vi.advanceTimersByTime(pause - 1);
      expect(runs).toHaveLength(1);
      vi.advanceTimersByTime(1 + TURN);
      expect(runs.map(([, at]) => at - ended)).toEqual([-duration, pause + TURN]);
    }
  });

  it('answers a keystroke after a rest at once, however costly the last run was', () => {
    const { runs, scheduler } = start(100);
    scheduler.request('a');
    vi.advanceTimersByTime(500);
    scheduler.request('a');
    vi.advanceTimersByTime(TURN);
    expect(runs).toHaveLength(2);
  });

  it('does not starve somebody who types without a break', () => {
    const { runs, scheduler } = start(100);
    for (let time = 0; time < 100; time += 1) {
      scheduler.request('a');
      vi.advanceTimersByTime(20);
    }
    expect(runs.length).toBeGreaterThan(8);
  });

  it('keeps documents apart, drops what is cancelled and survives a run that fails', () => {
    const runs: string[] = [];
    const scheduler = createScheduler((key) => {
      runs.push(key);
      if (key === 'bad') throw new Error('on purpose');
    });
    scheduler.request('a');
    scheduler.request('b');
    scheduler.request('c');
    scheduler.cancel('b');
    vi.advanceTimersByTime(2 * TURN);
    expect(runs).toEqual(['a', 'c']);
    scheduler.request('bad');
    expect(() => vi.advanceTimersByTime(2 * TURN)).toThrow('on purpose');
    scheduler.request('bad');
    expect(() => vi.advanceTimersByTime(2 * TURN)).toThrow('on purpose');
    scheduler.request('a');
    scheduler.dispose();
    vi.advanceTimersByTime(1000);
    expect(runs).toEqual(['a', 'c', 'bad', 'bad']);
  });
});
