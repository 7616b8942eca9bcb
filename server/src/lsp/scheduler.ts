/** Runs that took longer than this are not started on every keystroke. */
const CHEAP_MS = 15;
const MAX_PAUSE_MS = 150;

export interface Scheduler {
  /** Asks for a run of `key`; of several requests before it starts only the last counts. */
  readonly request: (key: string) => void;
  readonly cancel: (key: string) => void;
  readonly dispose: () => void;
}

interface Slot {
  timer: ReturnType<typeof setTimeout> | undefined;
  /** How long the last run took, and when it ended. */
  lasted: number;
  ended: number;
}

/**
 * Latest-wins scheduling. A run starts as soon as pending input was read; after a costly one there is a pause as long as it took,
 * so that typing takes at most half of the time. The pause is counted from the end of the run, not from the last request: somebody
 * who types without a break still sees answers, and a single keystroke after a rest is answered at once.
 */
export function createScheduler(run: (key: string) => void, now: () => number = () => performance.now()): Scheduler {
  const slots = new Map<string, Slot>();
  const start = (key: string, slot: Slot): void => {
    slot.timer = undefined;
    const begun = now();
    try {
      run(key);
    } finally {
      slot.ended = now();
      slot.lasted = slot.ended - begun;
    }
  };
  return {
    request: (key) => {
      const slot = slots.get(key) ?? { timer: undefined, lasted: 0, ended: -Infinity };
      slots.set(key, slot);
      if (slot.timer !== undefined) return;
      const pause = slot.lasted < CHEAP_MS ? 0 : Math.min(MAX_PAUSE_MS, slot.lasted);
      slot.timer = setTimeout(
        () => {
          start(key, slot);
        },
        Math.max(0, slot.ended + pause - now()),
      );
    },
    cancel: (key) => {
      const slot = slots.get(key);
      if (slot?.timer !== undefined) clearTimeout(slot.timer);
      slots.delete(key);
    },
    dispose: () => {
      for (const { timer } of slots.values()) if (timer !== undefined) clearTimeout(timer);
      slots.clear();
    },
  };
}
