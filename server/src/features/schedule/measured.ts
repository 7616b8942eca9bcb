import { OP, type OpCode } from '../../engine/schedule/order';

/** One measured pass of a rank. Milliseconds; the microbatch is -1 where the run does not say it. */
export interface MeasuredPass {
  readonly rank: number;
  readonly op: OpCode;
  readonly microbatch: number;
  readonly start: number;
  readonly end: number;
}

/** What a timer says of all ranks together: shortest and longest, milliseconds a step. */
export interface MeasuredTimer {
  readonly name: string;
  readonly least: number;
  readonly most: number;
}

export type MeasuredRun =
  | { readonly format: 'chrome-trace' | 'torch-timers'; readonly passes: readonly MeasuredPass[] }
  | { readonly format: 'megatron-timers'; readonly timers: readonly MeasuredTimer[] };

/** More events than this are no pipeline of one step. */
const MOST_PASSES = 1_000_000;

interface Name {
  readonly op: OpCode;
  readonly microbatch: number;
}

const LETTER: Readonly<Record<string, OpCode>> = { F: OP.F, B: OP.B, I: OP.I, W: OP.W };

/**
 * What a pass is called: `3F0` and `(3F0;2B1)OVERLAP_F_B` (torch's actions, also with `PP:` before them, as its runtime names its
 * profiler ranges), `Forward 0` and `Backward 0` (its older schedules), `forward-compute` (Megatron's timers). Undefined for anything else.
 */
