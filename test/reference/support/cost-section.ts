import { runCost, utilisation } from '../../../server/src/engine/cost/economics';
import { trainingFlops } from '../../../server/src/engine/cost/flops';
import { costOf } from '../../../server/src/features/cost';
import { sample } from '../../lsp/samples';
import { analyzeText } from '../../unit/features/support';
import { DEEPSEEK_RATE, FLOPS_ANCHORS, H800_BF16 } from './flops-anchors';
import { servingRows } from './serving-rows';
import { presetSpec } from './throughput-models';
import { median } from './throughput-report';

/** Seconds of a step from DeepSeek's published profile through DualPipe's own formula: 120 blocks of 129 ms and both ends. */
const PROFILE = 120 * 0.129 + 7 * (0.129 + 0.0823 - 3 * 0.0237);
function errorText(predicted: number, measured: number, digits = 1): string {
  const percent = 100 * (predicted / measured - 1);
  return `${percent < 0 ? '−' : ''}${Math.abs(percent).toFixed(digits)} %`;
}

/** Operations of a token as counted and as stated. */
function anchorTable(): string {
  return [
    'Operations of a token in training, forward once and backward twice, attention causal, recomputation not counted:',
    '',
    '| model | tokens | stated GFLOP | counted | error |',
    '| --- | ---: | ---: | ---: | ---: |',
    ...FLOPS_ANCHORS.map(({ model, sequence, mtp, stated }) => {
      const counted = trainingFlops(presetSpec(model), { sequenceLength: sequence, mtp }).total / 1e9;
      return `| ${model}${mtp ? ' with its MTP layer' : ''} | ${sequence} | ${stated} | ${counted.toFixed(1)} | ${errorText(counted, stated, 2)} |`;
    }),
  ].join('\n');
}

function mfuText(rate: number, causal: boolean): string {
  const { total } = trainingFlops(presetSpec('deepseek-ai/DeepSeek-V3'), { sequenceLength: 4096, causal });
  return `${(100 * utilisation(rate, total, H800_BF16, 'BF16', causal).mfu).toFixed(2)} %`;
}

function runText(rate: number): readonly string[] {
  const run = runCost({ tokens: 14.8e12, tokensPerSecondPerGpu: rate, gpus: 2048, pricePerGpuHour: 2 });
  return [(run?.days ?? 0).toFixed(1), `$${((run?.money ?? 0) / 1e6).toFixed(2)}M`];
}

/** DeepSeek-V3's training as the plan in `samples/` predicts it, beside what was published. */
function deepseekLines(): string {
  const cost = costOf(analyzeText(sample('deepseek-v3-2048xH800.shardlens.yaml')));
  if (cost === undefined) throw new Error('the sample plan has no cost');
  const { stepSeconds, tokensPerSecondPerGpu: rate } = cost;
  const column = (of: number, step: string): readonly string[] => [
    step,
    of.toFixed(0),
    mfuText(of, true),
    mfuText(of, false),
    ...runText(of),
  ];
  const tokens = cost.tokensPerStep;
  const published = column(DEEPSEEK_RATE, `${(tokens / DEEPSEEK_RATE / 2048).toFixed(2)} (mean)`);
  const predicted = column(rate, stepSeconds.toFixed(2));
  const names = [
    'step of 15,360 sequences, s',
    'tokens/s a GPU',
    'MFU of the BF16 peak, causal',
    'MFU of the BF16 peak, attention whole',
    'days on 2,048 GPUs for 14.8 T tokens',
    'at $2 a GPU-hour',
  ];
  return [
    'DeepSeek-V3 on 2,048 H800, as the plan in `samples/` has it:',
    '',
    '| | published run | predicted |',
    '| --- | ---: | ---: |',
    ...names.map((name, index) => `| ${name} | ${published[index] ?? ''} | ${predicted[index] ?? ''} |`),
    '',
    `The durations of DeepSeek's published profile give a step of ${PROFILE.toFixed(2)} s, so that the prediction's error is ${errorText(stepSeconds, PROFILE)}. Against the mean of the`,
    `whole run (14.8 T tokens in 2.664 M GPU-hours) the predicted rate is ${errorText(rate, DEEPSEEK_RATE)} high: the run's figure holds its smaller first batches, pauses and checkpoints.`,
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
  return `${anchorTable()}\n\n${deepseekLines()}\n\n${servingTable()}`;
}
