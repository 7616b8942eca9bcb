import type { Choice } from '../../engine/search/candidates';
import { ownChoice } from '../../engine/search/training-search';
import type { TrainingInput } from '../../engine/memory/input';
import type { ScheduleKind } from '../../engine/spec/training';
import type { SyntaxEdit } from '../../syntax/edits';
import type { Analysis } from '../analysis';
import { planField } from '../fields';
import { canWrite, writeField, type FieldValue } from './write-field';

/** One changed value, as a reader is told. */
export interface Change {
  readonly field: string;
  readonly from: string;
  readonly to: string;
}

type Wish = readonly [field: string, value: FieldValue];

const TORCH_SCHEDULES: Readonly<Record<string, string>> = {
  '1f1b': '1F1B',
  gpipe: 'GPipe',
  'interleaved-torch': 'Interleaved1F1B',
  'interleaved-zb-torch': 'InterleavedZeroBubble',
  'zbv-torch': 'ZBVZeroBubble',
};

/** How a dialect spells what is no number; undefined where it has no word for it. */
function spell(dialect: string, field: string, value: string | number): FieldValue {
  if (dialect === 'shardlens') return value;
  if (field === 'optimizer.zeroStage') return dialect === 'megatron' ? Number(value) >= 1 : value;
  if (field === 'pipeline.kind') return dialect === 'torchtitan' ? TORCH_SCHEDULES[value] : undefined;
  if (field === 'recompute.granularity') {
    if (dialect === 'megatron' || dialect === 'torchtitan') return value;
    return dialect === 'nanotron' ? value === 'full' : undefined;
  }
  return value;
}

/** Fields that are words in a file: only dialects whose words are known can write them. */
const WORDS: Readonly<Record<string, readonly string[]>> = {
  'pipeline.kind': ['shardlens', 'torchtitan'],
  'recompute.granularity': ['shardlens', 'megatron', 'torchtitan', 'nanotron'],
  'optimizer.zeroStage': ['shardlens', 'megatron', 'deepspeed', 'nanotron'],
};

const SEARCHED = [
  'layout.tensor',
  'layout.pipeline',
  'layout.virtualPipeline',
  'layout.context',
  'layout.expert',
  'layout.expertTensor',
  'optimizer.zeroStage',
  'pipeline.kind',
  'batch.microBatch',
  'recompute.granularity',
];

/** Fields that a search must leave alone because this file cannot say them in another way. */
export function fixedFields(analysis: Analysis): string[] {
  const dialect = analysis.dialect?.id ?? '';
  const fixed = SEARCHED.filter((field) => {
    if (WORDS[field] !== undefined && !WORDS[field].includes(dialect)) return true;
    if (analysis.resolved?.plan.unresolved.some(({ path }) => path === field) === true) return true;
    return !canWrite(analysis, field);
  });
  // Megatron's schedule follows from its chunks, see `kindsOf`.
  if (dialect === 'megatron') return fixed.filter((field) => field !== 'pipeline.kind');
  // torchtitan counts layers a stage, and its schedules and virtual stages hang together.
  return dialect === 'torchtitan' ? [...fixed, 'layout.virtualPipeline', 'pipeline.kind'] : fixed;
}

/** Schedules that a file can say where they are no word of its own: Megatron interleaves wherever a rank holds several chunks. */
export function kindsOf(analysis: Analysis): readonly ScheduleKind[] | undefined {
  if (analysis.dialect?.id !== 'megatron') return undefined;
  const own = analysis.resolved?.pipeline.kind;
  return own === '1f1b-ep-overlap' ? [own] : ['1f1b', 'interleaved'];
}

function stated(analysis: Analysis, field: string): boolean {
  const value = analysis.resolved === undefined ? undefined : planField(analysis.resolved.plan, field);
  return value?.origin === 'file' && value.at !== undefined && value.at.uri === undefined;
}

function recomputeWishes(dialect: string, choice: Choice, own: Choice): Wish[] {
  const { recompute } = choice;
  if (recompute === own.recompute) return [];
  const word = spell(dialect, 'recompute.granularity', recompute.granularity);
  if (dialect !== 'megatron') return [['recompute.granularity', word]];
  // Megatron has no word for none: its arguments are left out.
  if (recompute.granularity === 'none')
    return (['granularity', 'method', 'layers', 'modules'] as const).map((key): Wish => [
      `recompute.${key}`,
      undefined,
    ]);
  return [
    ['recompute.granularity', word],
    ['recompute.method', 'uniform'],
    ['recompute.layers', 1],
    ['recompute.modules', undefined],
  ];
}

