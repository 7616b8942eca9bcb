import type { ScheduleKind } from '../../engine/spec/training';
import type { Entry, MapNode } from '../../syntax/tree';
import { whichOf } from '../common/conditions';
import { treeValues, type ConfigValues } from '../common/values';
import { laterFlavors, titanFlavors, titanSchema, type Flavor, type TitanKey } from './schema-data';

/** Settings under every name they had, the newest first. */
const NAMES = {
  replicate: ['parallelism.data_parallel_replicate_degree', 'training.data_parallel_replicate_degree'],
  shard: ['parallelism.data_parallel_shard_degree', 'training.data_parallel_shard_degree'],
  tensor: ['parallelism.tensor_parallel_degree', 'training.tensor_parallel_degree'],
  pipeline: [
    'parallelism.pipeline_parallel_degree',
    'experimental.pipeline_parallel_degree',
    'training.pipeline_parallel_degree',
  ],
  context: ['parallelism.context_parallel_degree', 'experimental.context_parallel_degree'],
  expert: ['parallelism.expert_parallel_degree'],
  expertTensor: ['parallelism.expert_tensor_parallel_degree'],
  schedule: ['parallelism.pipeline_parallel_schedule', 'experimental.pipeline_parallel_schedule'],
  csv: ['parallelism.pipeline_parallel_schedule_csv', 'experimental.pipeline_parallel_schedule_csv'],
  local: ['training.local_batch_size', 'training.batch_size'],
  asyncTensor: ['parallelism.enable_async_tensor_parallel', 'experimental.enable_async_tensor_parallel'],
  compile: ['compile.enable', 'training.compile'],
} as const satisfies Readonly<Record<string, readonly string[]>>;

export type TitanConcept = keyof typeof NAMES;

/** Schedules by the lower-case name that torch.distributed.pipelining looks up. */
const SCHEDULES: Readonly<Record<string, ScheduleKind>> = {
  '1f1b': '1f1b',
  gpipe: 'gpipe',
  interleaved1f1b: 'interleaved-torch',
  loopedbfs: 'looped-bfs',
  interleavedzerobubble: 'interleaved-zb-torch',
  zbvzerobubble: 'zbv-torch',
  dualpipev: 'dualpipev',
};
const SINGLE: ReadonlySet<string> = new Set(['1f1b', 'gpipe', 'pipelineschedulesingle']);
const V_SHAPED: ReadonlySet<string> = new Set(['zbvzerobubble', 'dualpipev']);

/** One job file, with the facts that several readers and checks need. */
export interface TitanJob extends ConfigValues {
  /** The name under which this file gives a setting, or its newest name. */
  readonly name: (concept: TitanConcept) => string;
  readonly given: (concept: TitanConcept) => Entry | undefined;
  /** A degree as written, or its default; undefined while it is an interpolation. */
  readonly degree: (concept: TitanConcept, otherwise: number) => number | undefined;
  readonly family: string | undefined;
  readonly flavor: Flavor | undefined;
  readonly layers: number | undefined;
  readonly schedule: Schedule;
  readonly split: StageSplit | undefined;
  readonly compiled: boolean | undefined;
  /** Positions in `x-versions` of the releases that know every key of the file; empty where none does. */
  readonly versions: readonly number[];
}

export interface Schedule {
  /** As written, or torchtitan's default. */
  readonly word: string;
  readonly kind: ScheduleKind | undefined;
  readonly single: boolean;
  readonly vShaped: boolean;
}

/** How layers are dealt to pipeline stages. */
export interface StageSplit {
  readonly stages: number;
  readonly perRank: number;
  readonly inputWeight: number;
  readonly outputWeight: number;
  /** Decoder layers a stage; absent where torchtitan refuses the split. */
  readonly counts?: readonly number[];
}

/** Ending of a flavor that only chooses another attention kernel. */
const SAME_SIZES = /_(?:flex_attn|varlen_attn|flex|varlen|irope|non_fused_qkv)$/;

function flavorOf(values: ConfigValues, later: boolean): { family: string | undefined; flavor: Flavor | undefined } {
  const family = values.text('model.name') ?? (values.entry('model.name') === undefined ? 'llama3' : undefined);
  const word = values.text('model.flavor') ?? (values.entry('model.flavor') === undefined ? 'debugmodel' : undefined);
  if (family === undefined || word === undefined) return { family, flavor: undefined };
  const plain = word.replace(SAME_SIZES, '');
  return { family, flavor: titanFlavors[family]?.[plain] ?? (later ? laterFlavors[family]?.[plain] : undefined) };
}

