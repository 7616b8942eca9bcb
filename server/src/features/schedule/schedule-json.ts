import type { ClosedForm } from '../../engine/schedule/closed-form';
import { bubbleShare } from '../../engine/schedule/bubble';
import { bufferPeaks } from '../../engine/schedule/buffers';
import type { Timeline } from '../../engine/schedule/order';
import type { P2pMode } from '../../engine/schedule/p2p-mode';
import type { StepSync } from '../../engine/schedule/step';
import type { Durations } from '../../engine/spec/training';
import { explanationJson, type ExplanationJson } from './explain-json';
import type { KnobEffect } from './knobs';
import type { DurationOrigin, PlanTimes } from './planned';
import { orderTokens } from './tokens';

/** The `schedule` document of the command line: a stable interface, so fields are added and never changed. */
export interface ScheduleJson {
  readonly kind: string;
  readonly ranks: number;
  readonly microbatches: number;
  readonly chunks: number;
  /** Tokens of every rank. */
  readonly actions: readonly (readonly string[])[];
  /** In the unit of the durations, as are `idle` and the formula. */
  readonly makespan: number;
  readonly idle: readonly number[];
  /** Most chunk activations alive at once, held until the weight gradient is done. */
  readonly peakActivations: readonly number[];
  /** Idle share of the makespan, mean over ranks. */
  readonly bubble: number;
  readonly formula?: { readonly text: string; readonly value: number; readonly exact: boolean };
  /** Milliseconds, or any unit in which the durations are given. */
  readonly unit?: 'ms' | 'unit';
  /** Mean over stages, and where they come from: `model` for the cost model of `basis`. */
  readonly durations?: Durations & { readonly origin: DurationOrigin; readonly basis?: string };
  /** What idle time waits for, and which chain of passes decides the makespan. */
  readonly explanation?: ExplanationJson;
  /** What one change of one knob brings, fastest first; only for plans, and schedules that are quick to try. */
  readonly knobs?: readonly KnobEffect[];
  /** How transfers were timed, where not ideal; `p2pModelled` false: the kind has no such mode and was timed with ideal ones. */
  readonly p2p?: string;
  readonly p2pModelled?: boolean;
  /** A rank each: received tensors not yet taken, and input halves whose weight half is to come, at their peak. */
  readonly buffers?: { readonly received: readonly number[]; readonly pendingWeights: readonly number[] };
  /** Steps that follow each other, with what ranks do between them. */
  readonly steps?: StepsJson;
  /** Said where a size was not given and something had to be taken for it. */
  readonly assumed?: readonly string[];
}

export interface StepsJson {
  readonly sync: StepSync;
  /** Time of one step once steps follow each other, in the unit of the durations. */
  readonly steady: number;
  /** The same with the other way from step to step. */
  readonly steadyOtherwise: number;
  readonly ends: readonly number[];
  readonly waits: readonly number[];
  /** What every rank does after its last pass. */
  readonly reduce: readonly number[];
  readonly optimizer: readonly number[];
}

/** What the document says beyond the bare schedule. */
export interface ScheduleContext {
  readonly times: PlanTimes;
  /** Whether the durations are milliseconds: a file's and the cost model's are, typed-in ones are in any unit. */
  readonly milliseconds: boolean;
  readonly knobs?: readonly KnobEffect[];
  readonly assumed?: readonly string[];
  readonly p2p?: P2pMode | undefined;
  readonly steps?: StepsJson | undefined;
}

/** Sums of decimals carry errors of 1e-14; twelve digits keep every real one and print 66 as 66. */
function rounded(value: number): number {
  return Number.parseFloat(value.toPrecision(12));
}

function contextFields(timeline: Timeline, context: ScheduleContext): Partial<ScheduleJson> {
  const { times, milliseconds, knobs, assumed, p2p, steps } = context;
  const { origin, basis, mean } = times;
  const buffers = timeline.deadlock === undefined ? bufferPeaks(timeline, times.durations.comm) : undefined;
  const explanation = explanationJson(timeline, times.durations);
  const { F, B, I, W, FB, comm } = mean;
  return {
    unit: milliseconds ? 'ms' : 'unit',
    durations: {
      F: rounded(F),
      B: rounded(B),
      I: rounded(I),
      W: rounded(W),
      FB: rounded(FB),
      comm: rounded(comm),
      origin,
      ...(basis === undefined ? {} : { basis }),
    },
    ...(explanation === undefined ? {} : { explanation }),
    ...(p2p === undefined || p2p === 'ideal' ? {} : { p2p, p2pModelled: timeline.p2p === p2p }),
    ...(buffers === undefined
      ? {}
      : { buffers: { received: [...buffers.received], pendingWeights: [...buffers.pendingWeights] } }),
    ...(steps === undefined ? {} : { steps }),
    ...(knobs === undefined ? {} : { knobs }),
    ...(assumed === undefined || assumed.length === 0 ? {} : { assumed }),
  };
}

/** The document of one simulated schedule. */
export function scheduleJson(timeline: Timeline, formula?: ClosedForm, context?: ScheduleContext): ScheduleJson {
  const { order } = timeline;
  return {
    kind: order.kind,
    ranks: order.ranks,
    microbatches: order.microbatches,
    chunks: order.chunks,
    actions: orderTokens(order),
    makespan: rounded(timeline.makespan),
    idle: Array.from(timeline.idle, rounded),
    peakActivations: Array.from(timeline.peakActivations),
    bubble: rounded(bubbleShare(timeline)),
    ...(formula === undefined
      ? {}
      : { formula: { text: formula.text, value: rounded(formula.value), exact: formula.exact } }),
    ...(context === undefined ? {} : contextFields(timeline, context)),
  };
}
