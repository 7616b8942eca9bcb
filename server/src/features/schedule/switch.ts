import { CodeActionKind, type CodeAction, type Range } from 'vscode-languageserver-types';
import type { ScheduleKind } from '../../engine/spec/training';
import type { ResolvedPlan } from '../../plan/plan';
import type { Analysis } from '../analysis';
import { rangeOfPlace } from '../diagnostics';
import { gib, percent } from '../format';
import { byStep, knobEffect, type KnobEffect } from './knobs';
import { isQuick, scheduleTitle } from './planned';
import { isRefused, tryUnder } from './sweep';

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

/** Other schedules for the key under `range`, each with what it would bring. */
export function switchActions(analysis: Analysis, range: Range): CodeAction[] {
  const { resolved } = analysis;
  const at = resolved?.plan.pipeline.kind?.at;
  if (resolved === undefined || at === undefined || at.uri !== undefined) return [];
  const place = rangeOfPlace(analysis, { span: { start: at.keySpan?.start ?? at.span.start, end: at.span.end } });
  if (range.end.line < place.start.line || range.start.line > place.end.line) return [];
  const text = analysis.text.slice(at.span.start, at.span.end);
  const quote = /^(["'])[\w.-]+\1$/.exec(text)?.[1] ?? '';
  if (quote === '' && !/^[\w.-]+$/.test(text)) return [];
  const words = new Map(spellingsOf(resolved.plan.dialect));
  return switchEffects(resolved)
    .filter((effect) => !isWorse(effect))
    .slice(0, MOST_SWITCHES)
    .flatMap((effect): CodeAction[] => {
      const kind = effect.value as ScheduleKind;
      const word = words.get(kind);
      if (word === undefined) return [];
      const edit = { range: rangeOfPlace(analysis, { span: at.span }), newText: `${quote}${word}${quote}` };
      return [
        {
          title: `Switch to ${scheduleTitle(kind)}: ${effectText(effect)}`,
          kind: CodeActionKind.QuickFix,
          edit: { changes: { [analysis.uri]: [edit] } },
        },
      ];
    });
}

/** The best other schedules in a line, for the hover of the schedule's key; undefined where none was tried. */
export function switchLine(resolved: ResolvedPlan): string | undefined {
  const fitting = switchEffects(resolved)
    .filter(({ fits }) => fits !== false)
    .slice(0, 3);
  if (fitting.length === 0) return undefined;
  const list = fitting.map((effect) => `${scheduleTitle(effect.value as ScheduleKind)} ${effectText(effect)}`);
  return `Other schedules, same batch: ${list.join(' · ')}`;
}