function scheduleOf(values: ConfigValues, name: string): Schedule {
  const word = values.text(name) ?? '1F1B';
  const known = word.toLowerCase();
  return {
    word,
    kind: values.unknown(name) ? undefined : SCHEDULES[known],
    single: SINGLE.has(known),
    vShaped: V_SHAPED.has(known),
  };
}

/**
 * Layers of every stage with embedding and head counted as layers.
 * Source: torchtitan v0.2.2, distributed/pipeline_parallel.py, `generate_llm_fqn_per_model_part`.
 */
export function dealtLayers(
  layers: number,
  stages: number,
  first: number,
  last: number,
): readonly number[] | undefined {
  const counted = layers + first + last;
  const base = Math.floor(counted / stages);
  if (stages < 2 || base < 1 || first > base || last > base) return undefined;
  const extra = counted % stages;
  return Array.from(
    { length: stages },
    (_, stage) => base + (stage < extra ? 1 : 0) - (stage === 0 ? first : stage === stages - 1 ? last : 0),
  );
}

function splitOf(values: ConfigValues, pipeline: number | undefined, layers: number | undefined, schedule: Schedule) {
  if (pipeline === undefined || pipeline < 2 || !Number.isInteger(pipeline) || pipeline > 65_536) return undefined;
  const whole = (key: string, otherwise: number): number =>
    values.integer(`parallelism.pipeline_parallel_${key}`) ?? otherwise;
  const inputWeight = whole('first_stage_less_layers', 1);
  const outputWeight = whole('last_stage_less_layers', 1);
  const each = values.integer('parallelism.pipeline_parallel_layers_per_stage');
  if (inputWeight < 0 || outputWeight < 0) return undefined;
  const parts = values.node('parallelism.module_fqns_per_model_part');
  const listed = parts?.kind === 'list' && parts.items.length > 0 ? parts.items.length : undefined;
  const counted =
    each === undefined || each < 1 || layers === undefined
      ? undefined
      : Math.ceil((layers + inputWeight + outputWeight) / each);
  if (each !== undefined && counted === undefined) return undefined;
  const stages = listed ?? counted ?? pipeline * (schedule.single ? 1 : 2);
  const counts =
    listed !== undefined || layers === undefined || stages > 65_536
      ? undefined
      : dealtLayers(layers, stages, inputWeight, outputWeight);
  return { stages, perRank: stages / pipeline, inputWeight, outputWeight, ...(counts === undefined ? {} : { counts }) };
}

function versionsOf(root: MapNode | undefined): readonly number[] {
  let left = titanSchema['x-versions'].map((_, index) => index);
  const visit = (node: MapNode, schema: TitanKey | undefined): void => {
    for (const { key, value } of node.entries) {
      const own = schema?.properties?.[key] as TitanKey | undefined;
      const known = own?.['x-in'];
      if (known !== undefined) left = left.filter((version) => known.includes(String(version)));
      else if (value.kind === 'map') visit(value, own);
    }
  };
  if (root !== undefined) visit(root, titanSchema);
  return left;
}

function compiledOf(values: ConfigValues, name: string): boolean | undefined {
  if (values.unknown(name)) return undefined;
  if (values.flag(name) !== true) return false;
  const parts = values.words('compile.components');
  return parts === undefined || parts.includes('model');
}

/** Everything that one job says, whichever release it was written for; `later` where it is newer than the TOML files. */
export function titanJob(root: MapNode | undefined, later = false): TitanJob {
  const values = treeValues(root);
  const name = (concept: TitanConcept): string => {
    const names: readonly string[] = NAMES[concept];
    const given = whichOf(values, names);
    return values.entry(given) === undefined ? (names[0] ?? given) : given;
  };
  const degree = (concept: TitanConcept, otherwise: number): number | undefined =>
    values.entry(name(concept)) === undefined ? otherwise : values.integer(name(concept));
  const { family, flavor } = flavorOf(values, later);
  const layers = typeof flavor?.['layers'] === 'number' ? flavor['layers'] : undefined;
  const schedule = scheduleOf(values, name('schedule'));
  return {
    ...values,
    name,
    given: (concept) => values.entry(name(concept)),
    degree,
    family,
    flavor,
    layers,
    schedule,
    split: splitOf(values, degree('pipeline', 1), layers, schedule),
    compiled: compiledOf(values, name('compile')),
    versions: later ? [] : versionsOf(root),
  };
}
