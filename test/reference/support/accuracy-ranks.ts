import type { TrainingInput } from '../../../server/src/engine/memory/input';
import type { MemoryReport, RankClass } from '../../../server/src/engine/memory/report';
import { estimateTraining } from '../../../server/src/engine/memory/training';
import { gpuDualpipeInput } from './gpu-dualpipe';
import type { GpuHfRow } from './gpu-hf';
import { gpuDeepspeedInput, gpuHfFsdpInput, gpuHfTrainInput, gpuRows } from './gpu-hf';
import { gpuMegatronInput, gpuMegatronRows } from './gpu-megatron';
import { gpuTitanInput, gpuTitanRows } from './gpu-titan';

export interface Pair {
  readonly measured: number;
  readonly predicted: number;
}

/** What a rank holds, as far as a measurement tells its parts apart: states, all that stays between steps, and what a step adds. */
export type ReadingPart = 'weights' | 'optimizer' | 'resting' | 'working';

/** Peak of one rank, measured and predicted, in bytes. */
export interface RankReading extends Pair {
  readonly id: string;
  /** Predicted against measured, in percent. */
  readonly percent: number;
  readonly parts: Partial<Record<ReadingPart, Pair>>;
}

export interface GpuReading extends RankReading {
  readonly rank: number;
  readonly place: 'no pipeline' | 'first stage' | 'inner stage' | 'last stage';
  /** Bytes between steps, predicted against measured, in percent. */
  readonly resting: number;
}

/** What every row of ../shared/truth/gpu-*.json states. */
interface GpuRow {
  readonly id: string;
  readonly ok: boolean;
  readonly spec: { readonly rank?: number };
  readonly phases: Readonly<Record<string, { readonly before: number }>>;
  readonly peak_steady: number;
  readonly peak_phase?: string;
  readonly params?: unknown;
  readonly optimizer_state?: unknown;
}

interface Family {
  readonly title: string;
  readonly file: string;
  /** Phases before which nothing but states is held, most telling first. */
  readonly before: readonly string[];
  readonly jobs: () => readonly { readonly row: GpuRow; readonly input: () => TrainingInput }[];
  /** States that are recorded apart and mean what the report means by them; sharded weights are gathered at the peak. */
  readonly states: readonly ('weights' | 'optimizer')[];
}

function jobs<R extends GpuRow>(rows: () => readonly R[], inputOf: (row: R) => TrainingInput): Family['jobs'] {
  return () => rows().map((row) => ({ row, input: () => inputOf(row) }));
}

const hf = (file: string, inputOf: (row: GpuHfRow) => TrainingInput): Family['jobs'] =>
  jobs(() => gpuRows(file), inputOf);

/** Stacks measured rank by rank on an H100. */
export const FAMILIES = {
  megatron: {
    title: 'Megatron-LM core',
    file: 'gpu-megatron.json',
    before: ['step2.zero_grad'],
    jobs: jobs(gpuMegatronRows, gpuMegatronInput),
    states: ['weights', 'optimizer'],
  },
  torchtitan: {
    title: 'torchtitan (FSDP2, HSDP, TP, CP, EP, PP)',
    file: 'gpu-titan.json',
    before: ['step2.pp_schedule', 'step2.forward'],
    jobs: jobs(gpuTitanRows, gpuTitanInput),
    states: ['optimizer'],
  },
  transformers: {
    title: 'transformers, one process and DDP',
    file: 'gpu-hf_train.json',
    before: ['step2.forward', 'step2'],
    jobs: hf('gpu-hf_train.json', gpuHfTrainInput),
    states: ['weights', 'optimizer'],
  },
  fsdp: {
    title: 'transformers under FSDP1 and FSDP2',
    file: 'gpu-hf_fsdp.json',
    before: ['step2.forward', 'step2'],
    jobs: hf('gpu-hf_fsdp.json', gpuHfFsdpInput),
    states: ['optimizer'],
  },
  deepspeed: {
    title: 'transformers under DeepSpeed ZeRO 0 to 3',
    file: 'gpu-deepspeed.json',
    before: ['step2.forward', 'step2'],
    jobs: hf('gpu-deepspeed.json', gpuDeepspeedInput),
    states: [],
  },
  dualpipe: {
    title: "DeepSeek's DualPipe and DualPipeV",
    file: 'gpu-dualpipe.json',
    before: ['step2'],
    jobs: hf('gpu-dualpipe.json', gpuDualpipeInput),
    states: [],
  },
} as const satisfies Readonly<Record<string, Family>>;

