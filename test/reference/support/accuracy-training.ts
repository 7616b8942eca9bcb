import {
  FAMILIES,
  failedRows,
  rankReadings,
  type FamilyName,
  type GpuReading,
  type Pair,
  type RankReading,
  type ReadingPart,
} from './accuracy-ranks';
import { missReason, publishedReason } from './accuracy-misses';
import { folded, gibText, percentText, summary, SUMMARY_HEAD, table } from './accuracy-text';
import { ciReading, ciRows, leftOut, type CiReading } from './megatron-ci';
import { publishedTable } from './published-memory';
import { simumaxReadings, type SimumaxReading } from './simumax';

/** Everything that the page says about training memory, computed once. */
export interface TrainingReadings {
  readonly gpu: readonly {
    readonly name: FamilyName;
    readonly title: string;
    readonly readings: readonly GpuReading[];
  }[];
  readonly simumax: readonly SimumaxReading[];
  readonly ci: readonly CiReading[];
}

export function trainingReadings(): TrainingReadings {
  const names = Object.keys(FAMILIES) as FamilyName[];
  return {
    gpu: names.map((name) => ({ name, title: FAMILIES[name].title, readings: rankReadings(name) })),
    simumax: simumaxReadings(),
    ci: ciRows()
      .filter((row) => leftOut(row) === undefined)
      .map(ciReading),
  };
}

const percents = (readings: readonly RankReading[]): number[] => readings.map(({ percent }) => percent);

/** Error of the peak by stack. */
export function byStack({ gpu, simumax, ci }: TrainingReadings): string {
  const published = publishedTable().readings;
  const groups = [...new Set(published.map(({ stack }) => stack))];
  return table(['stack', ...SUMMARY_HEAD], 'lrrrrr', [
    ...gpu.map(({ title, readings }) => [`${title}, H100`, ...summary(percents(readings))]),
    ['Megatron-LM, every rank of eight B200', ...summary(percents(simumax))],
    ["SimuMax's own prediction of these", ...summary(simumax.map(({ peerError }) => peerError))],
    ["Megatron-LM's functional tests, last rank", ...summary(percents(ci))],
    ...groups.map((group) => [
      `published: ${group}`,
      ...summary(published.filter(({ stack }) => stack === group).map(({ percent }) => percent)),
    ]),
  ]);
}

const PART_TITLES: Readonly<Record<ReadingPart, string>> = {
  weights: 'weights',
  optimizer: 'optimizer states and master weights',
  resting: 'all that stays between two steps',
  working: 'what a step adds (activations, gradients, buffers)',
};

/** Error of each part, in percent of the measured peak, so that parts can be compared. */
export function byPart({ gpu, ci }: TrainingReadings): string {
  const rows = (Object.keys(PART_TITLES) as ReadingPart[]).flatMap((part) => {
    const of = (title: string, readings: readonly RankReading[]): string[][] => {
      const errors = readings.flatMap(({ parts, measured }) => {
        const pair: Pair | undefined = parts[part];
        return pair === undefined ? [] : [(100 * (pair.predicted - pair.measured)) / measured];
      });
      return errors.length === 0 ? [] : [[PART_TITLES[part], title, ...summary(errors)]];
    };
    return [...gpu.flatMap(({ title, readings }) => of(title, readings)), ...of("Megatron-LM's functional tests", ci)];
  });
  return table(['part', 'stack', ...SUMMARY_HEAD], 'llrrrrr', rows);
}

/** Error by where a rank stands. */
export function byRank({ gpu, simumax }: TrainingReadings): string {
  const places = ['no pipeline', 'first stage', 'inner stage', 'last stage'] as const;
  const all = gpu.flatMap(({ readings }) => readings);
  const ranks = [...new Set(simumax.map(({ rank }) => rank))];
  return table(['rank', ...SUMMARY_HEAD], 'lrrrrr', [
    ...places.map((place) => [`H100, ${place}`, ...summary(percents(all.filter((one) => one.place === place)))]),
    ...ranks.map((rank) => [`B200, rank ${rank}`, ...summary(percents(simumax.filter((one) => one.rank === rank)))]),
  ]);
}

