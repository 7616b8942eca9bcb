import { sharedJson } from '../../shared';

/** One published measurement of training memory, in one vocabulary. Sizes that a source leaves out are absent. */
export interface PublishedRow {
  readonly id: string;
  readonly stack: string;
  readonly group: string;
  readonly model: string;
  readonly gpu: string;
  readonly gpus?: number;
  /** Bytes; absent where the job did not get that far. */
  readonly measured?: number;
  readonly kind: 'allocated' | 'reserved' | 'device';
  readonly precision: string;
  readonly recompute: string;
  readonly sequence?: number;
  readonly microBatch?: number;
  readonly globalBatch?: number;
  readonly tensor: number;
  readonly pipeline: number;
  readonly virtual: number;
  readonly context: number;
  readonly expert: number;
  readonly dims: string;
  readonly schedule: string;
  readonly compile: boolean;
  readonly optimizer: string;
  readonly notes: string;
  readonly outcome: string;
}

type Raw = Readonly<Record<string, unknown>>;

const GB = 1e9;
const GIB = 2 ** 30;

function number(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** nvidia-smi and authors' rounded figures count all that the device holds; torchtitan logs what the allocator reserved. */
function kindOf(row: Raw): PublishedRow['kind'] {
  const stated = text(row['mem_kind']);
  if (/nvidia-smi|approximate/.test(stated)) return 'device';
  if (/reserved/.test(stated) || /^torchtitan/.test(text(row['framework']))) return 'reserved';
  return /AutoModel|DeepSpeed/.test(text(row['framework'])) ? 'device' : 'allocated';
}

function measuredOf(row: Raw): number | undefined {
  const gib = number(row['mem_gib']);
  if (gib !== undefined) return gib * GIB;
  const gb = number(row['mem_gb']);
  // What nvidia-smi and torchtitan print is in GiB, also where a page calls it GB.
  return gb === undefined ? undefined : gb * (kindOf(row) === 'allocated' ? GB : GIB);
}

function withMemory(row: Raw): boolean {
  return row['mem_kind'] !== undefined || row['mem_gb'] !== undefined || row['mem_gib'] !== undefined;
}

function publishedRow(row: Raw): PublishedRow {
  const measured = measuredOf(row);
  const gpus = number(row['n_gpus']);
  const sequence = number(row['seq']);
  const microBatch = number(row['mbs']) ?? number(row['local_bs']);
  const globalBatch = number(row['gbs']);
  return {
    id: text(row['id']),
    stack: text(row['framework']).replace(/ \(.*| HEAD.*| 20\d\d.*/, ''),
    group: text(row['group']),
    model: text(row['model']),
    gpu: text(row['gpu']),
    ...(gpus === undefined ? {} : { gpus }),
    ...(measured === undefined ? {} : { measured }),
    kind: kindOf(row),
    precision: text(row['precision']),
    recompute: text(row['recompute']),
    ...(sequence === undefined ? {} : { sequence }),
    ...(microBatch === undefined ? {} : { microBatch }),
    ...(globalBatch === undefined ? {} : { globalBatch }),
    tensor: number(row['tp']) ?? 1,
    pipeline: number(row['pp']) ?? 1,
    virtual: number(row['vp']) ?? 1,
    context: number(row['cp']) ?? 1,
    expert: number(row['ep']) ?? 1,
    dims: text(row['dims']),
    schedule: text(row['schedule']),
    compile: row['compile'] === true,
    optimizer: text(row['optimizer']),
    notes: text(row['notes']),
    outcome: text(row['outcome']),
  };
}

function publishedRuns(): readonly Raw[] {
  return sharedJson<Raw[]>('truth', 'measured-training.json');
}

/** Rows of the list of published training runs that say something about memory. */
export function trainingMemoryRows(): PublishedRow[] {
  return publishedRuns().filter(withMemory).map(publishedRow);
}

/** A published training run that says how fast it was, in whichever of the three ways. */
export interface SpeedRow extends PublishedRow {
  readonly tokensPerSecondPerGpu?: number;
  readonly stepSeconds?: number;
  /** As the source counts them. */
  readonly teraflops?: number;
  /** Sequences of one data-parallel rank in one step, where the source counts so. */
  readonly localBatch?: number;
  readonly container: string;
  readonly mode: string;
  readonly fsdp: number;
  readonly raw: Raw;
}

/** Rows of the same list that say something about speed. */
export function trainingSpeedRows(): SpeedRow[] {
  return publishedRuns().flatMap((raw) => {
    const tokensPerSecondPerGpu = number(raw['tok_s_gpu']);
    const stepSeconds = number(raw['step_s']);
    const teraflops = number(raw['tflops_gpu']);
    const localBatch = number(raw['local_bs']);
    if (tokensPerSecondPerGpu === undefined && stepSeconds === undefined && teraflops === undefined) return [];
    return [
      {
        ...publishedRow(raw),
        ...(tokensPerSecondPerGpu === undefined ? {} : { tokensPerSecondPerGpu }),
        ...(stepSeconds === undefined ? {} : { stepSeconds }),
        ...(teraflops === undefined ? {} : { teraflops }),
        ...(localBatch === undefined ? {} : { localBatch }),
        container: text(raw['container']),
        mode: text(raw['mode']),
        fsdp: number(raw['fsdp']) ?? 0,
        raw,
      },
    ];
  });
}

/** One row of the older list, which has its own words for everything. */
export interface OtherRow {
  readonly id: string;
  readonly model: string;
  readonly figure?: number;
  readonly raw: Raw;
}

const FIGURES = ['memory_gib', 'memory_gb', 'bf16_gib', 'allocated_gb'];

/** Rows of the list of measured memory that are neither Megatron's functional tests nor ranks on B200. */
export function otherMemoryRows(): OtherRow[] {
  return sharedJson<Raw[]>('truth', 'measured-memory.json')
    .filter(({ id }) => !/^(?:megatron-golden|simumax)/.test(text(id)))
    .map((raw) => {
      const figure = FIGURES.map((key) => number(raw[key])).find((value) => value !== undefined);
      return { id: text(raw['id']), model: text(raw['model']), ...(figure === undefined ? {} : { figure }), raw };
    });
}

/** A torchtitan row of the older list in the words of the newer one. */
export function olderTitanRow({ id, model, figure, raw }: OtherRow): PublishedRow {
  const parallel = (raw['parallel'] ?? {}) as Raw;
  const degree = (key: string): number => number(parallel[key]) ?? 1;
  const technique = text(raw['technique']);
  const stated = /seq(\d+) lbs(\d+) fsdp(\d+)/.exec(model)?.slice(1).map(Number) ?? [];
  const sequence = number(raw['seq']) ?? stated[0];
  const microBatch = number(raw['local_batch']) ?? stated[1] ?? 2;
  return {
    id,
    stack: 'torchtitan',
    group: 'torchtitan',
    model: model.replace(/ seq.*/, ''),
    gpu: text(raw['gpu']).includes('Blackwell') ? 'B200' : id.includes('h200') ? 'H200' : 'H100 96GB',
    gpus: number(raw['gpus']) ?? stated[2] ?? 1,
    ...(figure === undefined ? {} : { measured: figure * GIB }),
    kind: 'reserved',
    precision: text(raw['precision']) || (/float8/.test(technique) ? 'Float8 tensorwise' : 'BF16'),
    recompute: text(raw['activation_checkpoint']) || 'selective',
    ...(sequence === undefined ? {} : { sequence }),
    microBatch,
    tensor: degree('tp'),
    pipeline: degree('pp'),
    virtual: 1,
    context: degree('cp'),
    expert: 1,
    dims: '',
    schedule: /Interleaved1F1B|1F1B/.exec(technique)?.[0] ?? '',
    compile: /compile/.test(technique),
    optimizer: '',
    notes: '',
    outcome: '',
  };
}
