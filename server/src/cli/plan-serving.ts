import { finish } from '../engine/search/training-search';
import type { ServingOutcome } from '../engine/search/serving-search';
import {
  splitCost,
  splitText,
  startServingAdvice,
  type ServingAdvice,
  type ServingAdviceOptions,
  type ServingAdvised,
} from '../features/advise/advise-serving';
import { changedLines } from '../features/advise/line-diff';
import { applyEdits } from '../features/advise/write-field';
import type { Analysis } from '../features/analysis';
import { plural } from '../features/format';
import { editsJson } from './edits';
import { UsageError } from './usage';

function outcomeJson({ choice, ttft, tpot, tpotOne, rate, sequences, cachePerGpu, bytes }: ServingOutcome): object {
  return {
    layout: choice,
    ttftSeconds: ttft,
    tpotSeconds: tpot,
    tpotSingleSeconds: tpotOne,
    tokensPerSecondPerGpu: rate,
    sequences,
    cacheTokensPerGpu: Math.floor(cachePerGpu),
    memoryBytes: Math.round(bytes),
  };
}

function advisedJson(analysis: Analysis, { outcome, reasons, changes, edits }: ServingAdvised): object {
  return {
    ...outcomeJson(outcome),
    reasons,
    changes,
    ...editsJson(analysis, edits),
  };
}

function advisedText(
  analysis: Analysis,
  advice: ServingAdvice,
  { outcome, reasons, changes, edits }: ServingAdvised,
  number: number,
): string {
  const lines =
    edits === undefined
      ? changes.map(({ field, from, to }) => `  ${field}: ${from} -> ${to} (this file has no place for all of these)`)
      : changedLines(analysis.text, applyEdits(analysis.text, edits)).map(({ sign, text }) => `  ${sign} ${text}`);
  return [
    `${number}. ${splitText(outcome.choice)}`,
    `   ${splitCost(outcome, advice.own)}`,
    ...reasons.map((reason) => `   - ${reason}`),
    ...lines,
    '',
  ].join('\n');
}

function text(analysis: Analysis, advice: ServingAdvice): string {
  const { own, ownFits, answers, nearest, legal } = advice;
  const now =
    own === undefined
      ? []
      : [`Now  ${splitText(own.choice)}`, `     ${splitCost(own)}${ownFits ? '' : ', beyond the limits'}`];
  const head = [...now, `${plural(legal, 'legal split')}, all estimated`, ''];
  if (nearest !== undefined)
    return [...head, 'Nothing keeps to the limits. The nearest:', advisedText(analysis, advice, nearest, 1)].join('\n');
  if (answers.length === 0)
    return [
      ...head,
      own === undefined
        ? 'No split of this model fits.'
        : 'Nothing better was found: this split is the best of what the file can say.',
      '',
    ].join('\n');
  return [...head, ...answers.map((answer, at) => advisedText(analysis, advice, answer, at + 1))].join('\n');
}

/** The answer to `shardlens plan` for a server, and whether anything keeps to the limits. */
export function planServing(
  file: string,
  analysis: Analysis,
  options: ServingAdviceOptions,
  format: 'text' | 'json',
): { readonly out: string; readonly met: boolean } {
  const search = startServingAdvice(analysis, options);
  if ('needs' in search) throw new UsageError(`no advice for ${file}: ${search.reason}`);
  const advice = finish(search);
  const met = advice.answers.length > 0 || advice.ownFits;
  if (format === 'text') return { out: text(analysis, advice), met };
  const document = {
    path: file,
    dialect: analysis.dialect?.id ?? null,
    objective: options.objective,
    ...(advice.own === undefined ? {} : { own: { ...outcomeJson(advice.own), fits: advice.ownFits } }),
    answers: advice.answers.map((answer) => advisedJson(analysis, answer)),
    ...(advice.nearest === undefined ? {} : { nearest: advisedJson(analysis, advice.nearest) }),
    counts: { legal: advice.legal },
  };
  return { out: `${JSON.stringify(document, null, 2)}\n`, met };
}
