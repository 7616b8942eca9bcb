import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { estimateServing } from '../../../server/src/engine/memory/serving';
import { sharedPath } from '../../shared';
import { byPart, byRank, byStack, everyRow, misses, omissions, trainingReadings } from './accuracy-training';
import { folded, gibText, percentText, summary, SUMMARY_HEAD, table } from './accuracy-text';
import { checkpointReport, checkpointRows } from './checkpoints';
import { hfInferInput, hfInferRows } from './gpu-hf-infer';
import { inferenceTable } from './measured-inference';
import { quantile } from './memory-input';
import { costSection } from './cost-section';
import { furtherSection } from './further';
import { throughputSection } from './throughput-section';

function checkpointSection(): string {
  const rows = checkpointRows().map((row) => {
    const found = checkpointReport(row);
    const known = row.known_total_elements;
    const elements = known === undefined ? 'not known' : String(known - found.elements);
    const bytes = typeof row.known_bytes === 'number' ? String(row.known_bytes - found.bytes) : 'not stated';
    return { model: row.model, found, elements, bytes };
  });
  const open = rows.filter(({ elements, bytes }) => ![elements, bytes].every((text) => /^(?:0|not .*)$/.test(text)));
  const cells = rows.map(({ model, found, elements, bytes }) => [
    model,
    found.elements.toLocaleString('en-US'),
    found.bytes.toLocaleString('en-US'),
    elements,
    bytes,
  ]);
  const head = ['model', 'elements', 'bytes', 'known less formula: elements', 'bytes'];
  return [
    `${rows.length} published checkpoints; ${rows.length - open.length} are exact, to the byte where bytes are known. Not explained: ${open
      .map(({ model, elements }) => `${model} (${elements} elements more than the formula)`)
      .join(', ')}, and Moonlight-16B (1,728 elements, from its model card).`,
    folded('Every checkpoint', table(head, 'lrrrr', cells)),
  ].join('\n\n');
}

function transformersInference(): string {
  const rows = hfInferRows();
  const readings = rows
    .filter(({ ok }) => ok)
    .map((row) => {
      const [entry] = estimateServing(hfInferInput(row)).classes;
      const of = (value: number | undefined, measured: number): number => 100 * ((value ?? 0) / measured - 1);
      return {
        id: row.id,
        measured: row.peak_steady,
        predicted: entry?.allocated ?? 0,
        weights: of(entry?.parts.weights, row.params.bytes_local),
        cache: of(entry?.parts.kvCache, row.cache_bytes),
        peak: of(entry?.allocated, row.peak_steady),
      };
    });
  const cells = readings.map(({ id, measured, predicted, weights, cache, peak }) => [
    id,
    gibText(measured),
    gibText(predicted),
    ...[weights, cache, peak].map(percentText),
  ]);
  return [
    table(['transformers on an H100', ...SUMMARY_HEAD], 'lrrrrr', [
      ['weights', ...summary(readings.map(({ weights }) => weights))],
      ['cache', ...summary(readings.map(({ cache }) => cache))],
      ['peak', ...summary(readings.map(({ peak }) => peak))],
    ]),
    folded(
      `Every process: ${readings.length}`,
      table(['row', 'measured GiB', 'estimate GiB', 'weights %', 'cache %', 'peak %'], 'lrrrrr', cells),
    ),
    ...rows.filter(({ ok }) => !ok).map(({ id }) => `Left out: ${id} (ran out of memory).`),
  ].join('\n\n');
}

function engineLogs(): string {
  const { readings, omissions: left } = inferenceTable();
  const of = (figure: string): number[] => readings.filter((one) => one.figure === figure).map(({ error }) => error);
  const number = (value: number, unit: string): string =>
    unit === 'tokens' ? Math.round(value).toLocaleString('en-US') : value.toFixed(2);
  return [
    table(['logs of vLLM, SGLang and TensorRT-LLM', ...SUMMARY_HEAD], 'lrrrrr', [
      ['weights', ...summary(of('weights'))],
      ['capacity of the cache, from the config alone', ...summary(of('capacity'))],
      ['tokens in a logged number of bytes', ...summary(of('cells'))],
    ]),
    table(
      ['row', 'engine', 'model', 'figure', 'logged', 'estimate', 'unit', 'error %'],
      'llllrrlr',
      readings.map(({ id, framework, model, figure, measured, predicted, unit, error }) => [
        id,
        framework,
        model,
        figure,
        number(measured, unit),
        number(predicted, unit),
        unit,
        percentText(error),
      ]),
    ),
    folded(
      `Figures left out: ${left.length}`,
      table(
        ['row', 'model', 'figure', 'why'],
        'llll',
        left.map(({ id, model, figure, reason }) => [id, model, figure, reason]),
      ),
    ),
  ].join('\n\n');
}

const TRUTH = [
  'checkpoints.json',
  'gpu-deepspeed.json',
  'gpu-dualpipe.json',
  'gpu-hf_fsdp.json',
  'gpu-hf_infer.json',
  'gpu-hf_train.json',
  'gpu-megatron.json',
  'gpu-titan.json',
  'measured-inference.json',
  'measured-memory.json',
  'measured-throughput.json',
  'measured-training.json',
  'megatron-ci.json',
];

/** Names the rows that a page was written from, so that a page of other rows is not taken for an old one. */
export function rowsDigest(): string {
  const hash = createHash('sha256');
  for (const file of TRUTH) {
    const path = sharedPath('truth', file);
    hash.update(path === undefined ? 'missing' : readFileSync(path));
  }
  return hash.digest('hex').slice(0, 16);
}

/** docs/accuracy.md, from the measured rows alone. Throws where they are not there. */
export function accuracyPage(): string {
  const training = trainingReadings();
  const static90 = training.ci.map(({ staticMiB }) => Math.abs(staticMiB));
  const better = training.simumax.filter(({ percent, peerError }) => Math.abs(percent) < Math.abs(peerError)).length;
  return `# Accuracy

What the estimates were held against, and by how much they miss. \`npm run accuracy\` writes this page from the measured rows; the same rows are
tests (\`npm run test:unit -- test/reference\`). Errors are estimate against measurement; a minus says that the estimate is too low.

## Training memory, peak of a rank

${byStack(training)}

No constant was chosen by the peaks of the functional tests; between two steps these are within ${quantile(static90, 0.5).toFixed(1)} MiB in the median and
${quantile(static90, 0.9).toFixed(0)} MiB at the 90th percentile. SimuMax's own prediction is further off on ${better} of ${training.simumax.length} rank readings.
Published runs state less than a run needs (containers, compilers, what a recipe sets beside): they bound the error of a reading, not of the formulas.

### By part

Differences in percent of the measured peak.

${byPart(training)}

### By rank

${byRank(training)}

### Misses, and why

Ranks on H100 beyond 2 %, functional tests beyond 5 %, published runs beyond 10 %.

${misses(training)}

### Left out, and why

${folded('Rows without an estimate or without a measurement', omissions())}

### Every row

${everyRow(training)}

## Checkpoints

${checkpointSection()}

## Inference memory

${transformersInference()}

${engineLogs()}

## Further jobs of transformers

${furtherSection()}

## Throughput

${throughputSection()}

${costSection()}

## Schedules, placements, number formats

These are not estimates: orders, makespans, placements and rounded values equal those of the original code and of the hardware
([schedules](schedules.md), [placement](placement.md)).

<!-- rows ${rowsDigest()} -->
`;
}
