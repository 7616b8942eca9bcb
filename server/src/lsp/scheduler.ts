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
  /** When the first request came that no run has answered, and how many came since. */
  asked: number;
  requests: number;
  /** How long the last run took, and when it ended. */
  lasted: number;
  ended: number;
}

/** Lets the connection hand over one more message; a web worker knows no immediate, and its connection uses timers of no delay too. */
function afterNextMessage(then: () => void): void {
  if (typeof setImmediate === 'function') setImmediate(then);
  else setTimeout(then, 0);
}

/**
 * Latest-wins scheduling. A run starts as soon as pending input was read: a connection hands over one message in each turn of the event
 * loop, so a run waits while every turn brings another request, at most 150 ms in all. Counting turns instead of time keeps a burst of
 * edits one run on a busy machine too. After a costly one there is a pause as long as it took,
 * so that typing takes at most half of the time. The pause is counted from the end of the run, not from the last request: somebody
 * who types without a break still sees answers, and a single keystroke after a rest is answered at once.
 */
export function createScheduler(run: (key: string) => void, now: () => number = () => performance.now()): Scheduler {
  const slots = new Map<string, Slot>();
  const start = (key: string, slot: Slot): void => {
    slot.timer = undefined;
    slot.requests = 0;
    const begun = now();
    try {
      run(key);
    } finally {
      slot.ended = now();
      slot.lasted = slot.ended - begun;
    }
  };
  const startOnceRead = (key: string, slot: Slot): void => {
    const { requests } = slot;
    afterNextMessage(() => {
      // It may have been cancelled meanwhile, and even asked for anew under a fresh slot.
      if (slots.get(key) !== slot) return;
      if (slot.requests > requests && now() - slot.asked < MAX_PAUSE_MS) startOnceRead(key, slot);
      else start(key, slot);
    });
  };
  return {
    request: (key) => {
      const slot = slots.get(key) ?? { timer: undefined, asked: 0, requests: 0, lasted: 0, ended: -Infinity };
      slots.set(key, slot);
      slot.requests += 1;
      if (slot.timer !== undefined) return;
      slot.asked = now();
      const pause = slot.lasted < CHEAP_MS ? 0 : Math.min(MAX_PAUSE_MS, slot.lasted);
      slot.timer = setTimeout(
        () => {
          startOnceRead(key, slot);
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
