import type { Page } from 'playwright-core';
import { timelineData } from '../webview/data';
import { settle, startLab } from '../webview/harness';
import type { Lab, PanelPage } from '../webview/harness';

export interface Row {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly goal: string;
}

interface Case {
  readonly name: string;
  readonly ranks: number;
  readonly microbatches: number;
  readonly paintGoal: string;
  readonly frameGoal: string;
}

const CASES: readonly Case[] = [
  { name: '20k blocks (64 x 156)', ranks: 64, microbatches: 156, paintGoal: '<= 150 ms', frameGoal: '<= 16 ms' },
  { name: '100k blocks (64 x 782)', ranks: 64, microbatches: 782, paintGoal: '', frameGoal: '<= 33 ms' },
  { name: '1M blocks (128 x 3,906)', ranks: 128, microbatches: 3906, paintGoal: '', frameGoal: 'stays interactive' },
];
const FRAMES = 120;

/** Times every frame callback of the page together with the rasterisation of what it drew, which reading one pixel forces. */
function instrument(): void {
  const scope = window as unknown as { frameTimes: number[]; frameStamp: number };
  scope.frameTimes = [];
  scope.frameStamp = -1;
  const original = window.requestAnimationFrame.bind(window);
  const flush = (): void => {
    for (const canvas of document.querySelectorAll<HTMLCanvasElement>('.stage canvas')) {
      canvas.getContext('2d')?.getImageData(0, 0, 1, 1);
    }
  };
  window.requestAnimationFrame = (callback) =>
    original((time) => {
      const start = performance.now();
      callback(time);
      flush();
      const spent = performance.now() - start;
      // All callbacks of one frame get the same time stamp and count together.
      if (scope.frameStamp === time)
        scope.frameTimes[scope.frameTimes.length - 1] = (scope.frameTimes.at(-1) ?? 0) + spent;
      else scope.frameTimes.push(spent);
      scope.frameStamp = time;
    });
}

/** Milliseconds from the host's message to a painted and rasterised lane. */
function firstPaint(page: Page, message: unknown): Promise<number> {
  return page.evaluate(
    (data) =>
      new Promise<number>((done) => {
        const start = performance.now();
        const look = (): void => {
          const canvas = document.querySelector<HTMLCanvasElement>('.stage canvas[data-layer=base]');
          const context = canvas === null ? null : canvas.getContext('2d');
          // Inside the first lane of the first rank, which begins at time zero.
          if (context !== null && (context.getImageData(62, 30, 1, 1).data[3] ?? 0) > 0)
            done(performance.now() - start);
          else setTimeout(look, 1);
        };
        window.postMessage(data, '*');
        setTimeout(look, 1);
      }),
    message,
  );
}

/** Frame times of a pan and zoom through the schedule, one wheel message a frame. */
function panAndZoom(page: Page, frames: number): Promise<readonly number[]> {
  return page.evaluate(
    (count) =>
      new Promise<number[]>((done) => {
        const scope = window as unknown as { frameTimes: number[] };
        const target = document.querySelector<HTMLCanvasElement>('.stage canvas.over');
        const box = target?.getBoundingClientRect();
        scope.frameTimes.length = 0;
        let frame = 0;
        const wheel = (init: WheelEventInit): void => {
          const place = { clientX: (box?.left ?? 0) + 400, clientY: (box?.top ?? 0) + 100 };
          target?.dispatchEvent(new WheelEvent('wheel', { bubbles: true, cancelable: true, ...place, ...init }));
        };
        const step = (): void => {
          if (frame >= count) {
            done([...scope.frameTimes]);
            return;
          }
          // A third zooms in, a third pans, a third zooms out again.
          const phase = Math.floor((frame * 3) / count);
          if (phase === 1) wheel({ deltaX: 40 });
          else wheel({ ctrlKey: true, deltaY: phase === 0 ? -12 : 12 });
          frame += 1;
          setTimeout(step, 20);
        };
        step();
      }),
    frames,
  );
}

function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
}

async function openCase(lab: Lab): Promise<PanelPage> {
  const open = await lab.open('timeline', { width: 1200, height: 800 });
  await open.page.evaluate(instrument);
  return open;
}

async function measure(lab: Lab, entry: Case): Promise<readonly Row[]> {
  const answer = timelineData({ kind: '1f1b', ranks: entry.ranks, microbatches: entry.microbatches });
  const paints: number[] = [];
  let frames: readonly number[] = [];
  for (let round = 0; round < 3; round += 1) {
    const open = await openCase(lab);
    paints.push(await firstPaint(open.page, { type: 'timeline', answer }));
    await settle(open.page);
    if (round === 2) frames = await panAndZoom(open.page, FRAMES);
    await open.close();
  }
  return [
    { name: `timeline first paint, ${entry.name}`, value: percentile(paints, 0.5), unit: 'ms', goal: entry.paintGoal },
    { name: `timeline frame p50, ${entry.name}`, value: percentile(frames, 0.5), unit: 'ms', goal: '' },
    { name: `timeline frame p95, ${entry.name}`, value: percentile(frames, 0.95), unit: 'ms', goal: entry.frameGoal },
  ];
}

/** First paint and pan/zoom frames of the timeline in Chromium without a GPU, and the size of each panel's script. */
export async function run(): Promise<Row[]> {
  const lab = await startLab();
  try {
    const rows: Row[] = [];
    for (const entry of CASES) rows.push(...(await measure(lab, entry)));
    for (const kind of ['timeline', 'placement', 'memory'] as const) {
      rows.push({ name: `bundle ${kind}`, value: lab.scriptBytes(kind) / 1000, unit: 'KB', goal: '<= 150 KB' });
    }
    return rows;
  } finally {
    await lab.close();
  }
}
