import type { SearchProgress } from '../../engine/search/training-search';
import type { AdviceAnswer, AdviceItem, AdviceParams } from '../../protocol/advice';
import type { Analysis } from '../analysis';
import { count, percent } from '../format';
import { hasNoAdvice, startAdvice, type Advice, type Advised, type NoAdvice } from './advise';
import { splitCost, splitText, startServingAdvice, type ServingAdvice, type ServingAdvised } from './advise-serving';
import { costText, labelOf, layoutText } from './describe';
import { keyOfField } from './write-field';

const ANSWERS = 8;

/** A field as the file spells it, or would spell it. */
function nameOf(analysis: Analysis, field: string): string {
  const said = analysis.resolved === undefined ? field : labelOf(analysis.resolved, field);
  return said === field ? (keyOfField(analysis, field) ?? field) : said;
}

function itemOf(analysis: Analysis, answer: Advised): AdviceItem {
  const { changes, edits, reasons } = answer;
  return {
    title: layoutText(answer),
    detail: costText(answer),
    reasons,
    changes: changes.map(({ field, from, to }) => `${nameOf(analysis, field)}: ${from} → ${to}`),
    ...(edits === undefined
      ? {}
      : { edits: edits.map(({ span, newText }) => ({ range: analysis.lines.rangeOf(span), newText })) }),
  };
}

function nowText({ own }: Advice): string {
  if (own === undefined) return 'The time of this layout cannot be computed.';
  const place = own.distance === 0 ? 'on the front' : `${percent(own.distance)} slower than the front`;
  return `${layoutText(own)}: ${costText(own)}${own.fits ? `, ${place}` : ', does not fit'}`;
}

function viewOf(analysis: Analysis, advice: Advice): AdviceAnswer {
  const { nearest, answers, counts, notes } = advice;
  const shown = nearest === undefined ? answers : [nearest];
  return {
    uri: analysis.uri,
    version: analysis.version,
    now: nowText(advice),
    items: shown.map((answer) => itemOf(analysis, answer)),
    unmet: nearest !== undefined,
    searched: `${count(counts.legal)} legal layouts, ${count(counts.simulated)} simulated`,
    notes: notes.map(withoutOptions),
  };
}

/** Words for the editor, which has no options of a command line. */
function withoutOptions(text: string): string {
  return text.replace(/ or --[a-z]+ [\w.-]*\w/g, '');
}

/** What is missing, with what the editor can ask for. */
function refusal(analysis: Analysis, { reason, needs }: NoAdvice): AdviceAnswer {
  const text = withoutOptions(reason);
  return { empty: true, uri: analysis.uri, reason: `${text.charAt(0).toUpperCase()}${text.slice(1)}.`, needs };
}

function servingItem(analysis: Analysis, advice: ServingAdvice, answer: ServingAdvised): AdviceItem {
  const { outcome, reasons, changes, edits } = answer;
  return {
    title: splitText(outcome.choice),
    detail: splitCost(outcome, advice.own),
    reasons,
    changes: changes.map(({ field, from, to }) => `${nameOf(analysis, field)}: ${from} → ${to}`),
    ...(edits === undefined
      ? {}
      : { edits: edits.map(({ span, newText }) => ({ range: analysis.lines.rangeOf(span), newText })) }),
  };
}

function servingView(analysis: Analysis, advice: ServingAdvice): AdviceAnswer {
  const { own, ownFits, answers, nearest, legal } = advice;
  return {
    uri: analysis.uri,
    version: analysis.version,
    now:
      own === undefined
        ? 'This split does not fit.'
        : `${splitText(own.choice)}: ${splitCost(own)}${ownFits ? '' : ', does not fit'}`,
    items: (nearest === undefined ? answers : [nearest]).map((answer) => servingItem(analysis, advice, answer)),
    unmet: nearest !== undefined,
    searched: `${count(legal)} legal splits`,
    notes: [],
  };
}

/** Better layouts for the editor, in turns; says at once what is missing. */
export function* adviceView(
  analysis: Analysis,
  { objective = 'time' }: AdviceParams,
  reanalyse: (text: string) => Analysis,
): Generator<SearchProgress, AdviceAnswer> {
  if (analysis.resolved?.plan.task === 'serving') {
    const served = startServingAdvice(analysis, { objective, top: ANSWERS, reanalyse });
    if ('needs' in served) return refusal(analysis, served);
    return servingView(analysis, yield* served);
  }
  const search = startAdvice(analysis, { objective, top: ANSWERS, reanalyse });
  if (hasNoAdvice(search)) return refusal(analysis, search);
  return viewOf(analysis, yield* search);
}
