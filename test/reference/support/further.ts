import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { TrainingInput } from '../../../server/src/engine/memory/input';
import { estimateServing } from '../../../server/src/engine/memory/serving';
import { estimateTraining } from '../../../server/src/engine/memory/training';
import { folded, gibText, percentText, summary, SUMMARY_HEAD, table } from './accuracy-text';
import { gpuHfFsdpInput, gpuHfTrainInput, type GpuHfRow } from './gpu-hf';
import { hfInferInput, type HfInferRow } from './gpu-hf-infer';

/** One measured job beside its estimate: bytes of the peak, and errors in percent. */
export interface FurtherJob {
  readonly id: string;
  readonly measured: number;
  readonly predicted: number;
  readonly peak: number;
  readonly resting: number;
}

export interface ServedJob extends Omit<FurtherJob, 'resting'> {
  readonly weights: number;
  readonly cache: number;
}

function rowsOf<Row>(name: string): readonly Row[] {
  const file = path.resolve(import.meta.dirname, '../../fixtures/measured', name);
  return JSON.parse(readFileSync(file, 'utf8')) as readonly Row[];
}

const percent = (predicted: number | undefined, measured: number): number => 100 * ((predicted ?? 0) / measured - 1);

function trained(row: GpuHfRow, input: TrainingInput): FurtherJob {
  const [only] = estimateTraining(input).classes;
  return {
    id: row.id,
    measured: row.peak_steady,
    predicted: only?.allocated ?? 0,
    peak: percent(only?.allocated, row.peak_steady),
    resting: percent(only?.resting, row.phases['step2.forward']?.before ?? Number.NaN),
  };
}

/** Training of one process and under FSDP. */
export function trainedJobs(): FurtherJob[] {
  return [
    ...rowsOf<GpuHfRow>('transformers-h100.json').map((row) => trained(row, gpuHfTrainInput(row))),
    ...rowsOf<GpuHfRow>('fsdp-h100.json').map((row) => trained(row, gpuHfFsdpInput(row))),
  ];
}

export function servedJobs(): ServedJob[] {
  return rowsOf<HfInferRow>('inference-h100.json').map((row) => {
    const [only] = estimateServing(hfInferInput(row)).classes;
    return {
      id: row.id,
      measured: row.peak_steady,
      predicted: only?.allocated ?? 0,
      peak: percent(only?.allocated, row.peak_steady),
      weights: percent(only?.parts.weights, row.params.bytes_local),
      cache: percent(only?.parts.kvCache, row.cache_bytes),
    };
  });
}

/** The part of the accuracy page about jobs that were measured after the model was made. */
export function furtherSection(): string {
  const [train, serve] = [trainedJobs(), servedJobs()];
  const rows = [...train, ...serve].map(({ id, measured, predicted, peak }) => [
    id,
    gibText(measured),
    gibText(predicted),
    percentText(peak),
  ]);
  const errors = (jobs: readonly { readonly peak: number }[]): number[] => jobs.map(({ peak }) => peak);
  return [
    `Jobs of other models, optimizers, attention and expert code, measured on an H100 (torch 2.11, transformers 5.17) after the model was made. As first met, six
causes were missing and have been added since: eager attention's backward pass (−8.0 %), experts that run in turn (−8.5 %), Gemma 2's capped scores (−4.5 %),
grouped experts while serving (+3.3 %), masks and old tokens of sliding windows (−4.2 %) and the root's reduction under FSDP2 (+1.2 %).`,
    table(['jobs', ...SUMMARY_HEAD], 'lrrrrr', [
      ['training', ...summary(errors(train))],
      ['inference', ...summary(errors(serve))],
    ]),
    folded('Every job', table(['job', 'measured GiB', 'estimate GiB', 'error %'], 'lrrr', rows)),
  ].join('\n\n');
}
