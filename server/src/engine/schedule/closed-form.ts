import type { Durations } from '../spec/training';
import { defaultChunks } from './build';
import { isUniform, UNIT_DURATIONS } from './durations';
import type { ScheduleSpec } from './spec';

/** A formula for the makespan. */
export interface ClosedForm {
  /** The formula in the field's letters, with what it assumes where it is not exact. */
  readonly text: string;
  /** Its value for the given sizes and durations, in their unit. */
  readonly value: number;
  /** True where the formula equals the simulation (ideal transfers); else it is the nearest known form. */
  readonly exact: boolean;
}

interface Sizes {
  readonly P: number;
  readonly M: number;
  readonly V: number;
  readonly N: number;
}

type Form = (s: Sizes, d: Durations) => ClosedForm | undefined;

/** Adds what a formula leaves out, so that nobody takes it for more than it is. */
function form(text: string, value: number, exactIf: boolean, assumes: string, d: Durations): ClosedForm {
  const exact = exactIf && d.comm === 0;
  const missing = [exactIf ? '' : assumes, d.comm === 0 ? '' : 'transfers that take no time'].filter(
    (part) => part !== '',
  );
  return { text: exact ? text : `${text} (assumes ${missing.join(' and ')})`, value, exact };
}

/** GPipe and 1F1B: arXiv 1811.06965 section 2.3, arXiv 2104.04473 section 2.2.1. */
const flush: Form = ({ P, M }, d) => form('T = (M + P − 1)(F + B)', (M + P - 1) * (d.F + d.B), true, '', d);

/** Interleaved schedules: arXiv 2104.04473 section 2.2.2, with F and B of one chunk. */
const looped: Form = ({ P, M, V }, d) =>
  form('T = (M·V + P − 1)(F + B)', (M * V + P - 1) * (d.F + d.B), M >= P || V === 1, 'M ≥ P', d);

/** An overlapped block shorter than one of its halves moves the critical path to ranks that no formula here follows. */
function blocksAreLongest(d: Durations): boolean {
  return d.FB >= Math.max(d.F, d.B);
}

/** Megatron's EP overlap: warm-up and drain at F + B, everything between in overlapped blocks. Derived. */
const epOverlap: Form = ({ P, M, V, N }, d) => {
  const warm = P + (V - 1) * N;
  const blocks = M * V - (V - 1) * N - 1;
  const value = warm * (d.F + d.B) + blocks * d.FB;
  const text = 'T = (P + (V−1)N)(F + B) + (M·V − (V−1)N − 1)·FB';
  return form(text, value, blocksAreLongest(d), 'FB ≥ max(F, B)', d);
};

/** The largest of four chains of passes; N passes of a microbatch over Q stages. Derived and checked by simulation. */
function dual(Q: number, N: number, d: Durations): { readonly value: number; readonly exact: boolean } {
  const half = Q / 2;
  const tail = Math.max(
    half * d.F + (Q - 1) * d.I + d.W,
    (3 * half - 2) * d.I + d.W,
    half * (d.F + d.I + d.W),
    (Q - 1) * d.I + half * d.W,
  );
  // Typed-in decimals may miss B = I + W by a rounding.
  const wholeBackward = d.B >= (d.I + d.W) * (1 - 1e-9);
  return { value: (N - half - 2) * d.FB + 2 * d.B + Q * d.F + tail, exact: wholeBackward && blocksAreLongest(d) };
}

const DUAL_TEXT = (Q: string, N: string): string =>
  Q === 'P' ? dualProduct(N).replaceAll('Q', 'P') : `with Q = ${Q} stages, ${dualProduct(N)}`;

const dualProduct = (N: string): string =>
  `T = (${N} − Q/2 − 2)FB + 2B + Q·F + max{Q/2·F + (Q−1)I + W, (3Q/2−2)I + W, Q/2(F+I+W), (Q−1)I + Q/2·W}`;

const DUAL_ASSUMES = 'B ≥ I + W and FB ≥ max(F, B)';

const dualpipe: Form = ({ P, M }, d) => {
  const { value, exact } = dual(P, M, d);
  return form(DUAL_TEXT('P', 'M'), value, exact, DUAL_ASSUMES, d);
};

const dualpipev: Form = ({ P, M }, d) => {
  const { value, exact } = dual(2 * P, 2 * M, d);
  return form(DUAL_TEXT('2P', '2M'), value, exact, DUAL_ASSUMES, d);
};

/** Zero-bubble schedules: work plus the fill of the pipe. arXiv 2401.10241 sections 2 and 6. */
const zeroBubble: (enough: (s: Sizes) => boolean, needs: string) => Form = (enough, needs) => (s, d) => {
  const equal = d.F === d.I && d.I === d.W;
  const value = s.M * s.V * (d.F + d.I + d.W) + (s.P - 1) * d.F;
  return form('T = M·V(F + I + W) + (P − 1)F', value, equal && enough(s), `F = I = W and ${needs}`, d);
};

const ZB1P: Form = ({ P, M }, d) => {
  const value = M * (d.F + d.I + d.W) + (P - 1) * (d.F + d.I - d.W);
  const equal = d.F === d.I && d.I === d.W;
  return form('T = M(F + I + W) + (P − 1)(F + I − W)', value, equal && M >= P, 'F = I = W and M ≥ P', d);
};

const FORMS: Readonly<Partial<Record<ScheduleSpec['kind'], Form>>> = {
  gpipe: flush,
  '1f1b': flush,
  'looped-bfs': looped,
  interleaved: looped,
  'interleaved-torch': looped,
  '1f1b-ep-overlap': epOverlap,
  dualpipe,
  dualpipev,
  'zb-h1': ZB1P,
  'zb-h2': zeroBubble((s) => s.M >= s.P, 'M ≥ P'),
  'zb-v': zeroBubble((s) => s.M >= s.P, 'M ≥ P'),
  'zbv-torch': zeroBubble((s) => s.M >= 2 * s.P - 1, 'M ≥ 2P − 1'),
  'interleaved-zb-torch': zeroBubble((s) => s.M >= s.P, 'M ≥ P'),
};

/**
 * The makespan by formula, for uniform durations; undefined where no formula is known (V-Half, V-Min, uneven stages).
 * `exact` is true where it equals the simulation with ideal transfers.
 */
export function closedForm(spec: ScheduleSpec): ClosedForm | undefined {
  const durations = spec.durations ?? UNIT_DURATIONS;
  const build = FORMS[spec.kind];
  if (build === undefined || !isUniform(durations)) return undefined;
  const V = spec.kind === 'dualpipe' ? 2 : (spec.chunks ?? defaultChunks(spec.kind));
  const answer = build({ P: spec.ranks, M: spec.microbatches, V, N: spec.groupSize ?? spec.ranks }, durations);
  return answer !== undefined && Number.isFinite(answer.value) ? answer : undefined;
}
