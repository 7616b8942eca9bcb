import type { DType } from '../../engine/spec/numbers';
import type { OptimizerSpec } from '../../engine/spec/training';
import type { TrainingDetails } from '../../engine/memory/input';
import type { Plan, Sourced } from '../../plan/plan';
import { fsdpPrecision, fsdpSections, wordsOfFsdp } from '../accelerate/fsdp';
import { isTruthy } from '../common/rows';
import { byDefault, present } from '../common/sourced';
import { DEEPSPEED } from '../deepspeed/companion';
import { deepSpeedSections } from '../deepspeed/plan';
import { NO_SECTIONS, overlaid, type Sections } from '../deepspeed/sections';
import { follows, hidden, placeIn, taken, type Source } from '../deepspeed/source';

/** How one training YAML names what the Hugging Face Trainer reads. */
export interface TrainerNames {
  readonly model: string;
  readonly microBatch: string;
  readonly accumulation: string;
  /** Samples an optimizer step takes on one GPU, where a format states it. */
  readonly perGpu?: string;
  readonly sequence: readonly string[];
  readonly optimizer: string;
  /** Recomputation, and whether the key switches it off. */
  readonly checkpointing: { readonly name: string; readonly inverted?: boolean; readonly otherwise: boolean };
  readonly microDefault?: number;
  readonly sequenceDefault?: number;
}

/** The optimizer that a Trainer word stands for: what it keeps decides. */
export function optimizerKind(word: string): OptimizerSpec['kind'] | undefined {
  const name = word.toLowerCase().replace(/^optimnames\./, '');
  if (/8bit|4bit|fp8/.test(name) && name.includes('adam')) return 'adam8bit';
  if (name.includes('adafactor')) return 'adafactor';
  if (name.includes('lion')) return 'lion';
  if (name.includes('muon')) return 'muon';
  if (/^(sgd|rmsprop)/.test(name)) return 'sgd';
  // Projected gradients, and steps inside backward, keep states that follow from more than the optimizer's name.
  return name.includes('adam') && !/galore|apollo|lomo|mini/.test(name) ? 'adam' : undefined;
}

function optimizerStep(word: string): TrainingDetails['optimizerStep'] {
  if (word.endsWith('_fused') || word.includes('apex')) return 'fused';
  return word === 'adamw_torch' || word === 'adamw_hf' ? 'foreach' : undefined;
}

/** Training precision: autocast over FP32 weights unless the weights themselves are half. */
export function trainerPrecision(source: Source, weights?: Sourced<DType>): Plan['precision'] {
  const word = (name: string): string | undefined => source.text(name)?.toLowerCase();
  const on = (name: string): boolean => source.flag(name) === true || word(name) === 'full';
  const name = ['bf16', 'bfloat16', 'fp16', 'float16'].find(on) ?? (word('bf16') === 'auto' ? 'bf16' : undefined);
  if (name === undefined && weights === undefined) return {};
  const half: DType | undefined = name === undefined ? undefined : name.startsWith('b') ? 'BF16' : 'F16';
  const kept = weights?.value === 'BF16' || weights?.value === 'F16';
  return present<Plan['precision']>({
    weights: weights ?? byDefault<DType>('F32', 'the Trainer casts by autocast over FP32 weights'),
    compute: half === undefined ? weights : name === undefined ? undefined : taken(source, name, half),
    gradients: kept ? byDefault(weights.value, "gradients take the weights' format") : undefined,
    masterWeights: byDefault('none', 'the Trainer keeps no second copy of the weights'),
    firstMoment: kept ? byDefault(weights.value, "states take the weights' format") : undefined,
    secondMoment: kept ? byDefault(weights.value, "states take the weights' format") : undefined,
  });
}

/** Training of adapters: frozen weights keep the format they are loaded in, adapters and their states are FP32. */
export function adapterPrecision(source: Source, weights?: Sourced<DType>): Plan['precision'] {
  const { compute } = trainerPrecision(source, weights);
  return present<Plan['precision']>({
    weights,
    compute: compute ?? weights,
    masterWeights: byDefault('none', 'the Trainer keeps no second copy of the weights'),
  });
}

/** FSDP options as the Trainer nests them. */
const FSDP_NAMES = { section: 'fsdp_config', version: ['fsdp_config.version', 'fsdp_config.fsdp_version'] };

/**
 * Sections of a trainer's file with the sharding that the same file asks for: DeepSpeed, FSDP, or neither.
 * `precision` holds where the Trainer itself runs the step.
 */
export function launched(source: Source, base: Sections, precision: Plan['precision']): Sections {
  if (isTruthy(source, 'deepspeed')) {
    const both = overlaid(base, deepSpeedSections(source, DEEPSPEED));
    const { autocast: _, lora, ...rest } = both.details;
    const half = both.precision.weights?.value !== 'F32';
    // DeepSpeed casts the whole model, adapters included, to its own half format.
    const adapters = lora === undefined ? {} : { lora: half ? { ...lora, bytes: 2 } : lora };
    return { ...both, details: { ...rest, ...adapters } };
  }
  if (!isTruthy(source, 'fsdp')) return overlaid(base, { ...NO_SECTIONS, precision });
  const { autocast: _, ...details } = base.details;
  const own = overlaid({ ...base, details }, fsdpSections(source, FSDP_NAMES));
  const raised =
    base.details.lora === undefined && precision.compute !== undefined && precision.compute.value !== 'F32';
  return overlaid(
    { ...own, precision: raised ? fsdpPrecision(precision.compute) : precision },
    wordsOfFsdp(source, FSDP_NAMES),
  );
}

