import type { NoView, ViewAssumption, ViewFrame } from '../../protocol/common';
import type { Analysis } from '../analysis';
import { count } from '../format';
import { fileNameOf } from '../uris';

/** How a stack runs when nothing is said: facts of the stack, not of the plan. */
const SWITCHES = /^optimizer\.(?:reshardAfterForward|gradientAccumulationFusion)$/;

/** Assumptions as a panel shows them: only what nobody stated, in the order of effect. */
export function viewAssumptions(analysis: Analysis): ViewAssumption[] {
  // A switch that is off by default is no assumption anyone would want to read.
  const told = (analysis.resolved?.assumptions ?? []).filter(
    ({ field, origin, value }) =>
      origin !== 'default' || (value !== false && value !== 'none' && !SWITCHES.test(field)),
  );
  return told.map(({ field, value, origin, note }) => ({
    field,
    value: typeof value === 'number' ? count(value) : String(value),
    origin,
    ...(note === undefined ? {} : { note }),
  }));
}

/** What every panel shows around its picture. */
export function viewFrame(analysis: Analysis, what: string): ViewFrame {
  const model = analysis.resolved?.model?.name;
  return {
    uri: analysis.uri,
    version: analysis.version,
    title: `${what} · ${fileNameOf(analysis.uri)}${model === undefined ? '' : ` · ${model}`}`,
    assumptions: viewAssumptions(analysis),
  };
}

const HOW: Readonly<Record<string, string>> = {
  'model.layers': 'the number of layers',
  'model.hiddenSize': 'the hidden size',
  'model.vocabSize': 'the vocabulary size',
  'model.heads': 'the number of attention heads',
  'cluster.gpu': 'the GPU',
};

/** Why there is no picture, and how to get one. */
export function noView(analysis: Analysis, otherwise: string): NoView {
  const { uri, resolved } = analysis;
  if (resolved === undefined)
    return { empty: true, uri, reason: 'This file was not recognised as a parallelism, serving or model config.' };
  const missing = resolved.missing.filter((field) => field.startsWith('model.'));
  if (resolved.model === undefined && missing.length > 0) {
    const names = missing.map((field) => HOW[field] ?? field);
    return {
      empty: true,
      uri,
      reason: `The model is not known (${names.join(', ')} missing): name it in the file, in a comment such as "# shardlens: model=deepseek-ai/DeepSeek-V3", in .shardlens.yaml, or through the status item.`,
    };
  }
  if (resolved.layout === undefined) {
    const open = resolved.plan.unresolved.map(({ path }) => path).filter((path) => path.startsWith('layout.'));
    const reason =
      open.length > 0
        ? `The layout is not known here: ${open.join(', ')} come from outside this file.`
        : 'A parallel degree is not a positive whole number, so the layout is not known.';
    return { empty: true, uri, reason };
  }
  return { empty: true, uri, reason: otherwise };
}
