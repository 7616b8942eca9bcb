import { Ajv } from 'ajv';
import { describe, expect, it } from 'vitest';
import { buildOrder, SCHEDULE_KINDS } from '../../../server/src/engine/schedule/build';
import { completeDurations } from '../../../server/src/engine/schedule/durations';
import { isRefusal } from '../../../server/src/engine/schedule/refusal';
import { simulate } from '../../../server/src/engine/schedule/simulate';
import { chromeTrace, type TraceEvent } from '../../../server/src/features/schedule/chrome-trace';

const TIME = { type: 'number', minimum: 0 } as const;
const ID = { type: 'integer', minimum: 0 } as const;
const NAME = { type: 'string', minLength: 1 } as const;

/** One phase of the Trace Event Format: its fields and those it cannot do without; anything else is an error. */
function phase(ph: string, properties: object, required: readonly string[]): object {
  return {
    type: 'object',
    properties: { ph: { const: ph }, name: NAME, pid: ID, tid: ID, args: { type: 'object' }, ...properties },
    required: ['ph', 'name', 'pid', ...required],
    additionalProperties: false,
  };
}

/** The part of Google's "Trace Event Format" that a schedule uses: complete, flow, counter and metadata events. */
const FORMAT = {
  type: 'object',
  properties: {
    displayTimeUnit: { enum: ['ms', 'ns'] },
    traceEvents: {
      type: 'array',
      items: {
        oneOf: [
          phase('X', { ts: TIME, dur: TIME, cat: NAME }, ['tid', 'ts', 'dur']),
          phase('s', { ts: TIME, cat: NAME, id: ID }, ['tid', 'ts', 'cat', 'id']),
          phase('f', { ts: TIME, cat: NAME, id: ID, bp: { const: 'e' } }, ['tid', 'ts', 'cat', 'id', 'bp']),
          phase(
            'C',
            { ts: TIME, args: { type: 'object', minProperties: 1, additionalProperties: { type: 'number' } } },
            ['ts', 'args'],
          ),
          phase('M', { name: { enum: ['process_name', 'thread_name', 'thread_sort_index'] } }, ['args']),
        ],
      },
    },
  },
  required: ['traceEvents'],
  additionalProperties: false,
} as const;

const validate = new Ajv({ strict: false }).compile(FORMAT);

function traceOf(kind: (typeof SCHEDULE_KINDS)[number]): readonly TraceEvent[] {
  const durations = completeDurations({ F: 10, I: 12, W: 7, FB: 26, comm: 0.5 });
  const order = buildOrder({ kind, ranks: 4, microbatches: 16, durations });
  if (isRefusal(order)) throw new Error(order.message);
  return chromeTrace(simulate(order, durations), { bytesPerActivation: 1e9 }).traceEvents;
}

describe('the trace', () => {
  it.each(SCHEDULE_KINDS)('of %s keeps to the trace event format', (kind) => {
    const events = JSON.parse(JSON.stringify(traceOf(kind))) as unknown;
    expect(validate({ traceEvents: events, displayTimeUnit: 'ms' }) ? [] : validate.errors?.slice(0, 3)).toEqual([]);
  });

  it('is refused by the validator as soon as it breaks the format', () => {
    const [slice] = traceOf('1f1b').filter(({ ph }) => ph === 'X');
    for (const broken of [
      { ...slice, dur: -1 },
      { ...slice, ts: 'now' },
      { ...slice, ph: 'Q' },
      { ...slice, extra: 1 },
    ])
      expect(validate({ traceEvents: [broken] })).toBe(false);
  });

  it.each(SCHEDULE_KINDS)('of %s has one slice at a time a rank, and whole arrows bound to slices', (kind) => {
    const events = traceOf(kind);
    const slices = events.filter(({ ph }) => ph === 'X');
    const byRank = new Map<number, TraceEvent[]>();
    for (const slice of slices) byRank.set(slice.tid ?? -1, [...(byRank.get(slice.tid ?? -1) ?? []), slice]);
    for (const own of byRank.values())
      for (let at = 1; at < own.length; at += 1)
        expect((own[at - 1]?.ts ?? 0) + (own[at - 1]?.dur ?? 0)).toBeLessThanOrEqual((own[at]?.ts ?? -1) + 1e-6);
    const inside = (event: TraceEvent): boolean =>
      (byRank.get(event.tid ?? -1) ?? []).some(
        ({ ts = 0, dur = 0 }) => (event.ts ?? -1) >= ts - 1e-6 && (event.ts ?? -1) <= ts + dur,
      );
    const tails = events.filter(({ ph }) => ph === 's');
    const heads = new Map(events.filter(({ ph }) => ph === 'f').map((event) => [event.id, event]));
    expect(tails.length).toBe(heads.size);
    expect(new Set(tails.map(({ id }) => id)).size).toBe(tails.length);
    for (const tail of tails) {
      const head = heads.get(tail.id);
      expect(inside(tail) && head !== undefined && inside(head)).toBe(true);
      expect(head?.ts ?? -1).toBeGreaterThanOrEqual(tail.ts ?? Infinity);
    }
  });
});
