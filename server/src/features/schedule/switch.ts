import { CodeActionKind, type CodeAction, type Range } from 'vscode-languageserver-types';
import type { ScheduleKind } from '../../engine/spec/training';
import type { ResolvedPlan } from '../../plan/plan';
import type { SyntaxEdit } from '../../syntax/edits';
import type { Analysis } from '../analysis';
import { rangeOfPlace } from '../diagnostics';
import { gib, percent } from '../format';
import { applyEdits } from '../advise/write-field';
import { byStep, effectOf, knobEffect, type KnobEffect } from './knobs';
import { isQuick, passFactor, planTimes, scheduleTitle } from './planned';
import { isRefused, tryUnder, type SweepRow } from './sweep';
import { editsBeside } from './switch-edits';

type Words = Readonly<Partial<Record<ScheduleKind, string>>>;

const TORCH: Words = {
  gpipe: 'GPipe',
  '1f1b': '1F1B',
  'interleaved-torch': 'Interleaved1F1B',
  'looped-bfs': 'LoopedBFS',
  'interleaved-zb-torch': 'InterleavedZeroBubble',
  'zbv-torch': 'ZBVZeroBubble',
  dualpipev: 'DualPipeV',
};

/** How a framework spells the schedules that its own key can name; frameworks without such a key offer no switch. */
const SPELLINGS: Readonly<Record<string, Words>> = {
  torchtitan: TORCH,
  'nemo-automodel': TORCH,
  nanotron: { '1f1b': '1f1b', gpipe: 'afab' },
};

const OWN: readonly ScheduleKind[] = [
  '1f1b',
  'interleaved',
  'zb-h1',
  'zb-v',
  'zbv-torch',
  'v-half',
  'dualpipe',
  'dualpipev',
  '1f1b-ep-overlap',
];

/** Kinds that the file could name instead of its own, with their spelling. */
function spellingsOf(dialect: string): readonly (readonly [ScheduleKind, string])[] {
  if (dialect === 'shardlens') return OWN.map((kind) => [kind, kind]);
  return Object.entries(SPELLINGS[dialect] ?? {}) as [ScheduleKind, string][];
}

/** Of schedules that bring exactly the same only the first: two names of one effect are no choice. */
function withoutTwins(effects: readonly KnobEffect[]): KnobEffect[] {
  return effects.filter(
    (effect, at) =>
      !effects
        .slice(0, at)
        .some(
          (other) =>
            Math.abs(other.stepChange - effect.stepChange) < 1e-9 &&
            other.bytesChange === effect.bytesChange &&
            other.activationsChange === effect.activationsChange,
        ),
  );
}

const known = new WeakMap<ResolvedPlan, readonly KnobEffect[]>();

/**
 * What each schedule that the file could name would bring, fastest first; empty for plans too large to try while somebody waits.
 * Worked out once a version of the document: only for somebody who stands on the schedule's own key.
 */
export function switchEffects(resolved: ResolvedPlan): readonly KnobEffect[] {
  const found = known.get(resolved);
  if (found !== undefined) return found;
  const { layout, pipeline, plan } = resolved;
  const worth = layout !== undefined && layout.pipeline > 1 && isQuick(resolved);
  const base = worth ? tryUnder(resolved, {}) : undefined;
  const effects =
    base === undefined || isRefused(base)
      ? []
      : spellingsOf(plan.dialect)
          .filter(([kind]) => kind !== pipeline.kind)
          .map(([kind]) =>
            knobEffect(resolved, base, { knob: 'schedule', value: kind, from: pipeline.kind, ask: { kind } }),
          )
          .filter((effect) => effect !== undefined);
  const sorted = withoutTwins(byStep(effects));
  known.set(resolved, sorted);
  return sorted;
}

function signed(value: number, text: string): string {
  return `${value < 0 ? '−' : '+'}${text}`;
}

/** `−6.1 % step, +0.9 GiB`. */
function effectText({ stepChange, bytesChange, activationsChange, fits }: KnobEffect): string {
  const step = `${signed(stepChange, percent(Math.abs(stepChange)))} step`;
  const memory =
    bytesChange === undefined
      ? `${signed(activationsChange, String(Math.round(Math.abs(activationsChange) * 10) / 10))} microbatches of activations`
      : `${signed(bytesChange, gib(Math.abs(bytesChange)))} GiB`;
  return `${step}, ${memory}${fits === false ? ', does not fit' : ''}`;
}

/** Slower and larger: nobody would want it. */
function isWorse({ stepChange, bytesChange, activationsChange, fits }: KnobEffect): boolean {
  return fits === false || (stepChange >= -5e-4 && (bytesChange ?? activationsChange) >= 0);
}

const MOST_SWITCHES = 4;