function worldWishes(analysis: Analysis, choice: Choice, own: Choice): Wish[] {
  if (choice.gpus === own.gpus) return [];
  const perNode = analysis.resolved?.cluster?.gpusPerNode ?? 8;
  const nodes = Math.ceil(choice.gpus / perNode);
  const values: readonly Wish[] = [
    ['cluster.nodes', nodes],
    ['cluster.gpus', choice.gpus],
    ['layout.worldSize', choice.gpus],
  ];
  return values.filter(([field]) => stated(analysis, field));
}

/** Degrees of the experts; Megatron's expert-tensor degree follows the tensor degree where nobody states it. */
function expertWishes(analysis: Analysis, { model }: TrainingInput, choice: Choice, own: Choice): Wish[] {
  if ((model.experts ?? 0) === 0) return [];
  const moved = own.expert !== choice.expert || own.tensor !== choice.tensor;
  const follows = analysis.dialect?.id === 'megatron' && moved && !stated(analysis, 'layout.expertTensor');
  return [
    ...(own.expert === choice.expert ? [] : [['layout.expert', choice.expert] as const]),
    ...(own.expertTensor === choice.expertTensor && !follows
      ? []
      : [['layout.expertTensor', choice.expertTensor] as const]),
  ];
}

/** Everything that has to change in the file for a layout. */
function wishesOf(analysis: Analysis, input: TrainingInput, choice: Choice): Wish[] {
  const own = ownChoice(input);
  const dialect = analysis.dialect?.id ?? '';
  const wishes: Wish[] = worldWishes(analysis, choice, own);
  const number = (field: string, now: number, then: number): void => {
    if (now !== then) wishes.push([field, then]);
  };
  number('layout.tensor', own.tensor, choice.tensor);
  number('layout.pipeline', own.pipeline, choice.pipeline);
  number('layout.virtualPipeline', own.virtual, choice.virtual);
  number('layout.context', own.context, choice.context);
  wishes.push(...expertWishes(analysis, input, choice, own));
  number('batch.microBatch', own.microBatch, choice.microBatch);
  const data = choice.gpus / (choice.tensor * choice.pipeline * choice.context);
  if (stated(analysis, 'layout.data')) number('layout.data', input.layout.data, data);
  const shard = input.layout.dataShard;
  if (shard !== undefined && stated(analysis, 'layout.dataShard'))
    number('layout.dataShard', shard, data * choice.context);
  if (stated(analysis, 'batch.microbatches')) number('batch.microbatches', own.microbatches, choice.microbatches);
  const sequence = choice.tensor > 1 && (input.layout.sequenceParallel || input.layout.tensor === 1);
  if (sequence !== input.layout.sequenceParallel && canWrite(analysis, 'layout.sequenceParallel'))
    wishes.push(['layout.sequenceParallel', sequence]);
  if (choice.kind !== own.kind) {
    const word = spell(dialect, 'pipeline.kind', choice.kind);
    // Megatron's kind follows from its chunks.
    if (word !== undefined) wishes.push(['pipeline.kind', word]);
  }
  if (choice.zero !== own.zero)
    wishes.push(['optimizer.zeroStage', spell(dialect, 'optimizer.zeroStage', choice.zero)]);
  if (
    String(choice.stageLayers) !== String(own.stageLayers) &&
    (choice.stageLayers !== undefined || own.stageLayers !== undefined)
  )
    wishes.push(['layout.stageLayers', choice.stageLayers]);
  return [...wishes, ...recomputeWishes(dialect, choice, own)];
}

function shown(value: unknown): string {
  if (value === undefined) return 'not set';
  return Array.isArray(value) ? `[${value.join(', ')}]` : String(value);
}

/** Changes in the order in which a reader thinks, and the edits that make them; no edits where one of them has no place. */
export interface Written {
  readonly changes: readonly Change[];
  readonly edits: readonly SyntaxEdit[] | undefined;
}

/** Writes a layout into the file's own text. */
export function writeChoice(analysis: Analysis, input: TrainingInput, choice: Choice): Written {
  const wishes = wishesOf(analysis, input, choice);
  const changes = wishes.flatMap(([field, value]): Change[] => {
    const before = analysis.resolved === undefined ? undefined : planField(analysis.resolved.plan, field)?.value;
    const [from, to] = [shown(before), shown(value)];
    return from === to ? [] : [{ field, from, to }];
  });
  const edits: SyntaxEdit[] = [];
  for (const [field, value] of wishes) {
    const own = writeField(analysis, field, value);
    if (own === undefined) return { changes, edits: undefined };
    edits.push(...own);
  }
  return { changes, edits };
}