/** Differences beyond which a row is named with its reason, in percent. */
const MISS = { gpu: 2, ci: 5, published: 10 };

function missRow({ id, measured, predicted, percent }: RankReading): string[] {
  return [id, gibText(measured), gibText(predicted), percentText(percent), missReason({ id })];
}

/** Rows that miss, each with its size and reason. */
export function misses({ gpu, ci }: TrainingReadings): string {
  const beyond = (readings: readonly RankReading[], limit: number): RankReading[] =>
    readings
      .filter(({ percent }) => Math.abs(percent) > limit)
      .sort((a, b) => Math.abs(b.percent) - Math.abs(a.percent));
  const rows = [
    ...beyond(
      gpu.flatMap(({ readings }) => readings),
      MISS.gpu,
    ),
    ...beyond(ci, MISS.ci),
  ].map(missRow);
  const published = publishedTable()
    .readings.filter(({ percent }) => Math.abs(percent) > MISS.published)
    .map(({ id, stack, measured, predicted, percent }) => [
      `${id}, ${stack}`,
      gibText(measured),
      gibText(predicted),
      percentText(percent),
      publishedReason(id, stack),
    ]);
  return table(['row', 'measured GiB', 'estimate GiB', 'error %', 'cause, or what is known of it'], 'lrrrl', [
    ...rows,
    ...published,
  ]);
}

/** Rows without an estimate or without a measurement, by reason. */
export function omissions(): string {
  const failed = (Object.keys(FAMILIES) as FamilyName[]).flatMap((name) =>
    failedRows(name).map((id) => [id, 'ran out of memory: the peak is only a lower bound']),
  );
  const ci = new Map<string, number>();
  for (const row of ciRows()) {
    const reason = leftOut(row);
    if (reason !== undefined) ci.set(reason, (ci.get(reason) ?? 0) + 1);
  }
  return table(['row', 'why it is left out'], 'll', [
    ...failed,
    ...[...ci].map(([reason, count]) => [`${count} of Megatron-LM's functional tests`, reason]),
    ...publishedTable().left.map(({ id, model, reason }) => [`${id} ${model}`.trim(), reason]),
  ]);
}

function rankTable(readings: readonly RankReading[]): string {
  return table(
    ['row', 'measured GiB', 'estimate GiB', 'error %'],
    'lrrr',
    readings.map(({ id, measured, predicted, percent }) => [
      id,
      gibText(measured),
      gibText(predicted),
      percentText(percent),
    ]),
  );
}

/** Every row of every stack. */
export function everyRow({ gpu, simumax, ci }: TrainingReadings): string {
  const published = publishedTable().readings.map(({ id, stack, model, plan, kind, measured, predicted, percent }) => [
    id,
    stack,
    model,
    plan,
    kind,
    gibText(measured),
    gibText(predicted),
    percentText(percent),
  ]);
  return [
    ...gpu.map(({ title, readings }) => folded(`${title}, H100: ${readings.length} ranks`, rankTable(readings))),
    folded(
      `Megatron-LM on eight B200: ${simumax.length} ranks`,
      table(
        ['row', 'rank', 'measured GiB', 'estimate GiB', 'error %', 'SimuMax %'],
        'lrrrrr',
        simumax.map(({ id, rank, measured, predicted, percent, peerError }) => [
          id,
          String(rank),
          gibText(measured),
          gibText(predicted),
          percentText(percent),
          percentText(peerError),
        ]),
      ),
    ),
    folded(
      `Megatron-LM's functional tests: ${ci.length} runs`,
      table(
        ['row', 'measured GiB', 'estimate GiB', 'error %', 'between steps, MiB off'],
        'lrrrr',
        ci.map(({ id, measured, predicted, percent, staticMiB }) => [
          id.replace('megatron-golden/', ''),
          gibText(measured),
          gibText(predicted),
          percentText(percent),
          staticMiB.toFixed(1).replace('-', '−'),
        ]),
      ),
    ),
    folded(
      `Published runs: ${published.length}`,
      table(
        ['row', 'stack', 'model', 'plan', 'figure', 'measured GiB', 'estimate GiB', 'error %'],
        'lllllrrr',
        published,
      ),
    ),
  ].join('\n\n');
}
