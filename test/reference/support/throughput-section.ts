import { folded, percentText, summary, SUMMARY_HEAD, table } from './accuracy-text';
import { orderSummary, type OrderGroup } from './throughput-order';
import { throughputReport, type ThroughputReport } from './throughput-report';
import { throughputRows, type AccuracyRow } from './throughput-rows';

/** Rows of NeMo's and Megatron-Bridge's tables, which state every degree; the others are of single runs that say less. */
export const TABLES = 'megatron-bridge';

const SOURCES: Readonly<Record<string, string>> = {
  [TABLES]: "NeMo's and Megatron-Bridge's tables",
  automodel: 'NeMo AutoModel',
  torchtitan: 'torchtitan',
  'megatron-readme': "Megatron-LM's README",
  'megatron-dsv3-gb200': 'Megatron-LM, DeepSeek-V3 on GB200',
  modelzoo: 'Megatron-Core, model zoo',
  'bridge-ablation': 'Megatron-Bridge, ablations',
  'bridge-card': 'Megatron-Bridge, model cards',
  'ms-swift': 'Megatron-SWIFT',
  bigscience: 'Megatron-DeepSpeed, BigScience 2022',
};

export function sourceName(source: string): string {
  return SOURCES[source] ?? source;
}

function errorOf({ measured, predicted }: AccuracyRow): number {
  return 100 * (predicted / measured - 1);
}

function number(value: number | undefined): string {
  return value === undefined ? '' : value.toFixed(2);
}

function orderLine(name: string, groups: readonly OrderGroup[]): readonly string[] {
  const { groups: counted, correlation, rowGroups, rowCorrelation, pairs, right } = orderSummary(groups);
  return [
    name,
    String(counted),
    counted === 0 ? '' : correlation.toFixed(2),
    String(rowGroups),
    rowGroups === 0 ? '' : rowCorrelation.toFixed(2),
    `${right} of ${pairs}`,
    pairs === 0 ? '' : percentText((100 * right) / pairs),
  ];
}

/** Why a group of several rows has no rank correlation over plans. */
function flatness({ plans }: OrderGroup): string {
  if (plans.length === 1) return 'one plan on several releases';
  return plans.length === 2 ? 'two plans' : 'plans within 5 % of each other';
}

function orderSection({ groups }: ThroughputReport): string {
  const sources = [...new Set(groups.map(({ source }) => source))];
  const several = groups.filter(({ rows }) => rows > 1);
  const head = ['rows of', 'groups', 'rank correlation', 'groups by row', 'by row', 'pairs in order', '%'];
  return [
    'Ordering plans is what an advisor needs. A group is what one source says of one model on one GPU for one task. Rows that state the same are',
    'one plan (geometric mean of rows, also over releases of the software), and the rank correlation (Spearman) is over the plans of every group',
    'that has at least three which do not all lie within 5 %; the mean counts each such group once. "By row" takes single rows instead, so that it',
    'also asks which of two releases of one plan is faster, by differences of one or two per cent. Pairs are those of plans more than 5 % apart.',
    '',
    table(head, 'lrrrrrr', [
      orderLine('all', groups),
      ...sources.map((source) =>
        orderLine(
          sourceName(source),
          groups.filter((one) => one.source === source),
        ),
      ),
    ]),
    '',
    folded(
      `Every group of more than one row: ${several.length}`,
      table(
        ['rows of', 'group', 'rows', 'plans', 'rank correlation', 'by row', 'pairs in order', ''],
        'llrrrrrl',
        several.map((one) => [
          sourceName(one.source),
          one.group,
          String(one.rows),
          String(one.plans.length),
          number(one.correlation),
          number(one.rowCorrelation),
          `${one.right} of ${one.pairs}`,
          one.correlation === undefined ? flatness(one) : '',
        ]),
      ),
    ),
  ].join('\n');
}

/** What holds a source back, where it is known. */
const CAUSES = `Known causes of what is left. BigScience's jobs ran on software of 2021 to 2022 whose level is not modelled (nearly all are faster in the
estimate than they were), and repeats of one plan differ by up to 25 %: its groups of 16 and 9 plans ask for differences below that. torchtitan's rows on B200 are of
a power-limited board and early kernels, a third of the rate that Megatron-Bridge shows for the model there. Moonlight's four rows are steps of one
microbatch, half a second long, which the host decides. Rows of gpt-oss in release 26.06.01, of Qwen3-30B on H100 in 26.02 and of Qwen3-235B on B300 in
26.02.01 run at half to two thirds of the same or a like plan one release before or after. Llama 3 70B with PP4 and no virtual stages on GB300 (T086) is
measured as fast as with five, which no schedule of eight microbatches gives. Nemotron 3 Super with TP2 on GB200 is 30 % slower than on GB300 with TP1; half of that
is not explained.`;

function everyRow(rows: readonly AccuracyRow[]): string {
  return folded(
    `Every run: ${rows.length}`,
    table(
      ['row', 'rows of', 'model', 'GPU', 'plan', 'measured tokens/s', 'predicted', 'error %'],
      'lllllrrr',
      rows.map((row) => [
        row.id,
        sourceName(row.stack),
        row.model,
        row.gpu,
        row.plan,
        Math.round(row.measured).toLocaleString('en-US'),
        Math.round(row.predicted).toLocaleString('en-US'),
        percentText(errorOf(row)),
      ]),
    ),
  );
}

/** Measured training throughput: summary, order, plot, every row, and what was left out. */
export function throughputSection(): string {
  const { rows, left, medianError } = throughputRows();
  const report = throughputReport();
  const blind = throughputReport(undefined, () => ({}));
  const tables = rows.filter(({ stack }) => stack === TABLES);
  const gpus = [...new Set(tables.map(({ gpu }) => gpu))];
  const stacks = [...new Set(rows.map(({ stack }) => stack))];
  const blindTables = blind.rows.filter(({ row }) => row.group === TABLES).map(({ error }) => 100 * error);
  return [
    `${rows.length} published runs; median error ${percentText(100 * medianError)} %. ${tables.length} of them are rows of NeMo's and Megatron-Bridge's tables, by which the efficiencies were set on some models and checked on the others.`,
    '![Predicted against measured tokens a second on one GPU](throughput.svg)',
    table(['rows of', ...SUMMARY_HEAD], 'lrrrrr', [
      ...stacks.map((stack) => [sourceName(stack), ...summary(rows.filter((row) => row.stack === stack).map(errorOf))]),
      ['the tables, with nothing known of the release or recipe', ...summary(blindTables)],
    ]),
    table([`${sourceName(TABLES)}, by GPU`, ...SUMMARY_HEAD], 'lrrrrr', [
      ...gpus.map((gpu) => [gpu, ...summary(tables.filter((row) => row.gpu === gpu).map(errorOf))]),
    ]),
    '### Order of plans',
    orderSection(report),
    '### Misses and rows',
    CAUSES,
    everyRow(rows),
    folded(
      `Left out: ${left.length}`,
      table(
        ['row', 'rows of', 'model', 'why'],
        'llll',
        left.map(({ id, stack, model, reason }) => [id, sourceName(stack), model, reason]),
      ),
    ),
  ].join('\n\n');
}