/** Adapters: rank and targets under whichever names. */
export function adapterDetails(
  source: Source,
  names: { readonly rank: string; readonly targets: string; readonly otherwise?: number },
): TrainingDetails {
  const rank = source.integer(names.rank) ?? (source.entry(names.rank) === undefined ? names.otherwise : undefined);
  if (rank === undefined || rank < 1 || rank > 65_536) return {};
  const words = source.words(names.targets)?.map((word) => word.trim());
  const all =
    words === undefined ||
    words.length === 0 ||
    words.some((word) => /^(all|all-linear)$/.test(word) || /[*\\^$()|]/.test(word));
  // A dotted name ends in the module's own.
  return { lora: { rank, ...(all ? {} : { targets: words.map((word) => word.split('.').at(-1) ?? word) }) } };
}

function batchOf(source: Source, names: TrainerNames): Plan['batch'] {
  const integer = (name: string): Sourced<number> | undefined => taken(source, name, source.integer(name));
  const micro =
    integer(names.microBatch) ??
    (names.microDefault === undefined || source.entry(names.microBatch) !== undefined
      ? undefined
      : byDefault(names.microDefault, "the Trainer's default"));
  const perGpu = names.perGpu === undefined ? undefined : integer(names.perGpu);
  const steps =
    integer(names.accumulation) ??
    (perGpu !== undefined && micro !== undefined && micro.value > 0 && perGpu.value % micro.value === 0
      ? follows(source, names.perGpu ?? '', perGpu.value / micro.value, 'batch over micro batch')
      : names.microDefault !== undefined && source.entry(names.accumulation) === undefined
        ? byDefault(1, "the Trainer's default")
        : undefined);
  const length = names.sequence.find((name) => source.entry(name) !== undefined);
  return present<Plan['batch']>({
    microBatch: micro,
    microbatches: steps,
    sequenceLength:
      length !== undefined
        ? integer(length)
        : names.sequenceDefault === undefined
          ? undefined
          : byDefault(names.sequenceDefault, "the framework's default"),
  });
}

function recomputeOf(source: Source, { name, inverted, otherwise }: TrainerNames['checkpointing']): Plan['recompute'] {
  const entry = source.entry(name);
  const word = source.text(name);
  const flag = source.flag(name) ?? (word !== undefined && /offload|unsloth/.test(word) ? true : undefined);
  if (entry !== undefined && flag === undefined) return {};
  const on = flag === undefined ? otherwise : flag !== (inverted === true);
  const granularity = on ? ('full' as const) : ('none' as const);
  return {
    granularity:
      taken(source, name, entry === undefined ? undefined : granularity) ??
      byDefault(granularity, "the framework's default"),
  };
}

/** Settings whose memory is not modelled: while one is there no number is shown. */
export function unknownMemory(source: Source, keys: readonly string[]): Sections['unresolved'] {
  return keys.flatMap((key) => {
    const at = source.flag(key) === false ? undefined : placeIn(source, key);
    return at === undefined
      ? []
      : [{ path: 'optimizer.kind', at, why: `what \`${key}\` does to memory is not modelled` }];
  });
}

/** What the Hugging Face Trainer takes from a flat file. World size and sharding come from the launcher. */
export function trainerSections(source: Source, names: TrainerNames): Sections {
  const word = source.text(names.optimizer);
  const name = source.text(names.model);
  return {
    ...NO_SECTIONS,
    model: present<Plan['model']>({ name: name === undefined ? undefined : modelName(source, names.model, name) }),
    batch: batchOf(source, names),
    recompute: recomputeOf(source, names.checkpointing),
    optimizer: present<Plan['optimizer']>({
      stack: {
        value: 'ddp',
        origin: 'assumed',
        note: 'data parallelism without sharding, unless the launcher shards',
      },
      kind: word === undefined ? undefined : taken(source, names.optimizer, optimizerKind(word)),
    }),
    details: present<TrainingDetails>({ optimizerStep: word === undefined ? undefined : optimizerStep(word) }),
    unresolved: [
      ...(word === undefined || optimizerKind(word) !== undefined ? [] : unknownMemory(source, [names.optimizer])),
      ...hidden(source, [
        ['model.name', names.model],
        ['batch.microBatch', names.microBatch],
        ['batch.microbatches', names.accumulation],
        ...names.sequence.map((key) => ['batch.sequenceLength', key] as const),
      ]),
    ],
  };
}

const LOCAL = /^(\.{0,2}\/|~\/|[A-Za-z]:[\\/])/;

/** A hub name as it stands; of a folder its last part, which is what presets know. */
export function modelName(source: Source, key: string, name: string): Sourced<string> | undefined {
  if (!LOCAL.test(name)) return taken(source, key, name);
  const parts = name.split('/').filter((part) => part !== '' && part !== '.' && part !== '..' && part !== '~');
  return follows(source, key, parts.at(-1) ?? name, 'the folder of the model');
}

/** The `config.json` that a model given as a folder brings. */
export function modelFile(name: string | undefined): string | undefined {
  return name !== undefined && LOCAL.test(name) ? `${name.replace(/\/+$/, '')}/config.json` : undefined;
}
