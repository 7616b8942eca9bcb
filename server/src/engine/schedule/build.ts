import type { ScheduleKind } from '../spec/training';
import { dualpipe } from './dualpipe';
import { dualpipev } from './dualpipev';
import type { DurationsInput } from './durations';
import { invalidDuration, UNIT_DURATIONS } from './durations';
import { epOverlap } from './ep-overlap';
import { gpipe } from './gpipe';
import { interleaved } from './interleaved';
import { loopedBfs } from './looped-bfs';
import { oneFOneB } from './one-f-one-b';
import type { ScheduleOrder, ScheduleRefusal } from './order';
import { isRefusal, refuse } from './refusal';
import type { ScheduleSpec, SizedSpec } from './spec';
import { interleavedTorch, interleavedZeroBubbleTorch } from './torch-interleaved';
import { vGreedy } from './v-greedy';
import { zbSearch } from './zb-search';
import { zbvSearch } from './zbv-search';
import { zbvTorch } from './zbv-torch';

type Build = (spec: SizedSpec, durations: DurationsInput) => ScheduleOrder | ScheduleRefusal;

const BUILDERS: Readonly<Record<ScheduleKind, Build>> = {
  gpipe,
  '1f1b': oneFOneB,
  interleaved,
  'looped-bfs': loopedBfs,
  'zb-h1': zbSearch,
  'zb-h2': zbSearch,
  'zb-v': zbvSearch,
  'v-half': vGreedy,
  'v-min': vGreedy,
  dualpipe,
  dualpipev,
  '1f1b-ep-overlap': epOverlap,
  'interleaved-torch': interleavedTorch,
  'interleaved-zb-torch': interleavedZeroBubbleTorch,
  'zbv-torch': zbvTorch,
};

const KIND_CHUNKS: Readonly<Record<ScheduleKind, { readonly usual: number; readonly only?: readonly number[] }>> = {
  gpipe: { usual: 1, only: [1] },
  '1f1b': { usual: 1, only: [1] },
  'zb-h1': { usual: 1, only: [1] },
  'zb-h2': { usual: 1, only: [1] },
  // Two stages a rank, one of each direction; one stage a direction is also said as 1.
  dualpipe: { usual: 2, only: [1, 2] },
  dualpipev: { usual: 2 },
  'zbv-torch': { usual: 2 },
  'zb-v': { usual: 2, only: [2] },
  'v-half': { usual: 2, only: [2] },
  'v-min': { usual: 2, only: [2] },
  interleaved: { usual: 2 },
  'looped-bfs': { usual: 2 },
  '1f1b-ep-overlap': { usual: 2 },
  'interleaved-torch': { usual: 2 },
  'interleaved-zb-torch': { usual: 2 },
};

/** Every kind `buildOrder` knows, in the order the interface documents them. */
export const SCHEDULE_KINDS: readonly ScheduleKind[] = [
  'gpipe',
  '1f1b',
  'interleaved',
  'looped-bfs',
  'zb-h1',
  'zb-h2',
  'zb-v',
  'v-half',
  'v-min',
  'dualpipe',
  'dualpipev',
  '1f1b-ep-overlap',
  'interleaved-torch',
  'interleaved-zb-torch',
  'zbv-torch',
];

/** More actions than this are refused: a language server keeps within 250 MB, and an action takes about 50 bytes. */
const MOST_ACTIONS = 4_000_000;

/** Stages a rank of a kind when nobody says. */
export function defaultChunks(kind: ScheduleKind): number {
  return KIND_CHUNKS[kind].usual;
}

/** The whole positive number next to a value, or what the kind itself would accept instead of that. */
function nearestWhole(spec: ScheduleSpec, field: 'ranks' | 'microbatches' | 'chunks' | 'groupSize'): readonly number[] {
  const value = spec[field] ?? 1;
  const near = Number.isFinite(value) ? Math.min(Math.max(1, Math.round(value)), Number.MAX_SAFE_INTEGER) : 1;
  const answer = buildOrder({ ...spec, [field]: near });
  return isRefusal(answer) && answer.field === field ? answer.nearest : [near];
}

function checkSizes(sized: SizedSpec, spec: ScheduleSpec): ScheduleRefusal | undefined {
  for (const field of ['ranks', 'microbatches', 'chunks', 'groupSize'] as const) {
    const value = sized[field];
    if (Number.isSafeInteger(value) && value >= 1) continue;
    const message = `${field} must be a whole number of at least 1.`;
    return refuse('whole-positive', message, field, value, nearestWhole(spec, field));
  }
  const perMicrobatch = 3 * sized.ranks * sized.chunks;
  if (perMicrobatch > MOST_ACTIONS) {
    const field = sized.ranks >= sized.chunks ? 'ranks' : 'chunks';
    const other = field === 'ranks' ? sized.chunks : sized.ranks;
    const most = Math.floor(MOST_ACTIONS / (3 * other));
    const message = `${sized.ranks} ranks with ${sized.chunks} stages each are more than can be laid out.`;
    return refuse('too-many-actions', message, field, sized[field], most >= 1 ? [most] : []);
  }
  if (perMicrobatch * sized.microbatches > MOST_ACTIONS) {
    const most = Math.max(1, Math.floor(MOST_ACTIONS / perMicrobatch));
    const message = `${sized.microbatches} microbatches on ${sized.ranks} ranks are more passes than can be laid out (${MOST_ACTIONS}).`;
    return refuse('too-many-actions', message, 'microbatches', sized.microbatches, [most]);
  }
  const only = KIND_CHUNKS[sized.kind].only;
  if (only !== undefined && !only.includes(sized.chunks)) {
    const message = `${sized.kind} places ${only[only.length - 1] ?? 1} stage(s) on each rank; ${sized.chunks} virtual stages need an interleaved kind.`;
    return refuse('fixed-chunks', message, 'chunks', sized.chunks, only);
  }
  return undefined;
}

/**
 * The order in which each rank runs its passes, or why the framework would refuse it.
 * Never throws; sizes are counts, durations only matter to sail's kinds (`zb-h1 zb-h2 zb-v`, `v-half`, `v-min`).
 */
export function buildOrder(spec: ScheduleSpec): ScheduleOrder | ScheduleRefusal {
  const sized: SizedSpec = {
    kind: spec.kind,
    ranks: spec.ranks,
    microbatches: spec.microbatches,
    chunks: spec.chunks ?? KIND_CHUNKS[spec.kind].usual,
    groupSize: spec.groupSize ?? spec.ranks,
    p2p: spec.p2p,
  };
  const durations = spec.durations ?? UNIT_DURATIONS;
  const bad = invalidDuration(durations);
  if (bad !== undefined) {
    return refuse(
      'duration-not-finite',
      `Duration ${bad.name} must be a finite number of at least 0.`,
      'durations',
      bad.value,
      [0],
    );
  }
  return checkSizes(sized, spec) ?? BUILDERS[spec.kind](sized, durations);
}
