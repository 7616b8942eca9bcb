/** Runs that took longer than this are not started on every keystroke. */
const CHEAP_MS = 15;
const MAX_DELAY_MS = 150;

export interface Scheduler {
  /** Asks for a run of `key`; of several requests before it starts only the last counts. */
  readonly request: (key: string) => void;
  readonly cancel: (key: string) => void;
  readonly dispose: () => void;
}

interface Slot {
  timer: ReturnType<typeof setTimeout> | undefined;
  /** Duration of the last run. */
  lasted: number;
}

/**
 * Latest-wins scheduling: a cheap document is analysed at once after pending input was read, a costly one after as much
 * quiet as its last run took, so that a burst of edits never queues up.
 */
export function createScheduler(run: (key: string) => void, now: () => number = () => performance.now()): Scheduler {
  const slots = new Map<string, Slot>();
  const start = (key: string, slot: Slot): void => {
    slot.timer = undefined;
    const begun = now();
    run(key);
    slot.lasted = now() - begun;
  };
  return {
    request: (key) => {
      const slot = slots.get(key) ?? { timer: undefined, lasted: 0 };
      slots.set(key, slot);
      if (slot.timer !== undefined) clearTimeout(slot.timer);
      const delay = slot.lasted < CHEAP_MS ? 0 : Math.min(MAX_DELAY_MS, slot.lasted);
      slot.timer = setTimeout(() => {
        start(key, slot);
      }, delay);
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