export type FamilyName = keyof typeof FAMILIES;

/** The class that holds a rank: by its ranges, or by its stage where ranges were not asked for. */
export function classOfRank(report: MemoryReport, rank: number): RankClass | undefined {
  return report.classes.find(({ ranks }) =>
    ranks.split(',').some((range) => {
      const [first = 0, last = first] = range.split('-').map(Number);
      return rank >= first && rank <= last;
    }),
  );
}

function recorded(value: unknown, ...keys: readonly string[]): number {
  const chunks = Array.isArray(value) ? (value as unknown[]) : [value];
  return chunks.reduce<number>((sum, chunk) => {
    const fields = (chunk ?? {}) as Readonly<Record<string, unknown>>;
    return keys.reduce((part, key) => part + (typeof fields[key] === 'number' ? fields[key] : 0), sum);
  }, 0);
}

function placeOf({ layout: { pipeline, worldSize } }: TrainingInput, rank: number): GpuReading['place'] {
  if (pipeline <= 1) return 'no pipeline';
  const stage = Math.floor(rank / (worldSize / pipeline));
  return stage === 0 ? 'first stage' : stage === pipeline - 1 ? 'last stage' : 'inner stage';
}

function readingOf(row: GpuRow, family: Family, input: TrainingInput): GpuReading {
  const rank = row.spec.rank ?? 0;
  const entry = classOfRank(estimateTraining(input), rank);
  const before = family.before.map((phase) => row.phases[phase]?.before).find((bytes) => bytes !== undefined) ?? 1;
  const predicted = entry?.allocated ?? 0;
  const resting = entry?.resting ?? 0;
  const weights = { measured: recorded(row.params, 'bytes_local'), predicted: entry?.parts.weights ?? 0 };
  const optimizer = {
    measured: recorded(row.optimizer_state, 'total', 'main_params_bytes'),
    predicted: entry?.parts.optimizer ?? 0,
  };
  return {
    id: row.id,
    rank,
    place: placeOf(input, rank),
    measured: row.peak_steady,
    predicted,
    percent: 100 * (predicted / row.peak_steady - 1),
    resting: 100 * (resting / before - 1),
    parts: {
      ...(family.states.includes('weights') && weights.measured > 0 ? { weights } : {}),
      ...(family.states.includes('optimizer') && optimizer.measured > 0 ? { optimizer } : {}),
      resting: { measured: before, predicted: resting },
      working: { measured: row.peak_steady - before, predicted: predicted - resting },
    },
  };
}

/** Every measured row of a family beside its estimate; `SHOW=1` prints them. */
export function rankReadings(name: FamilyName): GpuReading[] {
  const family: Family = FAMILIES[name];
  const readings = family
    .jobs()
    .filter(({ row }) => row.ok)
    .map(({ row, input }) => readingOf(row, family, input()));
  if (process.env['SHOW'] !== undefined)
    for (const { id, resting, percent } of readings)
      console.log(id, `resting ${resting.toFixed(3)} peak ${percent.toFixed(3)}`);
  return readings;
}

/** Rows of a family without a peak: the job ran out of memory. */
export function failedRows(name: FamilyName): string[] {
  return FAMILIES[name].jobs().flatMap(({ row }) => (row.ok ? [] : [row.id]));
}