export function passName(name: string): Name | undefined {
  const action = /^(?:PP:)?[<>]?\d+([FBIW])(\d+)$/.exec(name);
  if (action !== null) return { op: LETTER[action[1] ?? 'F'] ?? OP.F, microbatch: Number(action[2]) };
  const block = /^(?:PP:)?\([<>]?\d+F(\d+);[<>]?\d+B\d+\)OVERLAP_F_B$/.exec(name);
  if (block !== null) return { op: OP.FB, microbatch: Number(block[1]) };
  const word = /^(forward|backward)(?:[-_ ](?:compute|step|pass))?(?:[ _#-]?(\d+))?$/i.exec(name.trim());
  if (word === null) return undefined;
  const op = (word[1] ?? '').toLowerCase() === 'forward' ? OP.F : OP.B;
  return { op, microbatch: word[2] === undefined ? -1 : Number(word[2]) };
}

interface Event {
  readonly name?: unknown;
  readonly ph?: unknown;
  readonly ts?: unknown;
  readonly dur?: unknown;
  readonly pid?: unknown;
  readonly tid?: unknown;
  readonly args?: Readonly<Record<string, unknown>>;
}

function finite(value: unknown): number | undefined {
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  return typeof number === 'number' && Number.isFinite(number) ? number : undefined;
}

/** Events of ranks by who made them: a rank in the arguments, else the process where there are several, else the thread. */
function rankKey({ args, pid, tid }: Event, byProcess: boolean): string {
  const stated = finite(args?.['rank'] ?? args?.['Rank']);
  if (stated !== undefined) return String(stated).padStart(9, '0');
  const key = byProcess ? pid : tid;
  const number = finite(key);
  return number === undefined ? String(key) : String(number).padStart(9, '0');
}

function tracePasses(events: readonly Event[]): MeasuredPass[] {
  const found: { readonly event: Event; readonly name: Name; readonly start: number; readonly end: number }[] = [];
  for (const event of events) {
    if (typeof event !== 'object' || event === null || event.ph !== 'X' || typeof event.name !== 'string') continue;
    const name = passName(event.name);
    const ts = finite(event.ts);
    const dur = finite(event.dur);
    if (name === undefined || ts === undefined || dur === undefined || dur < 0) continue;
    found.push({ event, name, start: ts / 1000, end: (ts + dur) / 1000 });
    if (found.length > MOST_PASSES) break;
  }
  const processes = new Set(found.map(({ event }) => String(event.pid)));
  const keys = found.map(({ event }) => rankKey(event, processes.size > 1));
  const ranks = new Map([...new Set(keys)].sort().map((key, rank) => [key, rank]));
  return found.map(({ name, start, end }, at) => ({ rank: ranks.get(keys[at] ?? '') ?? 0, ...name, start, end }));
}

/** `{"rank": 0, "name": "0F3", "start": 1.5, "end": 3.0}` a line, milliseconds; `ts` and `dur` in microseconds are read too. */
function linePasses(text: string): MeasuredPass[] {
  const out: MeasuredPass[] = [];
  for (const line of text.split('\n')) {
    if (!line.trimStart().startsWith('{') || out.length > MOST_PASSES) continue;
    const row = parsed(line);
    if (typeof row !== 'object' || row === null) continue;
    const fields = row as Readonly<Record<string, unknown>>;
    const label = fields['name'] ?? fields['action'] ?? fields['op'];
    const name = typeof label === 'string' ? passName(label) : undefined;
    const rank = finite(fields['rank']);
    const ts = finite(fields['ts']);
    const dur = finite(fields['dur']);
    const start = finite(fields['start']) ?? (ts === undefined ? undefined : ts / 1000);
    const end = finite(fields['end']) ?? (start === undefined || dur === undefined ? undefined : start + dur / 1000);
    if (name === undefined || rank === undefined || rank < 0 || !Number.isInteger(rank)) continue;
    if (start === undefined || end === undefined || end < start) continue;
    const microbatch = finite(fields['microbatch']) ?? name.microbatch;
    out.push({ rank, op: name.op, microbatch, start, end });
  }
  return out;
}

/**
 * Timers as Megatron prints them: `forward-compute ....: (812.40, 833.91)` with `--timing-log-option minmax`, or a line
 * `rank  0: 812.40` each below the timer's name with `all` (megatron/core/timers.py, Timers.get_all_timers_string).
 */
function timers(text: string): MeasuredTimer[] {
  const out = new Map<string, MeasuredTimer>();
  let current: string | undefined;
  for (const line of text.split('\n')) {
    const both = /^\s*([a-z][\w-]*)\s*\.*:\s*\(\s*([\d.]+)\s*,\s*([\d.]+)\s*\)/.exec(line);
    const single = /^\s*rank\s+\d+\s*:\s*([\d.]+)/.exec(line);
    const name = /^\s*([a-z][\w-]*):\s*$/.exec(line)?.[1];
    if (both !== null) {
      const [, label = '', least = '', most = ''] = both;
      out.set(label, { name: label, least: Number(least), most: Number(most) });
    } else if (single !== null && current !== undefined) {
      const value = Number(single[1]);
      const known = out.get(current) ?? { name: current, least: value, most: value };
      out.set(current, { name: current, least: Math.min(known.least, value), most: Math.max(known.most, value) });
    } else if (name !== undefined) current = name;
  }
  return [...out.values()].filter(({ least, most }) => Number.isFinite(least) && Number.isFinite(most));
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function eventsOf(value: unknown): readonly Event[] | undefined {
  if (Array.isArray(value)) return value as readonly Event[];
  if (typeof value !== 'object' || value === null) return undefined;
  const events = (value as { readonly traceEvents?: unknown }).traceEvents;
  return Array.isArray(events) ? (events as readonly Event[]) : undefined;
}

/** Reads a measured run, or says why there is none in the text. Never throws. */
export function readMeasured(text: string): MeasuredRun | { readonly reason: string } {
  const events = eventsOf(parsed(text));
  if (events !== undefined) {
    const passes = tracePasses(events);
    return passes.length > 0
      ? { format: 'chrome-trace', passes }
      : {
          reason: `None of the trace’s ${events.length} events is named like a pass (3F0, PP:3F0, Forward 0, forward-compute).`,
        };
  }
  const passes = linePasses(text);
  if (passes.length > 0) return { format: 'torch-timers', passes };
  const found = timers(text);
  if (found.length > 0) return { format: 'megatron-timers', timers: found };
  return {
    reason:
      'The file is no Chrome trace, no list of timed passes (a JSON object a line) and no log with Megatron’s timers.',
  };
}
