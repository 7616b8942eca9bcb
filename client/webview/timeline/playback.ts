import type { RefObject } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import type { StageHandle } from '../kit/stage';
import { endOf } from '../kit/viewport';
import type { LaneView } from './lane-view';

/** The window in sight plays in this time, whatever it spans. */
const PLAY_MS = 12_000;

/** Starts and stops playback of the window in sight; it ends at the window's or the step's end by itself. */
export function usePlayback(view: LaneView, stage: RefObject<StageHandle | null>, makespan: () => number): () => void {
  const frame = useRef(0);
  useEffect(() => () => cancelAnimationFrame(frame.current), []);
  const stop = (): void => {
    cancelAnimationFrame(frame.current);
    view.play = undefined;
    stage.current?.refreshOver();
  };
  return () => {
    if (view.play !== undefined) {
      stop();
      return;
    }
    const span = endOf(view.axis) - view.axis.start;
    let last: number | undefined;
    view.play = view.axis.start;
    const step = (now: number): void => {
      if (view.play === undefined) return;
      view.play += (span * (now - (last ?? now))) / PLAY_MS;
      last = now;
      if (view.play >= Math.min(endOf(view.axis), makespan())) {
        stop();
        return;
      }
      stage.current?.refreshOver();
      frame.current = requestAnimationFrame(step);
    };
    frame.current = requestAnimationFrame(step);
  };
}
