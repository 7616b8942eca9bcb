import { costOf } from '../../../server/src/features/cost';
import { sample } from '../../lsp/samples';
import { analyzeText } from '../../unit/features/support';
import { servingRows } from './serving-rows';
import { median } from './throughput-report';

/** Seconds of a step from DeepSeek's published profile through DualPipe's own formula: 120 blocks of 129 ms and both ends. */
const PROFILE = 120 * 0.129 + 7 * (0.129 + 0.0823 - 3 * 0.0237);
/** 14.8 T tokens in 2.664 M GPU-hours: arXiv 2412.19437, table 1. */
const PUBLISHED = 14.8e12 / (2.664e6 * 3600);

function errorText(predicted: number, measured: number): string {
  const percent = 100 * (predicted / measured - 1);
  return `${percent < 0 ? '−' : ''}${Math.abs(percent).toFixed(1)} %`;
}

/** DeepSeek-V3's training as the plan in `samples/` predicts it, beside what was published. */
function deepseekLines(): string {
  const cost = costOf(analyzeText(sample('deepseek-v3-2048xH800.shardlens.yaml')));
  if (cost === undefined) throw new Error('the sample plan has no cost');
  const { stepSeconds, tokensPerSecondPerGpu: rate } = cost;
  return [
    `DeepSeek-V3 on 2,048 H800: the plan's step is predicted at ${stepSeconds.toFixed(2)} s; the durations of DeepSeek's published profile give ${PROFILE.toFixed(2)} s (error ${errorText(stepSeconds, PROFILE)}).`,
    `The whole run went at ${PUBLISHED.toFixed(0)} tokens/s a GPU (MFU 39.06 % of the BF16 peak with causal attention, 43.85 % without; 54.2 days, $5.33M at $2 a GPU-hour),`,
    `the plan at full batch is predicted at ${rate.toFixed(0)} (error ${errorText(rate, PUBLISHED)}): the run's figure holds its smaller first batches, pauses and checkpoints.`,
  ].join('\n');
}

/** Published serving throughput, every row. */
function servingTable(): string {
  const rows = servingRows();
  const middle = median(rows.map(({ predicted, measured }) => Math.abs(predicted / measured - 1)));
  const lines = rows.map(
    ({ id, model, gpu, plan, measured, predicted, source }) =>
      `| ${id} | ${model} | ${gpu} | ${plan} | ${measured.toFixed(0)} | ${predicted.toFixed(0)} | ${errorText(predicted, measured)} | ${source} |`,
  );
  return [
    `Serving, ${rows.length} published rows, tokens/s a GPU; median error ${(100 * middle).toFixed(1)} %. Some of their causes (overheads of a step, unevenness of real requests) were set with these rows in view.`,
    '',
    '| row | model | GPU | setting | measured | predicted | error | source |',
    '| --- | --- | --- | --- | ---: | ---: | ---: | --- |',
    ...lines,
  ].join('\n');
}

/** The part of the accuracy page on a plan's own cost and on servers. */
export function costSection(): string {
  return `${deepseekLines()}\n\n${servingTable()}`;
}