interface Offer {
  readonly effect: KnobEffect;
  readonly edits: readonly SyntaxEdit[];
  readonly also: readonly string[];
}

/** The share of a step that rounding typed times to their digits may move. */
const ROUNDING = 1e-6;

/** The edits of a switch, with what the file says once they are made: that is what its title promises. */
function offerOf(analysis: Analysis, resolved: ResolvedPlan, base: SweepRow, effect: KnobEffect): Offer | undefined {
  const at = resolved.plan.pipeline.kind?.at;
  const word = new Map(spellingsOf(resolved.plan.dialect)).get(effect.value as ScheduleKind);
  if (at === undefined || at.uri !== undefined || word === undefined) return undefined;
  const raw = analysis.text.slice(at.span.start, at.span.end);
  const quote = /^(["'])[\w.-]+\1$/.exec(raw)?.[1] ?? '';
  if (quote === '' && !/^[\w.-]+$/.test(raw)) return undefined;
  const beside = editsBeside(analysis, resolved, effect.ask);
  if (beside === undefined) return undefined;
  const edits = [{ span: at.span, newText: `${quote}${word}${quote}` }, ...beside.edits];
  const after = analysis.again?.(applyEdits(analysis.text, edits));
  const refused = (one: Analysis): number => one.findings.filter(({ severity }) => severity === 'error').length;
  if (after?.resolved?.pipeline.kind !== effect.value || refused(after) > refused(analysis)) return undefined;
  const row = tryUnder(after.resolved, {});
  if (isRefused(row)) return undefined;
  // Units are those of each file's own passes: the same work counts in as many of the file's as it is.
  const unit = planTimes(resolved).origin === 'unit' ? passFactor(resolved, after.resolved) : 1;
  const real = effectOf(base, { ...row, step: row.step * unit }, effect);
  const same = Math.abs(real.stepChange - effect.stepChange) < ROUNDING;
  return { effect: same ? { ...real, stepChange: effect.stepChange } : real, edits, also: beside.also };
}

const offered = new WeakMap<Analysis, readonly Offer[]>();

/** Switches that somebody could want, fastest first; each is made on a copy of the text before it is offered. */
function offersOf(analysis: Analysis, resolved: ResolvedPlan): readonly Offer[] {
  const found = offered.get(analysis);
  if (found !== undefined) return found;
  const effects = switchEffects(resolved).filter((effect) => !isWorse(effect));
  const base = effects.length === 0 ? undefined : tryUnder(resolved, {});
  const offers =
    base === undefined || isRefused(base)
      ? []
      : effects.slice(0, MOST_SWITCHES).flatMap((effect) => offerOf(analysis, resolved, base, effect) ?? []);
  const sorted = offers
    .filter(({ effect }) => !isWorse(effect))
    .sort((a, b) => a.effect.stepChange - b.effect.stepChange);
  offered.set(analysis, sorted);
  return sorted;
}

/** Other schedules for the key under `range`, each with what it would bring. */
export function switchActions(analysis: Analysis, range: Range): CodeAction[] {
  const { resolved } = analysis;
  const at = resolved?.plan.pipeline.kind?.at;
  if (resolved === undefined || at === undefined || at.uri !== undefined) return [];
  const place = rangeOfPlace(analysis, { span: { start: at.keySpan?.start ?? at.span.start, end: at.span.end } });
  if (range.end.line < place.start.line || range.start.line > place.end.line) return [];
  return offersOf(analysis, resolved).map(({ effect, edits, also }): CodeAction => {
    const changes = edits.map(({ span, newText }) => ({ range: rangeOfPlace(analysis, { span }), newText }));
    const typed = resolved.pipeline.durations === undefined ? [] : ['by the typed durations'];
    const notes = [...typed, ...(also.length === 0 ? [] : [`${also.join(' and ')} follow`])];
    const rest = notes.length === 0 ? '' : ` (${notes.join('; ')})`;
    return {
      title: `Switch to ${scheduleTitle(effect.value as ScheduleKind)}: ${effectText(effect)}${rest}`,
      kind: CodeActionKind.QuickFix,
      edit: { changes: { [analysis.uri]: changes } },
    };
  });
}

/** The best other schedules in a line, for the hover of the schedule's key; undefined where none was tried. */
export function switchLine(resolved: ResolvedPlan): string | undefined {
  const fitting = switchEffects(resolved)
    .filter(({ fits }) => fits !== false)
    .slice(0, 3);
  if (fitting.length === 0) return undefined;
  const list = fitting.map((effect) => `${scheduleTitle(effect.value as ScheduleKind)} ${effectText(effect)}`);
  const typed = resolved.pipeline.durations === undefined ? '' : ' by the typed durations';
  return `Other schedules, same batch${typed}: ${list.join(' · ')}`;
}
